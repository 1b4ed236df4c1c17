//! A call's place in the table of its connection, for as long as somebody holds it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_nats::{Subject, message::OutboundMessage};
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    budget::Budget,
    failure::Failure,
    outbox::{Parcel, Whose},
    places::{Place, Places},
    post::Post,
    pulse::Pulse,
    routes::Routes,
    slot::{About, Machine, Slot},
};

/// Calls that one connection makes at once, and as many that it serves.
pub(crate) const CALLS_MAX: usize = 4096;

/// What all calls of one connection share.
pub(crate) struct Shared {
    pub(crate) post: Arc<Post>,
    pub(crate) routes: Routes,
    pub(crate) places: Places,
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
            places: Places::default(),
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

    /// Sends what is the only message of a call in this direction. What comes back is still to be waited for: boxed, since nearly
    /// always there is nothing, and each call's task has room for its longest way.
    #[must_use]
    pub(crate) fn send_whole(&self, message: OutboundMessage, whose: Whose) -> Option<BoxFuture<'_, ()>> {
        let is_alone = self.made.load(Ordering::Relaxed) + self.served.load(Ordering::Relaxed) <= 1;
        let parcel = Parcel::new(message, whose);
        // Nobody to wait for where it is alone, and one task less on its way.
        let parcel = if is_alone { Some(parcel) } else { self.post.send_together(parcel) };
        parcel.map(|parcel| parcel.leave(&self.post).boxed())
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
    /// Of a call that is being made: the reply subject.
    back: Option<Subject>,
}

impl Entry {
    /// Enters a call that is being made, whose reply comes back to `place`.
    pub(crate) fn of_caller(
        shared: &Arc<Shared>,
        place: Place,
        about: About,
        machine: Machine,
    ) -> Result<Self, Failure> {
        let Place { token, subject } = place;
        let entry = Self::enter(shared, token, Slot::new(about, machine, None))?;
        // Nobody was given the same token.
        let mut entry = entry.ok_or(Failure::TooMany(CALLS_MAX))?;
        entry.back = Some(subject);
        Ok(entry)
    }

    /// Enters a call that has come, under `token`, to be answered at `peer`. None if it has come before.
    pub(crate) fn of_callee(
        shared: &Arc<Shared>,
        token: u64,
        about: About,
        machine: Machine,
        peer: Subject,
    ) -> Result<Option<Self>, Failure> {
        Self::enter(shared, token, Slot::new(about, machine, Some(peer)))
    }

    fn enter(shared: &Arc<Shared>, token: u64, slot: Slot) -> Result<Option<Self>, Failure> {
        let slot = Arc::new(slot);
        if !take_place(count(shared, &slot)) {
            shared.budget.close(slot.window());
            return Err(Failure::TooMany(CALLS_MAX));
        }
        if !shared.routes.enter(token, &slot) {
            count(shared, &slot).fetch_sub(1, Ordering::Relaxed);
            shared.budget.close(slot.window());
            return Ok(None);
        }
        Self { shared: Arc::clone(shared), slot, token, back: None }.check().map(Some)
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

/// Calls made or calls served.
fn count<'a>(shared: &'a Shared, slot: &Slot) -> &'a AtomicUsize {
    if slot.about.names.is_some() { &shared.served } else { &shared.made }
}

fn take_place(count: &AtomicUsize) -> bool {
    let more = |n: usize| (n < CALLS_MAX).then_some(n + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self { shared, slot, token, back } = self;
        shared.routes.leave(*token);
        count(shared, slot).fetch_sub(1, Ordering::Relaxed);
        shared.budget.close(slot.window());
        let Some(subject) = back.take() else { return };
        if slot.is_answered() {
            shared.places.keep(&slot.about.target, Place { token: *token, subject });
        } else {
            shared.post.note_of(slot, slot.fail(Failure::Cancelled));
        }
    }
}
