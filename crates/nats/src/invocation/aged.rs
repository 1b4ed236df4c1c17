//! A subscription whose owner knows what waited in it while this process was frozen.

use std::sync::Arc;

use async_nats::Message;
use futures::FutureExt as _;
use tokio::{sync::watch, time::Instant};

use super::{Calls, pulse::Pulse};
use crate::Subscription;

/// Knows when the process of a connection was frozen: what [`ControlServer::serve_on`](crate::ControlServer::serve_on) wants, to tell
/// requests that waited meanwhile from others. The [`Calls`] has to live as long: without its clock everything is stale.
#[derive(Debug, Clone)]
pub struct Thaws(Arc<Pulse>);

impl Calls {
    /// When this process was frozen, as seen on this connection.
    #[must_use]
    pub fn thaws(&self) -> Thaws {
        Thaws::of(&self.inner.shared.pulse)
    }
}

impl Thaws {
    pub(crate) fn of(pulse: &Arc<Pulse>) -> Self {
        Self(Arc::clone(pulse))
    }
}

/// A subscription, and up to where what came of it is fresh.
pub(crate) struct Aged {
    pub(crate) subscription: Subscription,
    pulse: Arc<Pulse>,
    marked: watch::Receiver<u64>,
    /// The last thaw after which all that had waited is known to be taken.
    fresh: u64,
}

impl Aged {
    /// A new subscription: what comes on it has not waited.
    pub(crate) fn new(subscription: Subscription, thaws: &Thaws) -> Self {
        let pulse = Arc::clone(&thaws.0);
        let (marked, fresh) = (pulse.marked(), pulse.thaws(Instant::now()));
        Self { subscription, pulse, marked, fresh }
    }

    /// What has come already; `None` if nothing has, and `Some(None)` at the end. Outside of the runtime's turn-taking: what looks
    /// empty has to be empty.
    pub(crate) fn ready(&mut self) -> Option<Option<Message>> {
        tokio::task::unconstrained(self.subscription.next()).now_or_never()
    }

    /// The next message; `None` at the end. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(next) = self.ready() {
                return next;
            }
            // Read before the look that finds nothing: all that had waited before the mark came back is taken then.
            let marked = *self.marked.borrow_and_update();
            if let Some(next) = self.ready() {
                return next;
            }
            self.fresh = self.fresh.max(marked);
            tokio::select! {
                biased;
                next = self.subscription.next() => return next,
                _ = self.marked.changed() => {}
            }
        }
    }

    /// Whether the message that was taken last waited while this process was frozen; nobody knows for how long.
    pub(crate) fn is_stale(&self) -> bool {
        self.pulse.thaws(Instant::now()) > self.fresh
    }
}
