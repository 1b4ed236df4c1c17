//! One link: its buckets, opened when they can be, and its state, told whenever it changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lattice_core::State;
use lattice_nats::Connection;
use tokio_util::sync::CancellationToken;

use crate::{
    bucket::Bucket,
    config::{DEFAULT, LinkConfig},
};

/// Between two attempts to open what cannot be opened, or two looks whether all is still there.
const AGAIN_FAILED: Duration = Duration::from_secs(1);
const AGAIN_READY: Duration = Duration::from_secs(10);
/// The longest that making a link waits for its buckets; what is not there by then comes later.
const FIRST_WITHIN: Duration = Duration::from_secs(3);

/// A link that is served.
pub(crate) struct Link {
    buckets: BTreeMap<String, Bucket>,
    config: LinkConfig,
    /// Ends the link's task.
    pub(crate) ends: CancellationToken,
}

impl Link {
    pub(crate) fn new(config: LinkConfig, conn: &Connection, ends: CancellationToken) -> Arc<Self> {
        let named = config.buckets.iter();
        let buckets = named.map(|(name, bucket)| (name.clone(), Bucket::new(conn, bucket))).collect();
        Arc::new(Self { buckets, config, ends })
    }

    /// The bucket a guest calls `name`; the empty name is the default's.
    pub(crate) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(if name.is_empty() { DEFAULT } else { name })
    }

    /// The state after a first, short attempt.
    pub(crate) async fn first_state(&self) -> State {
        match tokio::time::timeout(FIRST_WITHIN, self.state()).await {
            Ok(state) => state,
            Err(_) => {
                State::Failed("NATS does not answer; the buckets are opened as soon as it does".to_owned())
            }
        }
    }

    async fn state(&self) -> State {
        for bucket in self.buckets.values() {
            if let Err(why) = bucket.ensure(self.config.create, self.config.replicas).await {
                return State::Failed(why);
            }
        }
        State::Ready
    }

    /// Keeps the state true until the link ends: a bucket that can be opened again is, one that went is made again.
    pub(crate) async fn watch(&self, conn: Connection, mut state: State, tell: impl Fn(State)) {
        let mut connected = conn.connected();
        loop {
            let pause = if state == State::Ready { AGAIN_READY } else { AGAIN_FAILED };
            tokio::select! {
                () = self.ends.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                // A connection that is closed for good has no more to tell; the pause alone goes on.
                Ok(()) = connected.changed() => {}
            }
            let now = tokio::select! {
                () = self.ends.cancelled() => return,
                now = self.state() => now,
            };
            if now != state {
                state = now.clone();
                tell(now);
            }
        }
    }
}
