//! Events out and in.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use lattice_core::{Event, EventName, HostId, LatticeName, event_subject};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Connection, SubscribeError, Subscription, WallClock, tasks};

/// Events that wait to be sent; while NATS is away further ones are dropped.
const QUEUE_MAX: usize = 256;
/// How long one event may take to leave.
const SEND_WITHIN: Duration = Duration::from_secs(2);
/// How long a subscription may take to come into force.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// Publishes the events of one host, in order. Events are hints: none is sent twice, and some may be lost.
pub struct EventPublisher {
    host: HostId,
    lattice: LatticeName,
    clock: WallClock,
    queue: mpsc::Sender<Job>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

enum Job {
    Publish { subject: String, body: Bytes },
    Flushed(oneshot::Sender<()>),
}

impl Drop for EventPublisher {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl EventPublisher {
    /// Publishes as `host` in `lattice`.
    #[must_use]
    pub fn new(conn: &Connection, lattice: &LatticeName, host: &HostId) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let sender = Sender { conn: conn.clone(), connected: conn.connected() };
        tasks::spawn(&tasks, "events", sender.run(jobs, stop.clone()));
        let (host, lattice, clock) = (host.clone(), lattice.clone(), conn.wall_clock());
        Self { host, lattice, clock, queue, tasks, stop }
    }

    /// Puts an event into the queue, with an id and the time of now. Never waits; when the queue is full the event is
    /// dropped with a log line.
    pub fn publish(&self, name: EventName, data: Value) {
        let Some(job) = self.job(name, data) else { return };
        if self.queue.try_send(job).is_err() {
            tracing::warn!(%name, "an event was dropped: {QUEUE_MAX} wait already, or the host is stopping");
        }
    }

    /// As [`EventPublisher::publish`], but waits for room: for what comes by the hundred, and has to arrive.
    ///
    /// # Cancellation
    /// Dropping the future leaves the event out.
    pub async fn publish_when_there_is_room(&self, name: EventName, data: Value) {
        let Some(job) = self.job(name, data) else { return };
        // It fails only when the host is stopping.
        let _ = self.queue.send(job).await;
    }

    fn job(&self, name: EventName, data: Value) -> Option<Job> {
        let id = uuid::Uuid::new_v4().to_string();
        let event = Event::new(name, &self.host, id, self.clock.now_rfc3339(), data);
        let subject = event_subject(&self.lattice, Some(name));
        let body = serde_json::to_vec(&event);
        let body = body.inspect_err(|error| tracing::error!(%name, %error, "an event could not be written"));
        Some(Job::Publish { subject, body: Bytes::from(body.ok()?) })
    }

    /// Waits until what was published before has left, at most `deadline`; true if it has.
    pub async fn flush(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let (done, flushed) = oneshot::channel();
        let queued = timeout_at(until, self.queue.send(Job::Flushed(done))).await;
        matches!(queued, Ok(Ok(()))) && matches!(timeout_at(until, flushed).await, Ok(Ok(())))
    }

    /// Sends what waits, at most for `deadline`, and stops.
    pub async fn close(&self, deadline: Duration) {
        self.flush(deadline).await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Sender {
    conn: Connection,
    connected: watch::Receiver<bool>,
}

impl Sender {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>, stop: CancellationToken) {
        let work = async {
            while let Some(job) = jobs.recv().await {
                match job {
                    Job::Publish { subject, body } => self.publish(&subject, body).await,
                    Job::Flushed(done) => {
                        let flushed = self.conn.client().flush();
                        if matches!(tokio::time::timeout(SEND_WITHIN, flushed).await, Ok(Ok(()))) {
                            // Whoever asked may have stopped waiting.
                            let _ = done.send(());
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn publish(&mut self, subject: &str, body: Bytes) {
        // Events of a time without NATS are sent when it is back, as far as the queue holds them.
        if self.connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        let until = Instant::now() + SEND_WITHIN;
        let sent = self.conn.send(subject, String::new(), HeaderMap::new(), body, until, SEND_WITHIN).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "an event was lost");
        }
    }
}

/// Why an awaited event did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The time is over.
    #[error("the awaited event did not come within {after:?}")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The connection was closed.
    #[error("the connection to NATS was closed while waiting for an event")]
    Closed,
}

/// The events of a lattice, from the moment of subscribing on.
pub struct EventStream {
    messages: Subscription,
}

impl EventStream {
    /// Listens to the events of these names, or to all when there are none. When this returns the subscription is in force.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(
        conn: &Connection,
        lattice: &LatticeName,
        names: &[EventName],
    ) -> Result<Self, SubscribeError> {
        let mut subjects: Vec<(String, Option<String>)> =
            names.iter().map(|name| (event_subject(lattice, Some(*name)), None)).collect();
        if subjects.is_empty() {
            subjects.push((event_subject(lattice, None), None));
        }
        let messages = conn.subscribe_in_force(subjects, SUBSCRIBE_WITHIN).await?;
        Ok(Self { messages })
    }

    /// The next event; none when the connection was closed. What is no event is left out. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let message = self.messages.next().await?;
            match serde_json::from_slice(&message.payload) {
                Ok(event) => return Some(event),
                Err(error) => tracing::debug!(subject = %message.subject, %error, "this is no event"),
            }
        }
    }

    /// Waits at most `deadline` for the first event that `pick` makes something of.
    ///
    /// # Errors
    /// [`EventError::Timeout`], or [`EventError::Closed`].
    pub async fn wait_for<T>(
        &mut self,
        deadline: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, EventError> {
        let until = Instant::now() + deadline;
        loop {
            match timeout_at(until, self.next()).await {
                Ok(Some(event)) => {
                    if let Some(picked) = pick(&event) {
                        return Ok(picked);
                    }
                }
                Ok(None) => return Err(EventError::Closed),
                Err(_) => return Err(EventError::Timeout { after: deadline }),
            }
        }
    }
}
