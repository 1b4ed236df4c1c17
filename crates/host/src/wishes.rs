//! Signals that ask the process to stop, heard from one place for all of its lives: one that comes between two is not lost.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tracing::warn;

/// Signals this close together are one wish to stop: a terminal and a supervisor often send one each.
const ONE_WISH: Duration = Duration::from_millis(200);

/// SIGINT and SIGTERM. From [`Wishes::listen`] on they end the process no longer by themselves.
#[derive(Debug)]
pub struct Wishes {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Wishes {
    /// Begins to listen. Where the system refuses that, which the log says, the signal does what it always does.
    #[must_use]
    pub fn listen() -> Self {
        let listen =
            |kind| signal(kind).inspect_err(|error| warn!(%error, "cannot listen for a signal")).ok();
        Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    /// The name of the next signal, or of one that came since the last was heard. Cancel-safe.
    pub(crate) async fn heard(&mut self) -> &'static str {
        let Self { interrupt, terminate } = self;
        tokio::select! {
            () = next(interrupt) => "SIGINT",
            () = next(terminate) => "SIGTERM",
        }
    }

    /// As [`Wishes::heard`], for whoever has heard one just now: those that belong to it do not count.
    pub(crate) async fn heard_again(&mut self) -> &'static str {
        let from = Instant::now() + ONE_WISH;
        loop {
            let name = self.heard().await;
            if Instant::now() >= from {
                return name;
            }
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}
