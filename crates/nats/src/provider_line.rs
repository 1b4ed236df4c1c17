//! What a host and its provider processes say to each other: asked on `wasmbus.rpc`, answered on `wasmbus.back`.
//!
//! A provider may publish to no inbox but its own, so a question carries a reply subject of the family that it may write to
//! and the host alone may read. Both ends are here: [`ProviderLine`] asks, [`HostLine`] hears and answers.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{HeaderMap, Message, StatusCode, Subject};
use bytes::Bytes;
use lattice_core::{
    BackSubject, EntityId, HostId, LatticeName, ProviderId, ProviderSubject, ProviderVerb, back_subscription,
    may_provider_answer, provider_answer, provider_subscription,
};
use tokio::{
    sync::{OnceCell, oneshot},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Connection, RequestError, SubscribeError, Subscription, tasks};

/// How long a subscription may take to come into force.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// Which host speaks: the process of another host under the same id does not listen. wasmCloud 1.x has no such header.
const HOST_HEADER: &str = "host-id";
/// How long an answer may take to leave.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks provider processes. Clones share it; it subscribes when the first question is asked.
#[derive(Clone)]
pub struct ProviderLine {
    inner: Arc<Inner>,
}

struct Inner {
    conn: Connection,
    lattice: LatticeName,
    host: HostId,
    /// Tells the answers to this from everything else that comes back to the host.
    connection: u64,
    waiting: Arc<Waiting>,
    open: OnceCell<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The questions that wait for an answer, by number.
#[derive(Default)]
struct Waiting {
    next: AtomicU64,
    by_number: Mutex<HashMap<u64, (ProviderId, oneshot::Sender<Message>)>>,
}

/// One question's entry; dropping it takes the entry out.
struct Entry {
    number: u64,
    waiting: Arc<Waiting>,
    answer: oneshot::Receiver<Message>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.number);
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (ProviderId, oneshot::Sender<Message>)>> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, provider: &ProviderId) -> Entry {
        // From 1: nothing is answered to call 0.
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = oneshot::channel();
        self.lock().insert(number, (provider.clone(), sender));
        Entry { number, waiting: Arc::clone(self), answer }
    }

    /// Hands an answer to whoever waits for it, if the one who was asked wrote it.
    fn route(&self, message: Message) {
        let Some(back) = BackSubject::parse(&message.subject) else { return };
        let mut waiting = self.lock();
        if waiting.get(&back.call).is_some_and(|(asked, _)| asked.as_str() == back.writer)
            && let Some((_, sender)) = waiting.remove(&back.call)
        {
            // Whoever asked may have given up.
            let _ = sender.send(message);
        }
    }
}

impl ProviderLine {
    /// The line of `host`; nothing is subscribed yet.
    #[must_use]
    pub fn new(conn: &Connection, lattice: &LatticeName, host: &HostId) -> Self {
        // The keys of each `RandomState` are random, so this is as well.
        let connection = RandomState::new().hash_one(std::process::id());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (conn, lattice, host) = (conn.clone(), lattice.clone(), host.clone());
        let (waiting, open) = (Arc::default(), OnceCell::new());
        Self { inner: Arc::new(Inner { conn, lattice, host, connection, waiting, open, tasks, stop }) }
    }

    /// Asks a provider process and waits at most `within` for its answer.
    ///
    /// # Errors
    /// As [`Connection::request`]; that nobody listens is known at once.
    ///
    /// # Cancellation
    /// Dropping the future gives the answer up; the provider may still have acted.
    pub async fn ask(
        &self,
        provider: &ProviderId,
        verb: ProviderVerb,
        payload: Bytes,
        within: Duration,
    ) -> Result<Bytes, RequestError> {
        let inner = &*self.inner;
        let (lattice, provider_id) = (inner.lattice.clone(), provider.clone());
        let subject = ProviderSubject { lattice, provider: provider_id, verb }.to_string();
        let until = Instant::now() + within;
        let timeout = || RequestError::Timeout { subject: subject.clone(), after: within };
        tokio::time::timeout_at(until, self.open())
            .await
            .map_err(|_| timeout())?
            .map_err(|error| RequestError::Unsendable { subject: subject.clone(), why: error.to_string() })?;
        let mut entry = inner.waiting.enter(provider);
        let reply = provider_answer(&inner.lattice, provider, &inner.host, inner.connection, entry.number);
        let mut headers = HeaderMap::new();
        headers.insert(HOST_HEADER, inner.host.as_str());
        inner.conn.send(&subject, reply, headers, payload, until, within).await?;
        match tokio::time::timeout_at(until, &mut entry.answer).await {
            Ok(Ok(answer)) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                Err(RequestError::NoResponders { subject })
            }
            Ok(Ok(answer)) => Ok(answer.payload),
            // The sender lives as long as the entry.
            Ok(Err(_)) | Err(_) => Err(timeout()),
        }
    }

    async fn open(&self) -> Result<(), SubscribeError> {
        let inner = &*self.inner;
        let opened = inner.open.get_or_try_init(|| async {
            let reader = EntityId::new(inner.host.as_str()).expect("a host's id is an id");
            let back = (back_subscription(&inner.lattice, &reader, inner.connection), None);
            let subscription = inner.conn.subscribe_in_force([back], SUBSCRIBE_WITHIN).await?;
            let routing = route(Arc::clone(&inner.waiting), subscription, inner.stop.clone());
            tasks::spawn(&inner.tasks, "provider-answers", routing);
            Ok(())
        });
        opened.await.map(drop)
    }
}

async fn route(waiting: Arc<Waiting>, mut answers: Subscription, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            message = answers.next() => match message {
                Some(message) => waiting.route(message),
                None => return,
            },
        }
    }
}

/// What a provider process hears from its host.
pub struct HostLine {
    conn: Connection,
    lattice: LatticeName,
    provider: ProviderId,
    host: HostId,
    messages: Subscription,
}

/// Something that the host says.
pub struct Said {
    /// What.
    pub verb: ProviderVerb,
    /// With which words.
    pub payload: Bytes,
    reply: Option<Subject>,
    conn: Connection,
}

impl HostLine {
    /// Hears what `host` says to `provider`. When this returns the subscription is in force.
    ///
    /// # Errors
    /// [`SubscribeError`] when the server refuses the subject or does not confirm.
    pub async fn open(
        conn: &Connection,
        lattice: &LatticeName,
        provider: &ProviderId,
        host: &HostId,
    ) -> Result<Self, SubscribeError> {
        let subject = provider_subscription(lattice, provider);
        let messages = conn.subscribe_in_force([(subject, None)], SUBSCRIBE_WITHIN).await?;
        let (conn, lattice, provider, host) = (conn.clone(), lattice.clone(), provider.clone(), host.clone());
        Ok(Self { conn, lattice, provider, host, messages })
    }

    /// The next thing that is said; none when the connection was closed. What does not read, and what another host says to
    /// its own process, is skipped. Cancel-safe.
    pub async fn next(&mut self) -> Option<Said> {
        loop {
            let message = self.messages.next().await?;
            let from = message.headers.as_ref().and_then(|headers| headers.get(HOST_HEADER));
            if from.is_some_and(|from| from.as_str() != self.host.as_str()) {
                continue;
            }
            let Ok(subject) = ProviderSubject::parse(&message.subject) else {
                tracing::debug!(subject = %message.subject, "a host says what this provider does not know");
                continue;
            };
            let may = |reply: &Subject| may_provider_answer(&self.lattice, &self.provider, reply);
            let reply = message.reply.filter(may);
            return Some(Said {
                verb: subject.verb,
                payload: message.payload,
                reply,
                conn: self.conn.clone(),
            });
        }
    }
}

impl Said {
    /// Answers; does nothing where nobody waits for it. When this returns the answer has left this process.
    ///
    /// # Errors
    /// As [`Connection::publish`].
    pub async fn answer(&self, payload: impl Into<Bytes>) -> Result<(), RequestError> {
        let Some(reply) = &self.reply else { return Ok(()) };
        let until = Instant::now() + ANSWER_WITHIN;
        self.conn.send(reply, String::new(), HeaderMap::new(), payload.into(), until, ANSWER_WITHIN).await?;
        // Whoever answers that it ends does so at once.
        let _ = tokio::time::timeout_at(until, self.conn.client().flush()).await;
        Ok(())
    }
}
