//! Whether this host reaches its lattice. Without NATS it serves what it runs, and says so: in its log at once, and to the
//! lattice when that is back.

use std::{sync::Arc, time::Duration};

use lattice_nats::{Connection, WallClock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    about::{About, human_seconds},
    health::{Cause, Health},
};

/// Shorter absences are no news for an operator.
const WORTH_A_NOTICE: Duration = Duration::from_secs(1);

/// Since when the lattice is away, where it is.
#[derive(Debug, Default)]
struct Reach(Option<Instant>);

/// How the way to the lattice changed.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It did not.
    Same,
    Lost,
    /// After so long.
    Back(Duration),
}

/// Follows the connection until stopped.
pub(crate) async fn follow(
    connection: Connection,
    about: Arc<About>,
    health: Health,
    stop: CancellationToken,
) {
    let (mut connected, mut reach) = (connection.connected(), Reach::default());
    let server = &about.server;
    loop {
        let is_connected = *connected.borrow_and_update();
        if is_connected {
            health.met(connection.is_open_to_anybody(), server);
        }
        match reach.turn(is_connected, Instant::now()) {
            Turn::Same => {}
            Turn::Lost => health.set(Cause::NoLattice, Some(lost(server))),
            Turn::Back(away) => {
                info!(?away, server, "the lattice is back");
                if away >= WORTH_A_NOTICE {
                    health.note(Cause::NoLattice, was_away(away, server, connection.wall_clock()));
                }
                health.set(Cause::NoLattice, None);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            heard = connected.changed() => if heard.is_err() { return },
        }
    }
}

fn lost(server: &str) -> String {
    format!("no lattice: NATS at {server} cannot be reached; what runs here goes on serving")
}

fn was_away(away: Duration, server: &str, clock: WallClock) -> String {
    let (seconds, now) = (human_seconds(away.as_secs()), clock.now_rfc3339());
    format!("had no lattice for {seconds}, until {now}: NATS at {server} could not be reached")
}

impl Reach {
    /// Takes in whether there is a connection.
    fn turn(&mut self, connected: bool, now: Instant) -> Turn {
        match (connected, self.0) {
            (true, Some(since)) => {
                self.0 = None;
                Turn::Back(now.saturating_duration_since(since))
            }
            (false, None) => {
                self.0 = Some(now);
                Turn::Lost
            }
            _ => Turn::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_and_back() {
        let (start, mut reach) = (Instant::now(), Reach::default());
        assert_eq!(reach.turn(true, start), Turn::Same);
        assert_eq!((reach.turn(false, start), reach.turn(false, start)), (Turn::Lost, Turn::Same));
        let back = start + Duration::from_secs(61);
        assert_eq!(reach.turn(true, back), Turn::Back(Duration::from_secs(61)));
        assert_eq!(reach.turn(true, back), Turn::Same);
        assert!(lost("s:1").starts_with("no lattice: NATS at s:1"));
        let told = was_away(Duration::from_secs(61), "s:1", WallClock::default());
        assert!(told.starts_with("had no lattice for 1 minute, 1 second, until 2"), "{told}");
    }
}
