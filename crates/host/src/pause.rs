//! Growing pauses between attempts, cut short when the host stops.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

/// 1 s, 2 s, 4 s and so on up to 30 s.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// How long the next one is.
    pub(crate) fn next(&self) -> Duration {
        self.0
    }

    /// The next one, which makes the one after it longer.
    pub(crate) fn take(&mut self) -> Duration {
        let longer = (self.0 * 2).min(MAX);
        std::mem::replace(&mut self.0, longer)
    }

    /// Waits; breaks if the host stops meanwhile.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> ControlFlow<()> {
        match stop.run_until_cancelled(sleep(self.take())).await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_grow_and_a_stop_cuts_them_short() {
        let mut pause = Pause::new();
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(pause.next(), Duration::from_secs(seconds));
            assert_eq!(pause.take(), Duration::from_secs(seconds));
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let waited = tokio::time::timeout(Duration::from_secs(20), pause.wait(&stop)).await;
        assert!(waited.is_ok_and(|flow| flow.is_break()));
    }
}
