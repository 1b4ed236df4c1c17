//! What the windows of one connection may come to together.

use std::sync::atomic::{AtomicU64, Ordering};

use super::window::WINDOW;

/// What each call may have on the way however many there are, in bytes.
const WINDOW_MIN: u64 = 1024;
/// What all calls of a connection share beyond that, in bytes.
const SHARED: u64 = 8 * 1024 * 1024;

/// What the windows of one connection share.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: AtomicU64::new(SHARED) }
    }
}

impl Budget {
    /// A window for a new call: its own 1 KiB, and an eighth of what is left, up to [`WINDOW`].
    pub(crate) fn open(&self) -> u64 {
        WINDOW_MIN + self.share(WINDOW - WINDOW_MIN)
    }

    /// How much wider a window of `have` bytes may become now.
    pub(crate) fn widen(&self, have: u64) -> u64 {
        self.share(WINDOW.saturating_sub(have))
    }

    /// Gives a window back.
    pub(crate) fn close(&self, have: u64) {
        self.left.fetch_add(have.saturating_sub(WINDOW_MIN), Ordering::Relaxed);
    }

    fn share(&self, want: u64) -> u64 {
        if want == 0 {
            return 0;
        }
        let given = |left: u64| want.min(left / 8);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - given(left)))
            .map_or(0, given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_windows_of_a_connection_stay_within_16_mib() {
        let budget = Budget::default();
        // As many as can be made, and as many as can be served.
        let mut windows: Vec<u64> = (0..8192).map(|_| budget.open()).collect();
        assert_eq!(windows[0], WINDOW);
        assert!(windows.iter().all(|window| (WINDOW_MIN..=WINDOW).contains(window)));
        assert!(windows.iter().sum::<u64>() <= 16 << 20);
        for window in windows.drain(1..) {
            budget.close(window);
        }
        let narrow = WINDOW_MIN;
        assert_eq!(narrow + budget.widen(narrow), WINDOW);
        budget.close(WINDOW);
        budget.close(WINDOW);
        assert_eq!(budget.left.load(Ordering::Relaxed), SHARED);
    }
}
