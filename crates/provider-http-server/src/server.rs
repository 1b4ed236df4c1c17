//! The provider as the host sees it.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use lattice_contracts::{Provider, ProviderContext, ProviderLink, Serves, config::ConfigError};
use lattice_core::{Direction, LinkKey};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::table::{INTERFACE, Inner};

/// How long connections that were broken off may take to end: they do at their next step.
const KILL_GRACE: Duration = Duration::from_secs(1);
const SERVES: &[Serves] =
    &[Serves { namespace: "wasi", package: "http", interface: INTERFACE, direction: Direction::ToActor }];

/// The HTTP server provider. Dropping it ends its listeners and connections at once.
pub struct HttpServer {
    inner: Arc<Inner>,
    _life: DropGuard,
}

impl HttpServer {
    /// Makes the provider; it listens nowhere until it has a link.
    ///
    /// # Errors
    /// [`ConfigError`] when the provider's own configuration has an unknown key or an unusable value.
    pub fn new(ctx: ProviderContext) -> Result<Arc<Self>, ConfigError> {
        let inner = Inner::new(ctx)?;
        let life = inner.life.clone().drop_guard();
        Ok(Arc::new(Self { inner: Arc::new(inner), _life: life }))
    }

    /// The address at which a link is served: that of its configuration, with the port the system chose where that is 0.
    /// `None` while the address is not bound.
    #[must_use]
    pub fn local_address(&self, link: &LinkKey) -> Option<SocketAddr> {
        self.inner.local_address(link)
    }
}

#[async_trait]
impl Provider for HttpServer {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        let key = link.key.clone();
        let route = self.inner.route(link);
        let leaving = self.inner.enter(key.clone(), route);
        // An address that is left is free before the next is taken: they may be the same port of the same machine.
        if let Some(leaving) = leaving {
            leaving.closed.cancelled().await;
        }
        self.inner.settle(&key);
    }

    async fn delete_link(&self, link: &LinkKey) {
        if let Some(leaving) = self.inner.leave(link) {
            leaving.closed.cancelled().await;
        }
    }

    async fn stop(&self, deadline: Instant) {
        let listeners = self.inner.drain_all();
        let done = || join_all(listeners.iter().map(|listener| listener.done.cancelled()));
        if tokio::time::timeout_at(deadline, done()).await.is_ok() {
            return;
        }
        listeners.iter().for_each(|listener| listener.ends.kill.cancel());
        if tokio::time::timeout(KILL_GRACE, done()).await.is_err() {
            let left = listeners.iter().filter(|listener| !listener.done.is_cancelled());
            let tasks: usize = left.map(|listener| listener.connections.len()).sum();
            tracing::error!(
                tasks,
                "connections are still being served after they were broken off; they are given up"
            );
        }
    }
}
