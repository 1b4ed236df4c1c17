//! Whether this host reaches its lattice. Without NATS it serves what it runs, and says so: in its log at once, and to the
//! lattice when that is back.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use lattice_control_interface::events::HostStateChanged;
use lattice_core::State;
use lattice_nats::{Connection, now_rfc3339};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    about::{About, human_seconds},
    events::Events,
};

/// Shorter absences are no news for an operator.
const WORTH_A_NOTICE: Duration = Duration::from_secs(1);

/// What is known of the way to the lattice; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Since when the lattice is away, and why that is so.
    away: Option<(Instant, String)>,
    /// The last time it was.
    notice: Option<String>,
    /// Whether NATS asks nobody who he is; none before there was a connection.
    open: Option<bool>,
}

impl Reach {
    /// The host's own state.
    pub(crate) fn state(&self) -> State {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.away.as_ref().map_or(State::Ready, |(_, why)| State::Degraded(why.clone()))
    }

    /// The last time the lattice was away, where there was one worth telling.
    pub(crate) fn notice(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).notice.clone()
    }

    /// Whether NATS asks nobody who he is, so that whoever reaches it steers the lattice; none before there was a connection.
    pub(crate) fn is_open(&self) -> Option<bool> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).open
    }

    /// Follows the connection until stopped.
    pub(crate) async fn keep(
        self,
        connection: Connection,
        about: Arc<About>,
        events: Events,
        stop: CancellationToken,
    ) {
        let mut connected = connection.connected();
        loop {
            let is_connected = *connected.borrow_and_update();
            if is_connected {
                self.met(connection.is_open_to_anybody(), &about.server);
            }
            if self.turn(is_connected, &about.server, Instant::now()) {
                let (host_id, state) = (about.id.clone(), self.state());
                // Without a connection the event waits until there is one; its time tells when it was.
                events.publish(&HostStateChanged { host_id, state });
            }
            tokio::select! {
                () = stop.cancelled() => return,
                heard = connected.changed() => if heard.is_err() { return },
            }
        }
    }

    /// Takes in what kind of server it is: after each connect, since it may have become another.
    fn met(&self, open: bool, server: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if open && known.open != Some(true) {
            warn!(
                server,
                "open lattice: NATS asks nobody for credentials, so whoever reaches it steers the lattice"
            );
        }
        known.open = Some(open);
    }

    /// Takes in whether there is a connection; true if that is news.
    fn turn(&self, connected: bool, server: &str, now: Instant) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match (connected, known.away.take()) {
            (true, Some((since, _))) => {
                let away = now.saturating_duration_since(since);
                if away >= WORTH_A_NOTICE {
                    let seconds = human_seconds(away.as_secs());
                    known.notice = Some(format!(
                        "had no lattice for {seconds}, until {}: NATS at {server} could not be reached",
                        now_rfc3339()
                    ));
                }
                info!(?away, server, "the lattice is back");
                true
            }
            (false, None) => {
                let why =
                    format!("no lattice: NATS at {server} cannot be reached; what runs here goes on serving");
                warn!("degraded: {why}");
                known.away = Some((now, why));
                true
            }
            (_, away) => {
                known.away = away;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_and_back() {
        let start = Instant::now();
        let reach = Reach::default();
        assert!(!reach.turn(true, "s:1", start) && reach.state() == State::Ready);
        assert!(reach.turn(false, "s:1", start) && !reach.turn(false, "s:1", start));
        assert!(reach.state().to_string().starts_with("degraded: no lattice: NATS at s:1"));
        let back = start + Duration::from_secs(61);
        assert!(reach.turn(true, "s:1", back) && reach.state() == State::Ready);
        assert_eq!(reach.is_open(), None);
        reach.met(true, "s:1");
        assert_eq!(reach.is_open(), Some(true));
        assert!(reach.notice().unwrap().starts_with("had no lattice for 1 minute, 1 second, until 2"));
    }
}
