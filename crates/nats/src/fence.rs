//! Knowing that everything the server refused so far has been heard.
//!
//! A refusal and an answer come over one connection in their order, but then part: the client hands messages to whoever
//! waits for them, and errors to a task that tells them on. On a busy machine an answer overtakes a refusal there. So the
//! server is made to send an error that says nothing, which goes behind the refusals on the same way: it answers a
//! subscription to `a.>.b`, which is no subject, with `Invalid Subject`, makes no subscription, and writes no line.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};

use crate::{Connection, RequestError};

/// What the server says to a subscription that is none.
const ANSWER: &str = "Invalid Subject";
/// How long a fence is waited for when all else is back: a server that passes over it would hold everything up for ever.
const WITHIN: Duration = Duration::from_millis(500);

/// The fences of one connection. They look all the same, so there is one at a time.
pub(crate) struct Fences {
    turn: Semaphore,
    back: watch::Sender<u64>,
}

impl Fences {
    pub(crate) fn new() -> Self {
        Self { turn: Semaphore::new(1), back: watch::Sender::new(0) }
    }

    /// Takes an error of the server; false if it is no fence.
    pub(crate) fn take(&self, error: &str) -> bool {
        let is_fence = error.eq_ignore_ascii_case(ANSWER);
        if is_fence {
            self.back.send_modify(|count| *count += 1);
        }
        is_fence
    }
}

impl Connection {
    /// Goes to the server and back as [`Connection::round_trip`] does; what the server refused of all that was sent before
    /// has then also come out of [`Connection::violations`].
    ///
    /// # Errors
    /// As [`Connection::round_trip`].
    ///
    /// # Cancellation
    /// Dropping the future may let the next fence be met by the answer to this one.
    pub(crate) async fn fence(&self, timeout: Duration) -> Result<(), RequestError> {
        let until = Instant::now() + timeout;
        let fences = self.fences();
        let late = |subject: &str| RequestError::Timeout { subject: subject.to_owned(), after: timeout };
        let subject = self.replies().no_subject();
        let _turn = timeout_at(until, fences.turn.acquire())
            .await
            .map_err(|_| late(&subject))?
            .expect("the semaphore is never closed");
        let mut back = fences.back.subscribe();
        // Dropped at the end, the client forgets it, too.
        let _fence = timeout_at(until, self.client().subscribe(subject.clone()))
            .await
            .map_err(|_| late(&subject))?
            .map_err(|error| RequestError::Unsendable { subject: subject.clone(), why: error.to_string() })?;
        self.round_trip(until.saturating_duration_since(Instant::now())).await?;
        // Read before the answer of the round trip, it is only a few steps away.
        if timeout_at(Instant::now() + WITHIN, back.changed()).await.is_err() {
            tracing::debug!(subject, "the NATS server passed over a subscription that is none");
        }
        Ok(())
    }
}
