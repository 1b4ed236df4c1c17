//! Asking: one answer, or many.

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::{
    Connection,
    replies::{Incoming, Waiter},
};

/// The most answers one scattered request takes; hosts beyond that are not heard.
pub const SCATTER_ANSWERS_MAX: usize = 4096;

/// How long answers of many are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather {
    /// The longest.
    pub window: Duration,
    /// Ends it earlier when after an answer no other one has come for so long; none waits for the whole window.
    pub quiet: Option<Duration>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nobody listens on the subject; known at once.
    #[error("nobody listens on {subject}")]
    NoResponders {
        /// The subject.
        subject: String,
    },
    /// Somebody listens, and did not answer in time.
    #[error("no answer on {subject} within {after:?}")]
    Timeout {
        /// The subject.
        subject: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server does not let this user ask there; known at once.
    #[error("the NATS server does not allow this user to publish to {subject}")]
    Denied {
        /// The subject.
        subject: String,
    },
    /// The request is larger than the server takes.
    #[error("{bytes} bytes for {subject} are too many: the NATS server takes {max} (its `max_payload`)")]
    TooLarge {
        /// The subject.
        subject: String,
        /// Size of the request in bytes.
        bytes: usize,
        /// What the server takes, in bytes.
        max: usize,
    },
    /// There is no connection now; nothing was sent.
    #[error("not connected to NATS at {servers}; nothing was sent")]
    Disconnected {
        /// The servers.
        servers: String,
    },
    /// The client refused to send: a malformed subject, or a closed connection.
    #[error("cannot publish to {subject}: {why}")]
    Unsendable {
        /// The subject.
        subject: String,
        /// What the client says.
        why: String,
    },
}

impl Connection {
    /// Asks on `subject` and waits at most `timeout` for one answer.
    ///
    /// # Errors
    /// [`RequestError`]; no responders and refusals are known at once.
    ///
    /// # Cancellation
    /// Dropping the future gives the answer up; whoever was asked may still have acted.
    pub async fn request(
        &self,
        subject: &str,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, RequestError> {
        self.ask(subject, HeaderMap::new(), payload, timeout).await.map(|message| message.payload)
    }

    /// Asks on `subject`, which many may answer, and collects until `enough` says so of what has come, or until
    /// `gather` ends it. At most [`SCATTER_ANSWERS_MAX`] answers are taken.
    ///
    /// # Errors
    /// As [`Connection::request`], but no answer within the window is an empty list.
    pub async fn scatter(
        &self,
        subject: &str,
        payload: Bytes,
        gather: Gather,
        mut enough: impl FnMut(&[Bytes]) -> bool,
    ) -> Result<Vec<Bytes>, RequestError> {
        let Gather { window, quiet } = gather;
        let until = Instant::now() + window;
        let mut waiter = self.replies().wait_for(subject, SCATTER_ANSWERS_MAX);
        self.send(subject, waiter.reply_to(), HeaderMap::new(), payload, until, window).await?;
        let mut answers = Vec::new();
        while answers.len() < SCATTER_ANSWERS_MAX && !enough(&answers) {
            let patience = match quiet {
                Some(quiet) if !answers.is_empty() => until.min(Instant::now() + quiet),
                _ => until,
            };
            match timeout_at(patience, waiter.next()).await {
                Ok(Some(incoming)) => answers.push(self.open(subject, incoming)?.payload),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(answers)
    }

    /// As [`Connection::request`], with headers, and answered with the whole message.
    ///
    /// # Errors
    /// As [`Connection::request`].
    ///
    /// # Cancellation
    /// As [`Connection::request`].
    pub async fn ask(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        let until = Instant::now() + timeout;
        let mut question = self.question(subject, 1);
        question.ask(headers, payload, timeout).await?;
        let answer = question.answer(until).await?;
        answer.ok_or_else(|| RequestError::Timeout { subject: subject.to_owned(), after: timeout })
    }

    /// A question on `subject` that may be sent more than once, each time to whom the broker picks, and takes up to `answers` answers.
    #[must_use]
    pub fn question(&self, subject: &str, answers: usize) -> Question<'_> {
        let waiter = self.replies().wait_for(subject, answers);
        Question { conn: self, subject: subject.to_owned(), waiter }
    }

    /// Goes to the server and back on a subject of this connection's own. All that was sent before has then been
    /// taken in by the server: subscriptions, and what it refused.
    ///
    /// # Errors
    /// As [`Connection::request`].
    pub async fn round_trip(&self, timeout: Duration) -> Result<(), RequestError> {
        let until = Instant::now() + timeout;
        let mut waiter = self.replies().wait_for("", 1);
        let own = waiter.reply_to();
        let mut violations = self.violations();
        self.send(&own, String::new(), HeaderMap::new(), Bytes::new(), until, timeout).await?;
        loop {
            tokio::select! {
                back = timeout_at(until, waiter.next()) => match back {
                    Ok(Some(_)) => return Ok(()),
                    Ok(None) | Err(_) => return Err(RequestError::Timeout { subject: own, after: timeout }),
                },
                Ok(violation) = violations.recv() => {
                    if violation.subject == own {
                        return Err(RequestError::Denied { subject: own });
                    }
                }
            }
        }
    }

    /// Publishes `payload` on `subject`, with no answer to come. When this returns the message is on its way; whether
    /// anybody hears it, nobody knows.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`] at once without a connection, [`RequestError::TooLarge`],
    /// [`RequestError::Timeout`] if it could not leave within `within`.
    ///
    /// # Cancellation
    /// Dropping the future leaves open whether it was sent.
    pub async fn publish(&self, subject: &str, payload: Bytes, within: Duration) -> Result<(), RequestError> {
        let until = Instant::now() + within;
        self.send(subject, String::new(), HeaderMap::new(), payload, until, within).await
    }

    /// Publishes while connected, and within the time given; an empty `reply_to` is none.
    pub(crate) async fn send(
        &self,
        subject: &str,
        reply_to: String,
        headers: HeaderMap,
        payload: Bytes,
        until: Instant,
        given: Duration,
    ) -> Result<(), RequestError> {
        // First: before the first connect no server has said how much it takes.
        if !self.is_connected() {
            return Err(self.disconnected());
        }
        let max = self.max_payload();
        if payload.len() > max {
            let bytes = payload.len();
            return Err(RequestError::TooLarge { subject: subject.to_owned(), bytes, max });
        }
        let client = self.client();
        let subject_owned = subject.to_owned();
        let sent = async {
            match (reply_to.is_empty(), headers.is_empty()) {
                (true, true) => client.publish(subject_owned, payload).await,
                (true, false) => client.publish_with_headers(subject_owned, headers, payload).await,
                (false, true) => client.publish_with_reply(subject_owned, reply_to, payload).await,
                (false, false) => {
                    client.publish_with_reply_and_headers(subject_owned, reply_to, headers, payload).await
                }
            }
        };
        match timeout_at(until, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(RequestError::Unsendable { subject: subject.to_owned(), why: error.to_string() })
            }
            Err(_) => Err(RequestError::Timeout { subject: subject.to_owned(), after: given }),
        }
    }

    /// What is said where there is no connection.
    pub(crate) fn disconnected(&self) -> RequestError {
        RequestError::Disconnected { servers: self.shown_servers() }
    }

    fn open(&self, subject: &str, incoming: Incoming) -> Result<Message, RequestError> {
        let subject = || subject.to_owned();
        match incoming {
            Incoming::Denied => Err(RequestError::Denied { subject: subject() }),
            Incoming::Message(message) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                Err(RequestError::NoResponders { subject: subject() })
            }
            Incoming::Message(message) => Ok(message),
        }
    }
}

/// One question, asked as often as its owner likes; what comes back to any of the askings is an answer. See [`Connection::question`].
pub struct Question<'a> {
    conn: &'a Connection,
    subject: String,
    waiter: Waiter,
}

impl Question<'_> {
    /// Asks, once more or for the first time; at most `within`.
    ///
    /// # Errors
    /// As [`Connection::publish`].
    pub async fn ask(
        &self,
        headers: HeaderMap,
        payload: Bytes,
        within: Duration,
    ) -> Result<(), RequestError> {
        let until = Instant::now() + within;
        self.conn.send(&self.subject, self.waiter.reply_to(), headers, payload, until, within).await
    }

    /// The next answer, to whichever asking; `None` if none comes before `until`. Cancel-safe.
    ///
    /// # Errors
    /// [`RequestError::NoResponders`] and [`RequestError::Denied`], known at once.
    pub async fn answer(&mut self, until: Instant) -> Result<Option<Message>, RequestError> {
        match timeout_at(until, self.waiter.next()).await {
            Ok(Some(incoming)) => self.conn.open(&self.subject, incoming).map(Some),
            // The sender lives as long as the entry.
            Ok(None) | Err(_) => Ok(None),
        }
    }
}
