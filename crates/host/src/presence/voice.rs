//! What presence says: sent by a task of its own, so that whoever listens never waits for the connection.

use std::time::Duration;

use bytes::Bytes;
use lattice_nats::Connection;
use tokio::sync::mpsc;
use tracing::debug;

use crate::supervisor::Tasks;

/// Words that wait to be said; a host that cannot send drops further ones, the next beat says all again.
const QUEUE_MAX: usize = 1024;
/// How long one may take to leave: later it would be old.
const SAY_WITHIN: Duration = Duration::from_millis(500);

struct Word {
    subject: String,
    payload: Bytes,
}

/// Says things, in order.
#[derive(Clone)]
pub(super) struct Voice {
    queue: mpsc::Sender<Word>,
    connection: Connection,
}

impl Voice {
    pub(super) fn start(connection: &Connection, tasks: &Tasks) -> Self {
        let (queue, mut words) = mpsc::channel::<Word>(QUEUE_MAX);
        let (speaker, stop) = (connection.clone(), tasks.stop_token());
        tasks.spawn("presence-voice", async move {
            while let Some(Some(word)) = stop.run_until_cancelled(words.recv()).await {
                // Nothing is said while the connection is away, nor kept for later.
                if let Err(error) = speaker.publish(&word.subject, word.payload, SAY_WITHIN).await {
                    debug!(%error, "a beat was not sent");
                }
            }
        });
        Self { queue, connection: connection.clone() }
    }

    /// Says it soon, or never. Does not wait.
    pub(super) fn say(&self, subject: impl Into<String>, payload: Bytes) {
        if self.queue.try_send(Word { subject: subject.into(), payload }).is_err() {
            debug!("a beat was dropped: {QUEUE_MAX} words wait already");
        }
    }

    /// Says it now, and returns when it has left.
    pub(super) async fn say_last(&self, subject: &str, payload: Bytes) {
        if let Err(error) = self.connection.publish(subject, payload, SAY_WITHIN).await {
            debug!(%error, "the goodbye was not sent; others will find out");
        }
    }
}
