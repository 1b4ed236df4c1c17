//! Knowing that everything the server refused so far has been heard.
//!
//! A refusal and an answer come over one connection in their order, but then part: the client hands messages to whoever
//! waits for them, and errors to a task that tells them on. On a busy machine an answer overtakes a refusal there. So the
//! server is made to send an error that says nothing, which goes behind the refusals on the same way: it answers a
//! subscription to `a.>.b`, which is no subject, with `Invalid Subject`, makes no subscription, and writes no line.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{Connection, RequestError};

/// What the server says to a subscription that is none.
const ANSWER: &str = "Invalid Subject";
/// How long an answer is waited for when all else is back.
const WITHIN: Duration = Duration::from_millis(500);

/// The fences of one connection. Their answers look all the same, so there is one at a time.
pub(crate) struct Fences {
    turn: Semaphore,
    back: watch::Sender<u64>,
    /// This server answers: one that did once is not passed over later.
    answers: AtomicBool,
    /// An answer may still come that nobody waits for.
    stray: AtomicBool,
}

impl Fences {
    /// None was sent yet.
    pub(crate) fn new() -> Self {
        let (answers, stray) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { turn: Semaphore::new(1), back: watch::Sender::new(0), answers, stray }
    }

    /// Takes an error of the server; false if it is no fence.
    pub(crate) fn take(&self, error: &str) -> bool {
        let is_fence = error.eq_ignore_ascii_case(ANSWER);
        if is_fence {
            self.back.send_modify(|count| *count += 1);
        }
        is_fence
    }

    /// Waits for the answer to a fence whose round trip is over. With a stray one about, the first to come may be that.
    async fn answered(&self, back: &mut watch::Receiver<u64>, had_stray: bool, until: Instant) -> bool {
        let until = until.min(Instant::now() + WITHIN);
        if had_stray {
            sleep_until(until).await;
        }
        let answered = timeout_at(until, back.changed()).await.is_ok();
        if answered || had_stray {
            self.stray.store(false, Ordering::Relaxed);
            self.answers.fetch_or(answered, Ordering::Relaxed);
        }
        // One that never answered a fence may be no nats-server: then the round trip has to do.
        answered || !self.answers.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Goes to the server and back as [`Connection::round_trip`] does; what the server refused of all that was sent before
    /// has then also come out of [`Connection::violations`].
    ///
    /// # Errors
    /// As [`Connection::round_trip`]; [`RequestError::Disconnected`] also where the connection was made anew meanwhile, since
    /// everything was then sent again in another order, and [`RequestError::Timeout`] where the answer does not come.
    ///
    /// # Cancellation
    /// Dropping the future makes the next fence wait half a second.
    pub(crate) async fn fence(&self, timeout: Duration) -> Result<(), RequestError> {
        let until = Instant::now() + timeout;
        let (fences, subject) = (self.fences(), self.replies().no_subject());
        let late = || RequestError::Timeout { subject: subject.clone(), after: timeout };
        let turn = timeout_at(until, fences.turn.acquire()).await.map_err(|_late| late())?;
        let _turn = turn.expect("the semaphore is never closed");
        let mut connected = self.connected();
        if !*connected.borrow_and_update() {
            // What is handed to the client now would be sent at the reconnect, and answered to somebody else.
            return Err(self.disconnected());
        }
        let which = self.client().server_info().client_id;
        let mut back = fences.back.subscribe();
        let had_stray = fences.stray.swap(true, Ordering::Relaxed);
        // Dropped at the end, the client forgets it, too.
        let _fence = timeout_at(until, self.client().subscribe(subject.clone()))
            .await
            .map_err(|_late| late())?
            .map_err(|error| RequestError::Unsendable { subject: subject.clone(), why: error.to_string() })?;
        tokio::select! {
            back = self.round_trip(until.saturating_duration_since(Instant::now())) => back?,
            _ = connected.wait_for(|connected| !connected) => return Err(self.disconnected()),
        }
        let answered = fences.answered(&mut back, had_stray, until).await;
        if self.client().server_info().client_id != which || !self.is_connected() {
            return Err(self.disconnected());
        }
        if answered { Ok(()) } else { Err(late()) }
    }
}
