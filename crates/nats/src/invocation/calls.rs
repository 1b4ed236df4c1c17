//! Making calls, and the tasks that one connection's calls have in common.

use std::{
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{Message, StatusCode, Subject};
use bytes::Bytes;
use lattice_contracts::CallContext;
use lattice_core::{
    BackSubject, CallError, CallTo, EntityId, LatticeName, LinkName, MAX_DEPTH, back_subscription,
    call_subject, escape_token,
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Called, Inbound, Outbound,
    caller::Caller,
    entry::{Entry, Shared},
    failure::Failure,
    header::{Header, Kind},
    pieces::{Piece, Pieces},
    post::{Post, W, message, message_with},
    pulse::{LATE, Pulse, TICK, Ticking},
    sending::{FIN, FIRST_MAX, send},
    slot::{About, Machine, Slot},
};
use crate::{Connection, Refused, SubscribeError, Subscription, tasks};

/// How long the subscriptions of calls may take to come into force.
pub(crate) const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// How long a target that should be there is asked again.
const KNOWN_WITHIN: Duration = Duration::from_millis(250);
/// The pause before it is asked again.
const KNOWN_PAUSE: Duration = Duration::from_millis(25);
/// How often a mark that does not come back is sent again.
const MARK_AGAIN: Duration = Duration::from_secs(1);

/// What one connection's calls amount to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCounts {
    /// Calls being made.
    pub made: usize,
    /// Calls being served.
    pub served: usize,
    /// Calls in the table: both.
    pub open: usize,
}

/// Makes and serves the calls of one connection. Clones share it; [`Calls::close`] ends it for all of them.
#[derive(Clone)]
pub struct Calls {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    notes: TaskTracker,
    notes_stop: CancellationToken,
    _ticking: Ticking,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        self.stop.cancel();
        self.notes_stop.cancel();
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("me", &self.inner.shared.post.me).finish_non_exhaustive()
    }
}

impl Calls {
    /// Subscribes what comes back to `me`, the owner of the connection: a host's id, a provider's. When this returns the
    /// subscription is in force.
    ///
    /// # Errors
    /// [`SubscribeError`] when the server refuses the subject or does not confirm.
    pub async fn open(
        conn: &Connection,
        lattice: &LatticeName,
        me: &EntityId,
    ) -> Result<Self, SubscribeError> {
        // The keys of each `RandomState` are random, so this is as well.
        let connection = RandomState::new().hash_one(std::process::id());
        let violations = conn.violations();
        let back = (back_subscription(lattice, me, connection), None);
        let subscription = conn.subscribe_in_force([back], SUBSCRIBE_WITHIN).await?;
        let (post, notes) = Post::new(conn, lattice, me, connection);
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let ticking = pulse.start().map_err(|error| {
            let why = error.to_string();
            SubscribeError::System { what: "a thread for the clock of calls", why }
        })?;
        let shared = Shared::new(post, pulse);
        let inner = Arc::new(Inner {
            shared: Arc::clone(&shared),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            notes: TaskTracker::new(),
            notes_stop: CancellationToken::new(),
            _ticking: ticking,
        });
        let until = |stop: &CancellationToken| stop.clone().cancelled_owned();
        let routing = route(Arc::clone(&shared), subscription);
        inner.spawn_until(until(&inner.stop), "calls-back", routing);
        inner.spawn_until(until(&inner.stop), "calls-clock", tick(Arc::clone(&shared)));
        inner.spawn_until(until(&inner.stop), "calls-refused", end_refused(Arc::clone(&shared), violations));
        let notes_stop = inner.notes_stop.clone();
        tasks::spawn(&inner.notes, "calls-notes", Arc::clone(&shared.post).send_notes(notes, notes_stop));
        Ok(Self { inner })
    }

    /// Calls `call.target`. Returns with the first bytes of the reply; the rest follows as it is read. A request that is a
    /// stream goes on meanwhile.
    ///
    /// # Errors
    /// [`CallError`] of the hop that failed; [`CallError::not_run`] says whether it may be tried elsewhere.
    ///
    /// # Cancellation
    /// Dropping the future, or the reply before its end, cancels the call; the callee may have acted.
    pub async fn call(
        &self,
        call: &CallContext,
        to: CallTo,
        operation: Called,
        request: Outbound,
    ) -> Result<Inbound, CallError> {
        let made = self.make(call, to, &operation, request).await;
        made.map_err(|failure| failure.into_error(&self.inner.shared.post.hop, &call.target))
    }

    async fn make(
        &self,
        call: &CallContext,
        to: CallTo,
        operation: &Called,
        request: Outbound,
    ) -> Result<Inbound, Failure> {
        let shared = &self.inner.shared;
        if call.depth > MAX_DEPTH {
            return Err(Failure::TooDeep(MAX_DEPTH));
        }
        let (entry, reply) = self.enter(call, &to, operation)?;
        let mut pieces = Pieces::new(request);
        let opening = Opening::new(call, operation, entry.slot(), shared, reply);
        let first = opening.first_piece(&mut pieces).await?;
        let mut rest = (!first.fin).then_some(pieces);
        let until = Instant::now() + KNOWN_WITHIN;
        loop {
            if let Err(failure) = opening.publish(first.clone()).await {
                entry.slot().fail(failure.clone());
                return Err(failure);
            }
            if let Some(pieces) = rest.take() {
                self.send_rest(entry.slot(), pieces);
            }
            if poll_fn(|cx| entry.slot().poll_begun(cx)).await? {
                break;
            }
            if !operation.known || Instant::now() >= until {
                entry.slot().fail(Failure::NoResponders);
                return Err(Failure::NoResponders);
            }
            tokio::time::sleep(KNOWN_PAUSE).await;
        }
        Ok(match entry.slot().take_whole() {
            Some(body) => Inbound::complete(body, shared.post.hop.clone()),
            None => Inbound::of_caller(Arc::clone(shared), entry),
        })
    }

    /// A place in the table, and the reply subject that leads to it.
    fn enter(
        &self,
        call: &CallContext,
        to: &CallTo,
        operation: &Called,
    ) -> Result<(Entry, Subject), Failure> {
        let shared = &self.inner.shared;
        let lattice = &shared.post.lattice;
        let Called { interface, function, .. } = operation;
        let subject = call_subject(lattice, &call.source, to, &call.target, interface, function);
        let about = About {
            id: call.id,
            target: call.target.clone(),
            writer: call.target.clone(),
            asked: Subject::from(subject),
            names: None,
        };
        let machine = Caller::new(Instant::now(), call.deadline, shared.budget.open());
        let by_host = matches!(to, CallTo::Host(_));
        let token = shared.routes.token_of_made();
        let entry = Entry::of_caller(shared, token, about, Machine::Caller(machine), by_host)?;
        Ok((entry, shared.post.back(&call.target, token)))
    }

    /// A request of more than one piece goes on while its reply is awaited.
    fn send_rest(&self, slot: &Arc<Slot>, pieces: Pieces) {
        let (shared, slot) = (Arc::clone(&self.inner.shared), Arc::clone(slot));
        tasks::spawn(&self.inner.tasks, "call-request", async move {
            if let Err(failure) = send(&shared.post, &slot, Kind::More, pieces).await {
                shared.post.note_of(&slot, slot.fail(failure));
            }
        });
    }

    /// How many calls there are now.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        let shared = &self.inner.shared;
        CallCounts {
            made: shared.made.load(Ordering::Relaxed),
            served: shared.served.load(Ordering::Relaxed),
            open: shared.routes.len(),
        }
    }

    /// Ends all calls, made and served, waits for their tasks, and sends what is still to be said.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.shared.close();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.notes_stop.cancel();
        self.inner.notes.close();
        self.inner.notes.wait().await;
    }
}

impl Inner {
    fn spawn_until(
        &self,
        stop: impl Future<Output = ()> + Send + 'static,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        tasks::spawn(&self.tasks, name, async move {
            tokio::select! {
                () = stop => {}
                () = task => {}
            }
        });
    }
}

/// The first message of a call, as often as it is sent.
struct Opening<'a> {
    call: &'a CallContext,
    operation: &'a Called,
    slot: &'a Slot,
    shared: &'a Shared,
    reply: Subject,
    /// Who wrote the link's version, as the header has it.
    writer: Option<String>,
}

impl<'a> Opening<'a> {
    fn new(
        call: &'a CallContext,
        operation: &'a Called,
        slot: &'a Slot,
        shared: &'a Shared,
        reply: Subject,
    ) -> Self {
        let writer = operation.link_version.as_ref().map(|version| escape_token(&version.writer));
        Self { call, operation, slot, shared, reply, writer }
    }

    /// The header but for the mark of the end.
    fn header(&self) -> String {
        let CallContext { id, link, depth, .. } = self.call;
        let number = self.operation.link_version.as_ref().map(|version| version.number);
        let header = Header {
            credit: Some(self.slot.window()),
            time_left_ms: Some(ms_left(self.call)),
            depth: *depth,
            link: Some(link.as_str()).filter(|_| *link != LinkName::default()),
            link_version: number.zip(self.writer.as_deref()),
            text: self.operation.text,
            ..Header::new(Kind::Call, *id)
        };
        header.encode()
    }

    async fn first_piece(&self, pieces: &mut Pieces) -> Result<Piece, Failure> {
        let max = FIRST_MAX.min(self.shared.post.room_beside(self.header().len() + FIN.len()));
        if max == 0 {
            return Err(Failure::NoRoom(self.shared.post.conn.max_payload()));
        }
        let next = poll_fn(|cx| pieces.poll_piece(cx, max));
        match timeout_at(self.call.deadline, next).await {
            Ok(piece) => piece.map_err(Failure::Told),
            Err(_) => Err(Failure::Deadline),
        }
    }

    async fn publish(&self, first: Piece) -> Result<(), Failure> {
        let mut header = self.header();
        if first.fin {
            header.push_str(FIN);
        }
        let About { asked, .. } = &self.slot.about;
        // Before it leaves, so that nothing that comes back is earlier.
        self.slot.called(Instant::now(), first.body.len(), first.fin);
        let reply = Some(self.reply.clone());
        self.shared.post.publish(message_with(asked.clone(), reply, header, first.body)).await
    }
}

/// Milliseconds left to a call; what is below one counts as one, so that 0 never means "no limit".
pub(crate) fn ms_left(call: &CallContext) -> u64 {
    u64::try_from(call.time_left().as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Empties the subscription of what comes back; never waits for anybody.
async fn route(shared: Arc<Shared>, mut subscription: Subscription) {
    while let Some(message) = subscription.next().await {
        route_one(&shared, message);
    }
}

fn route_one(shared: &Shared, incoming: Message) {
    let Some(back) = BackSubject::parse(&incoming.subject) else { return };
    if back.call == 0 {
        let thaw = std::str::from_utf8(&incoming.payload).ok().and_then(|text| text.parse().ok());
        if let (Some(thaw), true) = (thaw, back.writer == shared.post.me.as_str()) {
            shared.pulse.mark(thaw);
        }
        return;
    }
    let slot = shared.routes.find(back.call, back.writer);
    if incoming.status == Some(StatusCode::NO_RESPONDERS) {
        slot.inspect(|slot| slot.no_responders());
        return;
    }
    let header = incoming.headers.as_ref().and_then(|headers| headers.get(W)).map(|value| value.as_str());
    let Some(Ok(header)) = header.map(Header::decode) else {
        tracing::debug!(subject = %incoming.subject, "a message about a call does not read");
        return;
    };
    // Where to answer is the sender's to say, but only within what is the other side's to read.
    let reply = incoming.reply.as_ref().filter(|reply| is_back_subject(shared, reply));
    match slot {
        Some(slot) if slot.about.id == header.id => {
            let note = slot.message(Instant::now(), &header, incoming.payload, reply.cloned());
            shared.post.note_of(&slot, note);
        }
        _ => {
            // Whoever names a subject still works on a call that nobody waits for.
            if let Some(to) = reply {
                let cancel = Header::new(Kind::Cancel, header.id);
                shared.post.note(message(to.clone(), None, &cancel, Bytes::new()));
            }
        }
    }
}

fn is_back_subject(shared: &Shared, reply: &Subject) -> bool {
    BackSubject::parse(reply)
        .is_some_and(|back| back.lattice == shared.post.lattice.as_str() && back.call != 0)
}

/// One clock for all calls: signs of life, silence, deadlines.
async fn tick(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = Instant::now();
    let mut marking = Marking { thaws: 0, sent: last };
    loop {
        interval.tick().await;
        let now = Instant::now();
        // Whoever did not listen cannot say that the others were silent.
        let deaf = marking.tick(&shared, now) || now.duration_since(last) > TICK + LATE;
        last = now;
        for slot in shared.routes.all() {
            shared.post.note_of(&slot, slot.tick(now, deaf));
        }
    }
}

/// Sends marks until they come back.
struct Marking {
    thaws: u64,
    sent: Instant,
}

impl Marking {
    /// True if the process was thawed since the last tick.
    fn tick(&mut self, shared: &Shared, now: Instant) -> bool {
        let thaws = shared.pulse.thaws(now);
        let thawed = thaws > self.thaws;
        let missing = thaws > shared.pulse.last_marked() && now >= self.sent + MARK_AGAIN;
        if thawed {
            tracing::warn!(
                "this process did not run for more than a second; calls that waited meanwhile are not run"
            );
        }
        if thawed || missing {
            (self.thaws, self.sent) = (thaws, now);
            let to = shared.post.back(&shared.post.me, 0);
            shared.post.note(async_nats::message::OutboundMessage {
                subject: to,
                reply: None,
                payload: Bytes::from(thaws.to_string()),
                headers: None,
            });
        }
        thawed
    }
}

/// Ends the calls whose subjects the broker refuses.
async fn end_refused(
    shared: Arc<Shared>,
    mut violations: tokio::sync::broadcast::Receiver<crate::Violation>,
) {
    loop {
        match violations.recv().await {
            Ok(violation) if violation.refused == Refused::Publish => {
                for slot in shared.routes.all() {
                    slot.denied(&violation.subject);
                }
            }
            // Calls whose refusal was missed end by silence.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
