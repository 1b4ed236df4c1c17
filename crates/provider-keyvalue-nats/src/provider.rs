//! The provider: its links, found by who calls under which name.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext, LinkTable, Provider, ProviderContext, ProviderLink, Serves,
    config::{ConfigError, check_keys},
    keyvalue::{Keyvalue, KeyvalueError},
};
use lattice_core::{Contract, Direction, LatticeName, LinkKey, State};
use lattice_nats::Connection;
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{bucket::Bucket, config::LinkConfig, increment::Increments, link::Link, list::Listings};

const fn serves(interface: &'static str) -> Serves {
    Serves { namespace: "wasi", package: "keyvalue", interface, direction: Direction::ToProvider }
}
const SERVES: &[Serves] = &[serves("store"), serves("atomics"), serves("batch")];

/// The key-value provider on NATS JetStream. Dropping it breaks off what is under way.
pub struct KeyvalueNats {
    inner: Arc<Inner>,
    _life: DropGuard,
}

pub(crate) struct Inner {
    ctx: ProviderContext,
    conn: Connection,
    lattice: LatticeName,
    pub(crate) increments: Increments,
    pub(crate) listings: Listings,
    life: CancellationToken,
    /// Operations under way.
    under_way: TaskTracker,
    links: LinkTable<Link>,
}

/// A bucket that an operation may use, and the note that one does.
pub(crate) struct Entered {
    pub(crate) bucket: Bucket,
    _counted: TaskTrackerToken,
}

impl KeyvalueNats {
    /// Makes the provider on the NATS of `conn`. `lattice` names the bucket of links that name none.
    ///
    /// # Errors
    /// [`ConfigError`] for any configuration of the provider's own: all of it belongs to links.
    pub fn new(
        ctx: ProviderContext,
        conn: Connection,
        lattice: LatticeName,
    ) -> Result<Arc<Self>, ConfigError> {
        check_keys(&ctx.config, &[])?;
        let life = ctx.cancel.child_token();
        let increments = Increments::new(ctx.tasks.clone(), life.clone());
        let (under_way, links) = (TaskTracker::new(), LinkTable::new(&ctx, Contract::keyvalue()));
        let listings = Listings::default();
        let inner = Inner { ctx, conn, lattice, increments, listings, life: life.clone(), under_way, links };
        Ok(Arc::new(Self { inner: Arc::new(inner), _life: life.drop_guard() }))
    }
}

#[async_trait]
impl Provider for KeyvalueNats {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        let inner = &self.inner;
        let made = match inner.link(&link) {
            Ok(made) => made,
            Err(why) => {
                inner.replace(&link.key, None);
                return inner.links.tell(&link.key, None, State::Failed(why));
            }
        };
        let state = made.first_state().await;
        inner.replace(&link.key, Some(made.clone()));
        inner.links.tell(&link.key, Some(&made), state.clone());
        let (weak, key, conn) = (Arc::downgrade(inner), link.key, inner.conn.clone());
        inner.ctx.tasks.spawn(async move {
            let of = made.clone();
            let tell = |state| {
                if let Some(inner) = weak.upgrade() {
                    inner.links.tell(&key, Some(&of), state);
                }
            };
            made.watch(conn, state, tell).await;
        });
    }

    async fn delete_link(&self, link: &LinkKey) {
        ended(self.inner.links.forget(link));
    }

    async fn stop(&self, deadline: Instant) {
        ended(self.inner.links.stop());
        self.inner.under_way.close();
        let ended = tokio::time::timeout_at(deadline, self.inner.under_way.wait()).await;
        tracing::debug!(in_time = ended.is_ok(), "key-value operations have ended");
        self.inner.life.cancel();
    }

    fn keyvalue(&self) -> Option<Arc<dyn Keyvalue>> {
        Some(self.inner.clone())
    }
}

impl Inner {
    /// The bucket that a caller's link calls `bucket`.
    pub(crate) fn enter(&self, call: &CallContext, bucket: &str) -> Result<Entered, KeyvalueError> {
        let counted = self.under_way.token();
        let found = self.links.find(call, |link| link.bucket(bucket).cloned())?;
        let missing = || KeyvalueError::NoSuchStore { bucket: bucket.chars().take(128).collect() };
        Ok(Entered { bucket: found.ok_or_else(missing)?, _counted: counted })
    }

    /// What serves a link, or why it cannot be served.
    fn link(&self, link: &ProviderLink) -> Result<Arc<Link>, String> {
        self.links.accepts(link, "a key-value store")?;
        let config = LinkConfig::read(&link.config, &self.lattice).map_err(|error| error.to_string())?;
        Ok(Link::new(config, &self.conn, self.life.child_token()))
    }

    fn replace(&self, key: &LinkKey, link: Option<Arc<Link>>) {
        ended(self.links.put(key, link));
    }
}

/// Ends what serves no more.
fn ended(links: impl IntoIterator<Item = Arc<Link>>) {
    links.into_iter().for_each(|link| link.ends.cancel());
}
