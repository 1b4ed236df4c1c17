//! The serving side of the control protocol: subjects in, typed requests out, answers that always fit.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;
use futures::FutureExt;
use lattice_core::{CtlSubject, HostId, LatticeName, ctl_all_subscriptions, is_inbox};
use serde_json::json;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Connection, ControlCounts, RequestError, SubscribeError, Subscription,
    admission::{Admission, Counters, Gate, Pace},
    invocation::{Aged, Thaws},
    tasks,
};

/// Requests that one host serves at once; further ones are answered as busy.
const CONCURRENT_MAX: usize = 256;
/// Requests that are being answered as busy at once; further ones are dropped.
const REFUSED_MAX: usize = 1024;
/// How long an answer may take to leave.
const RESPOND_WITHIN: Duration = Duration::from_secs(2);
/// How long the subscriptions may take to come into force.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// One control request.
pub struct ControlRequest {
    /// What is asked.
    pub subject: CtlSubject,
    /// The subject, as sent: what reads as the same may be written in two ways.
    pub written: Subject,
    /// The JSON body, as sent.
    pub payload: Bytes,
    /// It waited while this process was frozen, nobody knows for how long: who asked may have given up, and the lattice may have been told otherwise since.
    pub stale: bool,
    headers: Option<HeaderMap>,
    reply_to: Option<Subject>,
    conn: Connection,
}

/// Why an answer was not sent as given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The answer is larger than the server takes; the asker was told so instead.
    #[error("an answer of {bytes} bytes is too large: the NATS server takes {max} (its `max_payload`)")]
    TooLarge {
        /// Size of the answer in bytes.
        bytes: usize,
        /// What the server takes, in bytes.
        max: usize,
    },
    /// It could not be sent.
    #[error("the answer could not be sent: {0}")]
    Send(#[from] RequestError),
}

impl ControlRequest {
    /// Whether the asker waits for an answer.
    #[must_use]
    pub fn wants_answer(&self) -> bool {
        self.reply_to.is_some()
    }

    /// Where the answer goes; none if nobody waits for one.
    #[must_use]
    pub fn reply_to(&self) -> Option<&str> {
        self.reply_to.as_ref().map(Subject::as_str)
    }

    /// The value of a header; the first one, if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// Answers with `body`, a JSON envelope; does nothing when nobody waits for it. When the future is done the answer
    /// has left this process.
    ///
    /// # Errors
    /// [`RespondError::TooLarge`] after the asker was told the reason instead.
    pub async fn respond(&self, body: impl Into<Bytes>) -> Result<(), RespondError> {
        respond(&self.conn, self.reply_to.as_ref(), body.into()).await
    }
}

async fn respond(conn: &Connection, reply_to: Option<&Subject>, body: Bytes) -> Result<(), RespondError> {
    let Some(reply_to) = reply_to else { return Ok(()) };
    let (bytes, max) = (body.len(), conn.max_payload());
    if bytes > max {
        let error = RespondError::TooLarge { bytes, max };
        tracing::warn!(%error, "a control request got a refusal instead of its answer");
        send(conn, reply_to, refusal(&error.to_string())).await?;
        return Err(error);
    }
    send(conn, reply_to, body).await
}

async fn send(conn: &Connection, reply_to: &Subject, body: Bytes) -> Result<(), RespondError> {
    let until = Instant::now() + RESPOND_WITHIN;
    conn.send(reply_to, String::new(), HeaderMap::new(), body, until, RESPOND_WITHIN).await?;
    // A stopping host answers and goes; an answer still in the queue would go with it.
    let _ = tokio::time::timeout_at(until, conn.client().flush()).await;
    Ok(())
}

fn refusal(message: &str) -> Bytes {
    Bytes::from(json!({"success": false, "message": message}).to_string())
}

/// Serves the control subjects of one host until it is closed or dropped.
pub struct ControlServer {
    tasks: TaskTracker,
    counters: Arc<Counters>,
    accept: CancellationToken,
    abort: CancellationToken,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.accept.cancel();
        self.abort.cancel();
    }
}

impl ControlServer {
    /// Subscribes all control subjects of `host` and hands each request to `handler`, many at once and in no order. When
    /// this returns the subscriptions are in force.
    ///
    /// A request that no host knows is refused here, and one that is to be answered elsewhere than in an [inbox](is_inbox) is dropped. A handler that panics is contained, and its asker told. Past 256
    /// requests at once askers are told that the host is busy; past 1024 of those at once, requests are dropped.
    ///
    /// # Errors
    /// [`SubscribeError`] when a subject is refused or the server does not confirm.
    pub async fn serve<H, F>(
        conn: &Connection,
        lattice: &LatticeName,
        host: &HostId,
        handler: H,
    ) -> Result<Self, SubscribeError>
    where
        H: Fn(ControlRequest) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::serve_on(conn, lattice, ctl_all_subscriptions(lattice, host), None, handler).await
    }

    /// The same on these subjects of `lattice` only, each with its queue group. Who has `thaws` of this connection is told which
    /// requests are [stale](ControlRequest::stale); else none is said to be.
    ///
    /// # Errors
    /// As [`ControlServer::serve`].
    pub async fn serve_on<H, F>(
        conn: &Connection,
        lattice: &LatticeName,
        subjects: Vec<(String, Option<String>)>,
        thaws: Option<&Thaws>,
        handler: H,
    ) -> Result<Self, SubscribeError>
    where
        H: Fn(ControlRequest) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let subscription = conn.subscribe_in_force(subjects, SUBSCRIBE_WITHIN).await?;
        let server = Self {
            tasks: TaskTracker::new(),
            counters: Arc::default(),
            accept: CancellationToken::new(),
            abort: CancellationToken::new(),
        };
        let accepting = Accepting {
            conn: conn.clone(),
            lattice: lattice.clone(),
            handler: Arc::new(handler),
            gate: Gate::new(CONCURRENT_MAX, REFUSED_MAX),
            counters: Arc::clone(&server.counters),
            pace: Pace::default(),
            tasks: server.tasks.clone(),
            abort: server.abort.clone(),
        };
        let accept = server.accept.clone();
        let requests = match thaws {
            Some(thaws) => Requests::Aged(Aged::new(subscription, thaws)),
            None => Requests::Plain(subscription),
        };
        tasks::spawn(&server.tasks, "control", accepting.run(requests, accept));
        Ok(server)
    }

    /// What was dropped and what broke, since the start.
    #[must_use]
    pub fn counts(&self) -> ControlCounts {
        self.counters.read()
    }

    /// Takes no more requests, waits at most `grace` for those in hand, then gives them up.
    pub async fn close(&self, grace: Duration) {
        self.accept.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("control requests were given up when the host stopped");
            self.abort.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Where requests come from.
enum Requests {
    Plain(Subscription),
    Aged(Aged),
}

impl Requests {
    /// The next one, and whether it is stale. Cancel-safe.
    async fn next(&mut self) -> Option<(Message, bool)> {
        match self {
            Requests::Plain(subscription) => subscription.next().await.map(|message| (message, false)),
            Requests::Aged(aged) => aged.next().await.map(|message| (message, aged.is_stale())),
        }
    }
}

struct Accepting<H> {
    conn: Connection,
    lattice: LatticeName,
    handler: Arc<H>,
    gate: Gate,
    counters: Arc<Counters>,
    pace: Pace,
    tasks: TaskTracker,
    abort: CancellationToken,
}

impl<H, F> Accepting<H>
where
    H: Fn(ControlRequest) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(mut self, mut requests: Requests, accept: CancellationToken) {
        loop {
            let message = tokio::select! {
                () = accept.cancelled() => return,
                message = requests.next() => message,
            };
            match message {
                Some((message, stale)) => {
                    self.take(message, stale);
                    // Those that are served have to get their turn.
                    tokio::task::consume_budget().await;
                }
                None => {
                    tracing::warn!("the control subscriptions ended with the connection");
                    return;
                }
            }
        }
    }

    /// Starts a task for the message, or drops it, and never waits.
    fn take(&mut self, message: Message, stale: bool) {
        if let Some(reply) = message.reply.as_ref().filter(|reply| !is_inbox(&self.lattice, reply)) {
            return self.turn_away(&message.subject, reply);
        }
        match self.gate.admit() {
            Admission::Serve(permit) => self.serve_one(message, stale, permit),
            Admission::Refuse(permit) => self.refuse_one(message.reply, permit),
            Admission::Drop => {
                let dropped = self.counters.count_dropped();
                if self.pace.passes(Instant::now()) {
                    tracing::warn!(
                        dropped,
                        "control requests are dropped: {CONCURRENT_MAX} are being served and {REFUSED_MAX} refused \
                         already; find who sends so many"
                    );
                }
            }
        }
    }

    /// Neither does nor answers what shall be answered where no answers are waited for: the host would write there what its asker may not.
    fn turn_away(&mut self, subject: &str, reply: &str) {
        let turned_away = self.counters.count_turned_away();
        if self.pace.passes(Instant::now()) {
            let reply: String = reply.chars().take(128).collect();
            tracing::warn!(
                turned_away,
                subject,
                reply,
                "a control request was turned away: its reply subject is no inbox of this lattice, so somebody wants this host to \
                 publish there; tools use _INBOX or wasmbus.inbox.{}",
                self.lattice
            );
        }
    }

    fn serve_one(&self, message: Message, stale: bool, permit: OwnedSemaphorePermit) {
        let (handler, conn, counters) =
            (Arc::clone(&self.handler), self.conn.clone(), Arc::clone(&self.counters));
        self.spawn("control-request", async move {
            let _permit = permit;
            let asker = message.reply;
            let why = match CtlSubject::parse(&message.subject) {
                Ok(subject) => {
                    let request = ControlRequest {
                        subject,
                        written: message.subject,
                        payload: message.payload,
                        stale,
                        headers: message.headers,
                        reply_to: asker.clone(),
                        conn: conn.clone(),
                    };
                    let served = AssertUnwindSafe(async { handler(request).await }).catch_unwind().await;
                    let Err(panic) = served else { return };
                    let (panic, panicked) = (panic_text(&*panic), counters.count_panicked());
                    tracing::error!(panic, panicked, "a control request broke its handler");
                    "internal error: the host could not handle this request; its log says more".to_owned()
                }
                Err(error) => error.to_string(),
            };
            refuse(&conn, asker.as_ref(), &why).await;
        });
    }

    fn refuse_one(&self, asker: Option<Subject>, permit: OwnedSemaphorePermit) {
        let conn = self.conn.clone();
        self.spawn("control-refusal", async move {
            let _permit = permit;
            let why = format!("the host already serves {CONCURRENT_MAX} control requests; try again");
            refuse(&conn, asker.as_ref(), &why).await;
        });
    }

    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        tasks::spawn(&self.tasks, name, async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = work => {}
            }
        });
    }
}

async fn refuse(conn: &Connection, asker: Option<&Subject>, why: &str) {
    if let Err(error) = respond(conn, asker, refusal(why)).await {
        tracing::debug!(%error, "a refusal was not sent");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
