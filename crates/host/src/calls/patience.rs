//! How long a call waits at one full place before it looks around again: somewhere else a call may have ended first.

use std::time::Duration;

/// The first wait. Whoever looks again loses his place in the queue, so this is no shorter than calls usually take.
const FIRST: Duration = Duration::from_millis(100);
/// The longest one: a thousand waiting calls look around a thousand times a second then, not more.
const LONGEST: Duration = Duration::from_secs(1);

/// The waits of one call, each twice as long as the one before, up to a second.
#[derive(Debug)]
pub(crate) struct Patience {
    next: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait this time.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_second() {
        let mut patience = Patience::new();
        let waits: Vec<u128> = (0..6).map(|_| patience.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
    }
}
