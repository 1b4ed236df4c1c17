//! Making calls, and the tasks that one connection's calls have in common.

use std::{
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::Subject;
use lattice_contracts::CallContext;
use lattice_core::{CallError, CallTo, EntityId, LatticeName, MAX_DEPTH, back_subscription, call_subject};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Called, Inbound, Outbound,
    arrivals::{end_refused, route},
    caller::Caller,
    entry::{Entry, Shared},
    failure::Failure,
    header::Kind,
    opening::Opening,
    outbox::Whose,
    pieces::Pieces,
    places::Place,
    post::Post,
    pulse::{Pulse, Ticking},
    sending::send,
    slot::{About, Machine, Slot},
    ticking::tick,
};
use crate::{Connection, SubscribeError, tasks};

/// How long the subscriptions of calls may take to come into force.
pub(crate) const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// How long a target that should be there is asked again.
const KNOWN_WITHIN: Duration = Duration::from_millis(250);
/// The pause before it is asked again.
const KNOWN_PAUSE: Duration = Duration::from_millis(25);

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
    sending: TaskTracker,
    sending_stop: CancellationToken,
    _ticking: Ticking,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        self.stop.cancel();
        self.sending_stop.cancel();
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
        let (post, waiting) = Post::new(conn, lattice, me, connection);
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
            sending: TaskTracker::new(),
            sending_stop: CancellationToken::new(),
            _ticking: ticking,
        });
        let until = |stop: &CancellationToken| stop.clone().cancelled_owned();
        let routing = route(Arc::clone(&shared), subscription);
        inner.spawn_until(until(&inner.stop), "calls-back", routing);
        inner.spawn_until(until(&inner.stop), "calls-clock", tick(Arc::clone(&shared)));
        inner.spawn_until(until(&inner.stop), "calls-refused", end_refused(Arc::clone(&shared), violations));
        let sending_stop = inner.sending_stop.clone();
        tasks::spawn(&inner.sending, "calls-sending", waiting.send(Arc::clone(&shared.post), sending_stop));
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
        let (first, mut message) = opening.first(&mut pieces).await?;
        let mut rest = (!first.fin).then_some(pieces);
        let until = Instant::now() + KNOWN_WITHIN;
        loop {
            // Before it leaves, so that nothing that comes back is earlier.
            entry.slot().called(Instant::now(), first.body.len(), first.fin);
            if first.fin {
                if let Some(late) = shared.send_whole(message, Whose::Request(Arc::clone(entry.slot()))) {
                    late.await;
                }
            } else if let Err(failure) = Box::pin(shared.post.publish(message)).await {
                // What follows must not overtake it, so it does not wait with those of others.
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
            Box::pin(tokio::time::sleep(KNOWN_PAUSE)).await;
            message = opening.again(&first);
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
            host: matches!(to, CallTo::Host(_)),
        };
        let machine = Caller::new(Instant::now(), call.deadline, shared.budget.open());
        let place = shared.places.take(&call.target).unwrap_or_else(|| {
            let token = shared.routes.token_of_made();
            Place { token, subject: shared.post.back(&call.target, token) }
        });
        let reply = place.subject.clone();
        Ok((Entry::of_caller(shared, place, about, Machine::Caller(machine))?, reply))
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
        self.inner.sending_stop.cancel();
        self.inner.sending.close();
        self.inner.sending.wait().await;
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
