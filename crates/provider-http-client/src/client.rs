//! The HTTP client of one link: its pool, its bounds. Links share nothing.

use std::{sync::Arc, time::Duration};

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioTimer,
};
use lattice_contracts::http::Body;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::LinkConfig,
    connect::Connector,
    resolve::{Judged, Resolve},
    trust::trust,
};

/// Short, so that connections nobody uses do not keep slots from those somebody needs.
const IDLE: Duration = Duration::from_secs(15);
const IDLE_PER_HOST: usize = 32;
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Client of one link.
pub(crate) type LinkClient = Client<Connector, Body>;

/// Runs what hyper spawns for connections: under the provider's tracker, until its end.
#[derive(Clone)]
pub(crate) struct Tracked {
    pub(crate) tasks: TaskTracker,
    pub(crate) life: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let life = self.life.clone();
        self.tasks.spawn(async move {
            // Dropping a connection's future closes the connection, which is what the end of a provider asks for.
            tokio::select! {
                _ = future => {}
                () = life.cancelled() => {}
            }
        });
    }
}

/// Makes the client a configuration asks for; the error is the reason for the link's state.
pub(crate) async fn build(
    config: &LinkConfig,
    resolver: Arc<dyn Resolve>,
    tracked: Tracked,
) -> Result<LinkClient, String> {
    let mut tcp = HttpConnector::new_with_resolver(Judged { resolver, allow_private: config.allow_private });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(trust(config.ca_file.as_deref()).await?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let connector = Connector { inner: https, slots, within: config.connect_timeout };
    let header_list = u32::try_from(HEADER_BYTES_MAX).expect("the constant is small");
    Ok(Client::builder(tracked)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .http1_max_buf_size(HEADER_BYTES_MAX)
        .http2_max_header_list_size(header_list)
        .build(connector))
}
