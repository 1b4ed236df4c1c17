//! Serving calls: subscriptions in, one task for each call. The tasks that empty subscriptions never wait.

use std::{future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll, time::Duration};

use async_nats::{Message, Subject};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use lattice_contracts::CallContext;
use lattice_core::{
    BackSubject, CallError, CallSubject, CallTo, EntityId, HostId, InvocationId, LinkName, MAX_DEPTH,
    TraceParent, calls_of_host, calls_of_target,
};
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    Calls, Inbound, Outbound, Received, Thaws,
    aged::Aged,
    callee::Callee,
    calls::SUBSCRIBE_WITHIN,
    entry::{Entry, Shared},
    failure::Failure,
    header::{Header, Kind, Unreadable},
    outbox::Whose,
    pieces::Pieces,
    post::{W, trace_of},
    received::Origin,
    sending::{send, whole_reply},
    slot::{About, Machine},
    subjects::Subjects,
    window::{Incoming, WINDOW},
};
use crate::{RequestError, SubscribeError, Subscription, tasks};

/// The longest that a call may take, whatever it says.
const TIME_LEFT_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long what is still on its way may take to come, once no more is asked for: a round trip to a busy NATS server.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);

/// Whoever serves calls.
#[async_trait]
pub trait Serve: Send + Sync + 'static {
    /// Serves one call. The future, or the reply's stream after it, is dropped when the caller gives up, when time has run
    /// out, or when the caller is gone.
    ///
    /// # Errors
    /// The error is sent to the caller as it is, with the hop that it names.
    async fn serve(&self, request: Box<Received>) -> Result<Outbound, CallError>;
}

/// Serves the calls of one connection. Dropping it takes no more; calls that have come are served to their end.
pub struct Serving {
    server: Arc<Server>,
    _stop: DropGuard,
}

/// Calls to one target come here. Dropping it ends that.
pub struct Announced {
    _stop: DropGuard,
}

impl Calls {
    /// Takes the calls that name `host`, and hands each to `server`, many at once and in no order. When this returns the
    /// subscription is in force.
    ///
    /// # Errors
    /// [`SubscribeError`] when the server refuses the subject or does not confirm.
    pub async fn serve(&self, host: &HostId, server: Arc<dyn Serve>) -> Result<Serving, SubscribeError> {
        let serving = self.serve_targets(server);
        let post = &serving.server.shared.post;
        let subject = calls_of_host(&post.lattice, host);
        let subscription = post.conn.subscribe_in_force([(subject, None)], SUBSCRIBE_WITHIN).await?;
        serving.server.accept("calls-of-host", subscription, serving.server.stop.clone());
        Ok(serving)
    }

    /// The same for who is no host: takes calls of the targets that are [announced](Serving::announce), and no others.
    #[must_use]
    pub fn serve_targets(&self, server: Arc<dyn Serve>) -> Serving {
        let shared = Arc::clone(&self.inner.shared);
        let (tasks, stop) = (self.inner.tasks.clone(), self.inner.stop.child_token());
        let (accepting, closed) = (TaskTracker::new(), self.inner.stop.clone());
        let server = Arc::new(Server { shared, server, tasks, accepting, stop: stop.clone(), closed });
        Serving { server, _stop: stop.drop_guard() }
    }
}

impl Serving {
    /// Takes no more calls, for any target. When this returns, all that the NATS server had sent here has been handed to
    /// the server, so that no caller waits for an answer that nobody gives; it takes at most three seconds.
    pub async fn end(&self) {
        self.server.stop.cancel();
        self.server.accepting.close();
        self.server.accepting.wait().await;
    }

    /// Takes calls to `target` that name no host, in the target's queue group. When this returns the subscription is in
    /// force.
    ///
    /// # Errors
    /// [`SubscribeError`] when the server refuses the subject or does not confirm.
    pub async fn announce(&self, target: &EntityId) -> Result<Announced, SubscribeError> {
        let post = &self.server.shared.post;
        let (subject, queue) = calls_of_target(&post.lattice, target);
        let subscription = post.conn.subscribe_in_force([(subject, Some(queue))], SUBSCRIBE_WITHIN).await?;
        let stop = self.server.stop.child_token();
        self.server.accept("calls-of-target", subscription, stop.clone());
        Ok(Announced { _stop: stop.drop_guard() })
    }
}

struct Server {
    shared: Arc<Shared>,
    server: Arc<dyn Serve>,
    tasks: TaskTracker,
    /// Those of the tasks that take calls.
    accepting: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when the calls of the connection are ended: what still comes has nobody to serve it.
    closed: CancellationToken,
}

impl Server {
    fn accept(self: &Arc<Self>, name: &'static str, subscription: Subscription, stop: CancellationToken) {
        let calls = Aged::new(subscription, &Thaws::of(&self.shared.pulse));
        let accepting = Accepting { server: Arc::clone(self), calls, subjects: Subjects::default() };
        tasks::spawn(&self.tasks, name, self.accepting.track_future(accepting.run(stop)));
    }

    /// Decides what becomes of a message, and never waits. `stale`: it waited while this process was frozen.
    fn take(self: &Arc<Self>, subjects: &mut Subjects, message: Message, stale: bool) {
        let Ok(subject) = subjects.read(&message.subject) else {
            tracing::debug!(subject = %message.subject, "a call's subject does not read");
            return;
        };
        let reply = message.reply.clone().filter(|reply| self.may_answer(reply, &subject.target));
        let header = message.headers.as_ref().and_then(|headers| headers.get(W)).map(|value| value.as_str());
        let header = match Header::decode(header.unwrap_or_default()) {
            Ok(header) => header,
            Err(Unreadable { id, is_call, why }) => {
                tracing::debug!(subject = %message.subject, why, "a call does not read");
                if let (Some(id), Some(reply), true) = (id, reply, is_call) {
                    self.refuse(reply, id, &subject.target, Failure::Malformed(why));
                }
                return;
            }
        };
        match (header.kind, reply) {
            (Kind::Call, Some(reply)) => {
                let (id, trace) = (header.id, message.headers.as_ref().and_then(trace_of));
                let (subject, body) = (&*subject, message.payload);
                let arrived = Arrived { subject, header, trace, body, reply: reply.clone() };
                let taken = if stale { Err(Failure::Stale) } else { self.start(arrived) };
                if let Err(failure) = taken {
                    self.refuse(reply, id, &subject.target, failure);
                }
            }
            (Kind::Cancel, _) => self.cancel(&subject.source, &header),
            // Nobody to answer, or nobody who may be answered.
            _ => tracing::debug!(subject = %message.subject, "a call without an answerable reply subject"),
        }
    }

    /// Only on a subject of this lattice that the target may write to: nobody makes this host publish elsewhere.
    fn may_answer(&self, reply: &Subject, target: &EntityId) -> bool {
        BackSubject::parse(reply).is_some_and(|back| {
            back.lattice == self.shared.post.lattice.as_str()
                && back.writer == target.as_str()
                && back.call != 0
        })
    }

    fn refuse(&self, reply: Subject, id: InvocationId, target: &EntityId, failure: Failure) {
        let post = &self.shared.post;
        post.note(post.error(reply, id, &failure.into_error(&post.hop, target)));
    }

    /// The caller gives up before it knows this side's own subject.
    fn cancel(&self, source: &EntityId, header: &Header<'_>) {
        let token = self.shared.routes.token_of_served(source, header.id);
        if let Some(slot) = self.shared.routes.find(token, source.as_str()) {
            slot.message(Instant::now(), header, Bytes::new(), None);
        }
    }

    fn start(self: &Arc<Self>, arrived: Arrived<'_>) -> Result<(), Failure> {
        let Some((entry, received)) = arrived.enter(&self.shared)? else { return Ok(()) };
        tasks::spawn(&self.tasks, "call", Arc::clone(self).run(entry, received));
        Ok(())
    }

    async fn run(self: Arc<Self>, entry: Entry, received: Box<Received>) {
        let post = &self.shared.post;
        let failed = match self.served(&entry, received).await {
            None => return,
            Some(Ok(reply)) => match whole_reply(post, entry.slot(), reply) {
                Ok(message) => {
                    if let Some(late) = self.shared.send_whole(message, Whose::Reply(entry)) {
                        late.await;
                    }
                    return;
                }
                // Boxed, so that the usual call's task stays small.
                Err(reply) => Box::pin(send(post, entry.slot(), Kind::Reply, Pieces::new(reply))).await.err(),
            },
            Some(Err(failure)) => Some(failure),
        };
        let slot = entry.slot();
        if let Some((to, note)) = failed.and_then(|failure| slot.fail(failure)) {
            let sent = Box::pin(post.publish(post.message_of(slot, to, note))).await;
            if let Err(failure) = sent {
                tracing::debug!(?failure, "a caller was not told of its failed call");
            }
        }
    }

    /// What the server makes of a call; none if the call has ended before.
    async fn served(&self, entry: &Entry, received: Box<Received>) -> Option<Result<Outbound, Failure>> {
        let mut serving = pin!(AssertUnwindSafe(self.server.serve(received)).catch_unwind());
        let served = poll_fn(|cx| match entry.slot().poll_end(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => serving.as_mut().poll(cx).map(Some),
        });
        match served.await? {
            Ok(served) => Some(served.map_err(Failure::Told)),
            Err(_panic) => {
                tracing::error!(id = %entry.slot().about.id, "a call broke whoever served it");
                Some(Err(Failure::Broke))
            }
        }
    }
}

/// A call's first message.
struct Arrived<'a> {
    subject: &'a CallSubject,
    header: Header<'a>,
    trace: Option<TraceParent>,
    body: Bytes,
    reply: Subject,
}

impl Arrived<'_> {
    /// A place in the table, and what the server gets; none if this call has come before.
    fn enter(self, shared: &Arc<Shared>) -> Result<Option<(Entry, Box<Received>)>, Failure> {
        let Self { subject, header, trace, body, reply } = self;
        let CallSubject { source, target, to, interface, function, .. } = subject.clone();
        if header.depth > MAX_DEPTH {
            return Err(Failure::TooDeep(MAX_DEPTH));
        }
        if header.offset != 0 {
            return Err(Failure::Malformed("a call starts at byte 0".to_owned()));
        }
        let link = header.link.map_or_else(|| Ok(LinkName::default()), LinkName::new);
        let link = link.map_err(|error| Failure::Malformed(error.to_string()))?;
        let now = Instant::now();
        let deadline = now + Duration::from_millis(header.time_left_or_default()).min(TIME_LEFT_MAX);
        let credit = header.credit.unwrap_or(WINDOW);
        let token = shared.routes.token_of_served(&source, header.id);
        let about = About {
            id: header.id,
            target: target.clone(),
            writer: source.clone(),
            asked: reply.clone(),
            names: Some(token),
            host: false,
        };
        let request = incoming(shared, &body, header.fin);
        let machine = Machine::Callee(Callee::new(now, deadline, request, credit));
        let Some(entry) = Entry::of_callee(shared, token, about, machine, reply.clone())? else {
            return Ok(None);
        };
        let slot = Arc::clone(entry.slot());
        let received = Box::new(Received {
            call: CallContext { id: header.id, source, target, link, deadline, depth: header.depth, trace },
            interface,
            function,
            link_version: header.version(),
            by_group: to == CallTo::Anyone,
            handed_on: header.handed_on,
            at_once: header.at_once,
            wait: header.wait_ms.map(Duration::from_millis),
            text: header.text,
            body: match header.fin {
                true => Inbound::complete(body.clone(), shared.post.hop.clone()),
                false => Inbound::of_callee(Arc::clone(shared), Arc::clone(&slot)),
            },
            origin: Origin { shared: Arc::clone(shared), slot, reply, first: body, fin: header.fin, credit },
        });
        Ok(Some((entry, received)))
    }
}

/// The request as its first piece begins it.
fn incoming(shared: &Shared, body: &Bytes, fin: bool) -> Incoming {
    let bytes = body.len() as u64;
    if fin {
        return Incoming::whole(bytes);
    }
    let mut incoming = Incoming::new(bytes, shared.budget.open());
    let first = incoming.accept(0, body.clone(), false);
    debug_assert!(first.is_ok(), "as much was granted as came");
    incoming
}

/// Empties one subscription.
struct Accepting {
    server: Arc<Server>,
    calls: Aged,
    subjects: Subjects,
}

impl Accepting {
    async fn run(mut self, stop: CancellationToken) {
        let mut stopped = pin!(stop.cancelled());
        loop {
            if stop.is_cancelled() {
                return self.drain().await;
            }
            let next = match self.calls.ready() {
                Some(next) => next,
                None => tokio::select! {
                    biased;
                    () = &mut stopped => return self.drain().await,
                    next = self.calls.next() => next,
                },
            };
            let Some(message) = next else { return };
            self.take(message);
            tokio::task::consume_budget().await;
        }
    }

    /// Takes what was sent here before the NATS server heard that no more is wanted, for as long as that may take.
    async fn drain(mut self) {
        let closed = self.server.closed.clone();
        let drained = tokio::select! {
            () = closed.cancelled() => return,
            drained = tokio::time::timeout(DRAIN_WITHIN, self.take_the_rest()) => drained,
        };
        match drained {
            // Without a connection nothing is on its way.
            Ok(Ok(()) | Err(RequestError::Disconnected { .. })) => {}
            Ok(Err(error)) => tracing::warn!(%error, "calls that were on their way here may be lost"),
            Err(_late) => tracing::warn!(
                "calls that were on their way here may be lost: the NATS server did not answer within {DRAIN_WITHIN:?}"
            ),
        }
    }

    /// Until the server has heard that no more is wanted, and all that it sent before is taken.
    async fn take_the_rest(&mut self) -> Result<(), RequestError> {
        self.calls.subscription.ask_for_no_more().await;
        let conn = self.server.shared.post.conn.clone();
        let mut heard = pin!(conn.round_trip(DRAIN_WITHIN));
        let outcome = loop {
            tokio::select! {
                outcome = &mut heard => break outcome,
                next = self.calls.subscription.next() => match next {
                    Some(message) => self.take(message),
                    None => return Ok(()),
                },
            }
        };
        while let Some(message) = self.calls.subscription.at_once() {
            self.take(message);
        }
        outcome
    }

    fn take(&mut self, message: Message) {
        let stale = self.calls.is_stale();
        self.server.take(&mut self.subjects, message, stale);
    }
}
