//! Stopping in order: nothing new, then what is in flight, then what it leans on, then the goodbye.

use std::{sync::Arc, time::Duration};

use lattice_control_interface::events::HostStopped;
use lattice_nats::Connection;
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use crate::{
    about::About,
    actors::Crew,
    calls::Lines,
    ctl::ControlTask,
    events::Events,
    identity::Identity,
    lattice::Lattice,
    presence::Presence,
    providers::{Builtins, ProviderView},
    supervisor::Tasks,
};

/// What has to be stopped, in the hands of whoever stops it.
pub(crate) struct Parts {
    pub(crate) about: Arc<About>,
    pub(crate) control: ControlTask,
    pub(crate) presence: Presence,
    pub(crate) lines: Lines,
    pub(crate) crew: Crew,
    pub(crate) builtins: Builtins,
    pub(crate) lattice: Lattice,
    pub(crate) events: Events,
    pub(crate) tasks: Tasks,
    pub(crate) connection: Connection,
    /// Dropped last: while it lives, no other host takes this one's key.
    pub(crate) _identity: Arc<Identity>,
}

/// Asks the host to stop; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StopRequest(watch::Sender<Option<(String, Option<Duration>)>>);

impl StopRequest {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Asks; `patience` for calls in flight replaces the host's own. The first one to ask is heard.
    pub(crate) fn ask(&self, why: impl Into<String>, patience: Option<Duration>) {
        let why = why.into();
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert((why, patience));
            first
        });
    }

    pub(crate) async fn asked(&self) -> (String, Option<Duration>) {
        let mut listen = self.0.subscribe();
        match listen.wait_for(Option::is_some).await {
            Ok(asked) => asked.clone().unwrap_or_default(),
            // The sender lives as long as `self`.
            Err(_) => std::future::pending().await,
        }
    }
}

/// What providers may take beyond the deadline of calls in flight.
const PROVIDER_GRACE: Duration = Duration::from_secs(5);

/// Stops everything, at most `patience` for calls in flight. Repeating it does nothing more.
///
/// Calls from outside go elsewhere from the first moment; those that came are served. Servers go first: they take no new
/// requests while those in flight still find actors and stores. Then actors, then the other providers, which actors may
/// have needed until their last line.
pub(crate) async fn stop(parts: Parts, patience: Duration) {
    let deadline = Instant::now() + patience;
    info!(?patience, "host is stopping");
    // What is being started is given up: a start that ends now would find nobody to stop it.
    parts.tasks.close();
    parts.presence.leave().await;
    parts.lines.withdraw().await;
    parts.control.stop().await;
    let servers = |view: &ProviderView| parts.builtins.calls_actors(view);
    let (first, last): (Vec<_>, Vec<_>) = parts.builtins.table.list().into_iter().partition(servers);
    stop_providers(&parts, first, deadline).await;
    parts.crew.stop_all(deadline).await;
    parts.lines.finish(deadline).await;
    stop_providers(&parts, last, deadline).await;
    parts.events.publish(&HostStopped { labels: parts.about.labels() });
    if !parts.tasks.stop(Duration::from_secs(2)).await {
        warn!("some tasks did not stop in time");
    }
    parts.lattice.delete_host().await;
    parts.lattice.close().await;
    parts.lines.close().await;
    parts.events.close(Duration::from_secs(2)).await;
    parts.connection.close().await;
    info!("host stopped");
}

async fn stop_providers(parts: &Parts, views: Vec<ProviderView>, deadline: Instant) {
    let stops = views.iter().map(|view| parts.builtins.table.stop(&view.spec.id, deadline));
    // One that is gone already is what was wanted.
    if tokio::time::timeout_at(deadline + PROVIDER_GRACE, futures::future::join_all(stops)).await.is_err() {
        warn!("some providers did not stop in time");
    }
}
