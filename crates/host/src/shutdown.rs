//! Stopping in order: nothing new, then what is in flight, then what it leans on, then the goodbye.

use std::time::Duration;

use lattice_control_interface::events::HostStopped;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{providers::ProviderView, startup::Parts};

/// Stops everything, at most `patience` for calls in flight. Repeating it does nothing more.
///
/// Servers go first: they take no new requests while those in flight still find actors and stores. Then actors, then
/// the other providers, which actors may have needed until their last line.
pub(crate) async fn stop(parts: Parts, patience: Duration) {
    let deadline = Instant::now() + patience;
    info!(?patience, "host is stopping");
    parts.control.stop().await;
    let servers = |view: &ProviderView| parts.builtins.calls_actors(&view.spec.image);
    let (first, last): (Vec<_>, Vec<_>) = parts.builtins.table.list().into_iter().partition(servers);
    stop_providers(&parts, first, deadline).await;
    parts.crew.stop_all(deadline).await;
    stop_providers(&parts, last, deadline).await;
    parts.events.publish(&HostStopped { labels: parts.about.labels() });
    if !parts.tasks.stop(Duration::from_secs(2)).await {
        warn!("some tasks did not stop in time");
    }
    parts.lattice.close().await;
    parts.events.close(Duration::from_secs(2)).await;
    parts.connection.close().await;
    info!("host stopped");
}

/// Providers have their own patience; the host's, where it is shorter, wins.
async fn stop_providers(parts: &Parts, views: Vec<ProviderView>, deadline: Instant) {
    let stops = views.iter().map(|view| parts.builtins.table.stop(&view.spec.id));
    // One that is gone already is what was wanted.
    if tokio::time::timeout_at(deadline, futures::future::join_all(stops)).await.is_err() {
        warn!("some providers did not stop in time");
    }
}
