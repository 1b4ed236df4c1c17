//! A call's place in the table of its connection, for as long as somebody holds it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_nats::Subject;

use super::{
    exchange::Note,
    failure::Failure,
    post::Post,
    pulse::Pulse,
    routes::Routes,
    slot::{About, Machine, Slot},
    window::Budget,
};

/// Calls that one connection makes at once, and as many that it serves.
pub(crate) const CALLS_MAX: usize = 4096;

/// What all calls of one connection share.
pub(crate) struct Shared {
    pub(crate) post: Arc<Post>,
    pub(crate) routes: Routes,
    pub(crate) budget: Budget,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) made: AtomicUsize,
    pub(crate) served: AtomicUsize,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(post: Arc<Post>, pulse: Arc<Pulse>) -> Arc<Self> {
        Arc::new(Self {
            post,
            routes: Routes::default(),
            budget: Budget::default(),
            pulse,
            made: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// No calls from now on; those of now end.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for slot in self.routes.all() {
            self.post.note_of(&slot, slot.fail(Failure::Stopped));
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Holds a call in the table. Dropping it takes the call out; a caller's that has not ended is cancelled.
pub(crate) struct Entry {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    token: u64,
    /// The host's subject, by which it hears of a cancelled call before it has named its own.
    host: Option<Subject>,
}

impl Entry {
    /// Enters a call that is being made, under `token`; `by_host`: to one host, which can be told that it was given up.
    pub(crate) fn of_caller(
        shared: &Arc<Shared>,
        token: u64,
        about: About,
        machine: Machine,
        by_host: bool,
    ) -> Result<Self, Failure> {
        let host = by_host.then(|| about.asked.clone());
        let slot = Arc::new(Slot::new(about, machine, None));
        take_place(&shared.made)?;
        Self::enter(shared, token, slot, host).ok_or(Failure::TooMany(CALLS_MAX))?.check()
    }

    /// Enters a call that has come, under `token`, to be answered at `peer`. None if it has come before.
    pub(crate) fn of_callee(
        shared: &Arc<Shared>,
        token: u64,
        about: About,
        machine: Machine,
        peer: Subject,
    ) -> Result<Option<Self>, Failure> {
        let slot = Arc::new(Slot::new(about, machine, Some(peer)));
        take_place(&shared.served)?;
        Self::enter(shared, token, slot, None).map(Self::check).transpose()
    }

    /// Consumes the place that was taken for it.
    fn enter(shared: &Arc<Shared>, token: u64, slot: Arc<Slot>, host: Option<Subject>) -> Option<Self> {
        if shared.routes.enter(token, &slot) {
            return Some(Self { shared: Arc::clone(shared), slot, token, host });
        }
        give_place(shared, &slot);
        shared.budget.close(slot.window());
        None
    }

    /// Closing sweeps the table once, so whoever came after that has to look for himself.
    fn check(self) -> Result<Self, Failure> {
        if self.shared.is_closed() {
            self.slot.fail(Failure::Stopped);
            return Err(Failure::Stopped);
        }
        Ok(self)
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

fn take_place(count: &AtomicUsize) -> Result<(), Failure> {
    let taken =
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < CALLS_MAX).then_some(n + 1));
    taken.map(drop).map_err(|_| Failure::TooMany(CALLS_MAX))
}

fn give_place(shared: &Shared, slot: &Slot) {
    let count = if slot.about.names.is_some() { &shared.served } else { &shared.made };
    count.fetch_sub(1, Ordering::Relaxed);
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self { shared, slot, token, host } = self;
        shared.routes.leave(*token);
        give_place(shared, slot);
        shared.budget.close(slot.window());
        if slot.about.names.is_some() {
            return;
        }
        if let Some((peer, Note::Cancel)) = slot.give_up()
            && let Some(to) = peer.or_else(|| host.take())
        {
            shared.post.note_of(slot, Some((to, Note::Cancel)));
        }
    }
}
