//! Subscriptions that are known to be in force.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{Message, Subscriber};
use futures::{FutureExt as _, StreamExt, future::try_join_all, stream::SelectAll};
use tokio::{
    sync::broadcast::error::TryRecvError,
    time::{Instant, timeout_at},
};

use crate::{Connection, Refused, RequestError};

/// More messages than servers read from the wire (nine digits), and than ever come.
const UNCOUNTABLE: u64 = u64::MAX;

/// Why there is no subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The server does not let this user listen there.
    #[error("the NATS server does not allow this user to subscribe to {subject}")]
    Denied {
        /// The subject.
        subject: String,
    },
    /// The client refused the subject.
    #[error("cannot subscribe to {subject}: {why}")]
    Subject {
        /// The subject.
        subject: String,
        /// What the client says.
        why: String,
    },
    /// The system refuses what listening needs beside the subscription.
    #[error("cannot listen: {what}: {why}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// What it says.
        why: String,
    },
    /// The message that shows the subscription to be in force did not come back.
    #[error("the subscription cannot be confirmed: {0}")]
    Unconfirmed(#[from] RequestError),
}

/// Messages of one or several subjects. Dropping it ends the subscriptions. After a lost connection it goes on.
pub struct Subscription {
    messages: Messages,
}

/// Most have one subject, and putting several streams together costs something for each message.
enum Messages {
    OfOne(Subscriber),
    OfSeveral(SelectAll<Subscriber>),
}

impl From<Vec<Subscriber>> for Messages {
    fn from(mut all: Vec<Subscriber>) -> Self {
        match all.pop() {
            Some(one) if all.is_empty() => Self::OfOne(one),
            last => Self::OfSeveral(all.into_iter().chain(last).collect()),
        }
    }
}

impl Subscription {
    /// The next message; none when the connection was closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Message> {
        match &mut self.messages {
            Messages::OfOne(messages) => messages.next().await,
            Messages::OfSeveral(messages) => messages.next().await,
        }
    }

    /// Asks for no more. What the server sent before it heard of that still comes: all of it has come once the connection has
    /// made a [round trip](Connection::round_trip) after this.
    ///
    /// The client's own way to drain forgets a subscription before the server has heard of the end, and throws away what comes
    /// meanwhile. So the server is told an end that it cannot count to, on which it ends the subscription at once, while the
    /// client goes on waiting for that many messages. (Were a server to take the number as it stands, the subscription would
    /// go on until it is dropped: later than it should, and with nothing lost before.)
    ///
    /// # Cancellation
    /// Dropping the future leaves open which of the subjects the server has been told of. It waits only while the client has too much to send.
    pub(crate) async fn ask_for_no_more(&mut self) {
        // It fails only when the connection was closed, and then nothing more comes.
        match &mut self.messages {
            Messages::OfOne(one) => drop(one.unsubscribe_after(UNCOUNTABLE).await),
            Messages::OfSeveral(several) => {
                for one in several.iter_mut() {
                    drop(one.unsubscribe_after(UNCOUNTABLE).await);
                }
            }
        }
    }

    /// The next message that has come already. The runtime's turn-taking does not count: what looks empty is empty.
    pub(crate) fn at_once(&mut self) -> Option<Message> {
        tokio::task::unconstrained(self.next()).now_or_never().flatten()
    }
}

impl Connection {
    /// Subscribes, each subject with the queue group beside it, and waits until all are in force: a message to oneself
    /// has come back after them, and what the server refused was heard. Sending them off alone would not do, calls in the next milliseconds would be lost.
    ///
    /// # Errors
    /// [`SubscribeError::Denied`] names the subject that the server refuses.
    pub async fn subscribe_in_force(
        &self,
        subjects: impl IntoIterator<Item = (String, Option<String>)>,
        timeout: Duration,
    ) -> Result<Subscription, SubscribeError> {
        let subjects: Vec<(String, Option<String>)> = subjects.into_iter().collect();
        let until = Instant::now() + timeout;
        let mut violations = self.violations();
        let made =
            try_join_all(subjects.iter().map(|(subject, queue)| self.subscribe_one(subject, queue.as_ref())));
        let late = || {
            let subject = subjects.first().map(|(subject, _)| subject.clone()).unwrap_or_default();
            RequestError::Timeout { subject, after: timeout }
        };
        // The client's own queue may be full, and nothing leaves it while NATS is away.
        let messages = Messages::from(timeout_at(until, made).await.map_err(|_late| late())??);
        self.fence(until.saturating_duration_since(Instant::now())).await?;
        let asked: BTreeSet<&str> = subjects.iter().map(|(subject, _)| subject.as_str()).collect();
        loop {
            match violations.try_recv() {
                Ok(violation) => {
                    if violation.refused == Refused::Subscribe && asked.contains(violation.subject.as_str()) {
                        return Err(SubscribeError::Denied { subject: violation.subject });
                    }
                }
                // Ours may be among those that were missed.
                Err(TryRecvError::Lagged(_)) => return Err(late().into()),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(Subscription { messages }),
            }
        }
    }

    async fn subscribe_one(
        &self,
        subject: &str,
        queue: Option<&String>,
    ) -> Result<Subscriber, SubscribeError> {
        let client = self.client();
        let made = match queue {
            Some(queue) => client.queue_subscribe(subject.to_owned(), queue.clone()).await,
            None => client.subscribe(subject.to_owned()).await,
        };
        made.map_err(|error| SubscribeError::Subject { subject: subject.to_owned(), why: error.to_string() })
    }
}
