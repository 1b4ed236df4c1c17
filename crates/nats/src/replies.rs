//! Reply routing of our own: one subscription per connection, and a map with an entry for each request that waits.
//!
//! async-nats' `request` keeps an entry for every answer that never comes; here the entry goes with its waiter.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_nats::Message;
use tokio::sync::mpsc;

/// What comes back to a request.
pub(crate) enum Incoming {
    /// A message on the request's own subject.
    Message(Message),
    /// The server refused to pass the request on.
    Denied,
}

struct Pending {
    /// Where the request went, to find it when the server refuses that subject.
    subject: String,
    sender: mpsc::Sender<Incoming>,
}

/// The requests of one connection that wait for an answer.
pub(crate) struct Replies {
    prefix: String,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, Pending>>,
}

impl Replies {
    /// `inbox` is a subject of this connection's own; answers come on `{inbox}.{number}`.
    pub(crate) fn new(inbox: &str) -> Arc<Self> {
        Arc::new(Self {
            prefix: format!("{inbox}."),
            next: AtomicU64::new(1),
            pending: Mutex::new(HashMap::new()),
        })
    }

    /// The subject to subscribe for all answers.
    pub(crate) fn wildcard(&self) -> String {
        format!("{}*", self.prefix)
    }

    /// What stands where only subjects of this connection's user are, so that it may be asked for, and is no subject. The same for
    /// all connections of the user: a server keeps the part before the `>` in its tree.
    pub(crate) fn no_subject(&self) -> String {
        let inbox = self.prefix.trim_end_matches('.');
        let prefix = inbox.rsplit_once('.').map_or(inbox, |(prefix, _random)| prefix);
        format!("{prefix}.>.fence")
    }

    /// Makes an entry for a request to `subject` that expects up to `capacity` answers; more are dropped.
    pub(crate) fn wait_for(self: &Arc<Self>, subject: &str, capacity: usize) -> Waiter {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(capacity);
        self.lock().insert(id, Pending { subject: subject.to_owned(), sender });
        Waiter { id, replies: Arc::clone(self), receiver }
    }

    /// Hands an answer to its waiter. Never waits: a waiter that is behind loses the answer.
    pub(crate) fn route(&self, message: Message) {
        let id = message.subject.strip_prefix(self.prefix.as_str()).and_then(|id| id.parse().ok());
        let sender = id.and_then(|id: u64| self.lock().get(&id).map(|pending| pending.sender.clone()));
        match sender {
            Some(sender) if sender.try_send(Incoming::Message(message)).is_ok() => {}
            Some(_) => tracing::debug!("an answer was dropped: its request takes no more of them"),
            None => {
                tracing::trace!("an answer came after its request was given up")
            }
        }
    }

    /// Tells every request to `subject` that the server refused it.
    pub(crate) fn denied(&self, subject: &str) {
        let refused: Vec<mpsc::Sender<Incoming>> =
            self.lock().values().filter(|p| p.subject == subject).map(|p| p.sender.clone()).collect();
        for sender in refused {
            // A full channel holds answers, so the request was passed on before.
            let _ = sender.try_send(Incoming::Denied);
        }
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Pending>> {
        // Nothing in here panics half-way, so a poisoned map is whole.
        self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One request's entry; dropping it takes the entry out.
pub(crate) struct Waiter {
    id: u64,
    replies: Arc<Replies>,
    receiver: mpsc::Receiver<Incoming>,
}

impl Waiter {
    /// The reply subject to send along.
    pub(crate) fn reply_to(&self) -> String {
        format!("{}{}", self.replies.prefix, self.id)
    }

    /// The next answer. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Incoming> {
        self.receiver.recv().await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.replies.lock().remove(&self.id);
    }
}
