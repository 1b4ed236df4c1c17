//! "Something changed": one level-triggered signal that wakes whoever derives state from state.

use tokio::sync::watch;

/// Tells that something changed. Cheap to clone; telling never blocks, and many changes may wake a listener once.
#[derive(Debug, Clone)]
pub(crate) struct Changed(watch::Sender<u64>);

impl Changed {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Wakes every listener.
    pub(crate) fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A listener that has not heard anything yet: its first wait ends at once only after a change.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
