//! One connection to a lattice's NATS.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use futures::StreamExt;
use tokio::sync::{broadcast, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ConnectError, ConnectOptions, Violation, WallClock,
    connect::{self, Signals},
    fence::Fences,
    replies::Replies,
    tasks,
};

/// How long a request to JetStream may take.
const JETSTREAM_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked whether a connection was made anew; nobody tells.
const RECONNECT_LOOK: Duration = Duration::from_millis(5);
/// How long closing waits for what is still to be sent.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// A connection. Clones share it; [`Connection::close`] ends it for all of them.
///
/// A lost connection is made again by itself, with the subscriptions it had; [`Connection::connected`] tells. What was
/// asked meanwhile fails as disconnected, so that nothing is sent late.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    client: async_nats::Client,
    options: ConnectOptions,
    signals: Arc<Signals>,
    replies: Arc<Replies>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("servers", &self.shown_servers()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects once, to the first server that answers, waiting at most `deadline`.
    ///
    /// # Errors
    /// [`ConnectError`] tells unreachable, silent, refused and too old servers apart.
    /// [`ConnectError::is_retryable`] says whether trying again alone may help.
    ///
    /// # Cancellation
    /// Dropping the future leaves no connection.
    pub async fn connect(options: ConnectOptions, deadline: Duration) -> Result<Self, ConnectError> {
        let signals = Signals::new();
        let client = connect::connect(&options, deadline, Arc::clone(&signals)).await?;
        signals.set_connected(true);
        Self::of_client(client, options, signals).await
    }

    /// A connection that is made as soon as a server is there; `attempt` is how long one attempt may take. Until then
    /// it is as one that was lost. [`Connection::check_server`] is the caller's, once it is [`Connection::connected`].
    ///
    /// # Errors
    /// [`ConnectError::Options`] alone: all else is tried again, with a line in the log.
    ///
    /// # Cancellation
    /// Dropping the future leaves no connection.
    pub async fn connect_later(options: ConnectOptions, attempt: Duration) -> Result<Self, ConnectError> {
        let signals = Signals::new();
        let client = connect::connect_later(&options, attempt, Arc::clone(&signals)).await?;
        Self::of_client(client, options, signals).await
    }

    async fn of_client(
        client: async_nats::Client,
        options: ConnectOptions,
        signals: Arc<Signals>,
    ) -> Result<Self, ConnectError> {
        let replies = Replies::new(&client.new_inbox());
        // Nobody else sets it.
        let _ = signals.replies.set(Arc::clone(&replies));
        let inbox = client
            .subscribe(replies.wildcard())
            .await
            .map_err(|error| ConnectError::Options { what: "inbox prefix".into(), why: error.to_string() })?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks::spawn(&tasks, "nats-inbox", route_answers(inbox, Arc::clone(&replies), stop.clone()));
        tasks::spawn(&tasks, "nats-state", watch_state(client.clone(), Arc::clone(&signals), stop.clone()));
        let inner = Arc::new(Inner { client, options, signals, replies, tasks, stop });
        Ok(Self { inner })
    }

    /// Makes sure that the server now connected to is new enough.
    ///
    /// # Errors
    /// [`ConnectError::TooOld`].
    pub fn check_server(&self) -> Result<(), ConnectError> {
        connect::check_version(&self.inner.client, &self.inner.options)
    }

    /// Makes sure that the server, or the domain named in the options, has JetStream for this user.
    ///
    /// # Errors
    /// [`ConnectError::NoJetStream`] with the server's own words.
    pub async fn check_jetstream(&self, deadline: Duration) -> Result<(), ConnectError> {
        let answer = self.request(&format!("{}.INFO", self.js_api()), bytes::Bytes::new(), deadline).await;
        let why = match answer {
            Ok(answer) => match crate::jetstream_api::error_in(&answer) {
                None => return Ok(()),
                Some(error) => error.to_string(),
            },
            Err(crate::RequestError::NoResponders { .. }) => "nobody answers for it".to_owned(),
            Err(error) => error.to_string(),
        };
        let domain = self.js_domain().map_or(String::new(), |domain| format!(" in domain {domain:?}"));
        Err(ConnectError::NoJetStream { servers: self.shown_servers(), domain, why })
    }

    /// Makes the connection anew, with the credentials that count now; subscriptions stay. True when that is done; false where it
    /// is not within `within`, and goes on.
    pub async fn reconnect(&self, within: Duration) -> bool {
        let client = &self.inner.client;
        let before = client.server_info().client_id;
        // It fails only when the connection was closed.
        let _ = client.force_reconnect().await;
        // What is sent before the old connection is gone goes with it, so nobody may subscribe until then.
        let done = async {
            while client.server_info().client_id == before || !self.is_connected() {
                tokio::time::sleep(RECONNECT_LOOK).await;
            }
        };
        tokio::time::timeout(within, done).await.is_ok()
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.inner.signals.connected.borrow()
    }

    /// Tells when the connection is lost and when it is back.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.inner.signals.connected.subscribe()
    }

    /// What the server refuses this user from now on; the last 4096 are kept for a slow listener.
    #[must_use]
    pub fn violations(&self) -> broadcast::Receiver<Violation> {
        self.inner.signals.violations.subscribe()
    }

    /// The most that one message may hold, in bytes, as the server now connected to says: it may change with each
    /// connect, so it is never kept.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.inner.client.max_payload()
    }

    /// Version of the server now connected to.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.inner.client.server_info().version
    }

    /// True if the server now connected to asks nobody who he is: whoever reaches it steers the lattice.
    #[must_use]
    pub fn is_open_to_anybody(&self) -> bool {
        let info = self.inner.client.server_info();
        // Before the first connect nothing is known.
        !info.server_id.is_empty() && !info.auth_required
    }

    /// The underlying client, for what this crate does not cover.
    #[must_use]
    pub fn client(&self) -> &async_nats::Client {
        &self.inner.client
    }

    /// JetStream in the domain of the options, with a time limit of 5 s for each request.
    #[must_use]
    pub fn jetstream(&self) -> jetstream::Context {
        let client = self.inner.client.clone();
        let mut context = match self.js_domain() {
            Some(domain) => jetstream::with_domain(client, domain),
            None => jetstream::new(client),
        };
        context.set_timeout(JETSTREAM_TIMEOUT);
        context
    }

    /// The JetStream domain of the options.
    #[must_use]
    pub fn js_domain(&self) -> Option<&str> {
        self.inner.options.js_domain.as_deref()
    }

    /// What this process takes for the time of day.
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        self.inner.options.wall_clock
    }

    /// The servers of the options, without passwords, for messages.
    #[must_use]
    pub fn shown_servers(&self) -> String {
        self.inner.options.shown()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn waiting_requests(&self) -> usize {
        self.inner.replies.waiting()
    }

    /// Sends what is still to be sent, waits for this connection's tasks, and ends it.
    pub async fn close(&self) {
        if self.is_connected() {
            // Both only fail when the connection is gone, which is what we want.
            let _ = tokio::time::timeout(FLUSH_WITHIN, self.inner.client.flush()).await;
        }
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let _ = tokio::time::timeout(FLUSH_WITHIN, self.inner.client.drain()).await;
    }

    /// What keeps refusals and answers apart.
    pub(crate) fn fences(&self) -> &Fences {
        &self.inner.signals.fences
    }

    pub(crate) fn replies(&self) -> &Arc<Replies> {
        &self.inner.replies
    }

    /// The prefix of JetStream's own subjects, of the domain in the options.
    #[must_use]
    pub fn js_api(&self) -> String {
        match self.js_domain() {
            Some(domain) => format!("$JS.{domain}.API"),
            None => "$JS.API".to_owned(),
        }
    }
}

/// Empties the inbox; never waits for anybody.
async fn route_answers(mut inbox: async_nats::Subscriber, replies: Arc<Replies>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            message = inbox.next() => match message {
                Some(message) => replies.route(message),
                None => return,
            },
        }
    }
}

/// Events of the connection can be dropped when many come at once, so what they say is compared with the client's
/// own state once a second.
async fn watch_state(client: async_nats::Client, signals: Arc<Signals>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {
                signals.set_connected(client.connection_state() == async_nats::connection::State::Connected);
            }
        }
    }
}
