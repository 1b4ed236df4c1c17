//! How many control requests are taken at once, how many are refused at once, and what is counted of the rest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// How often at most a flood of dropped requests is logged.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// What may become of a request. A permit is held until the request is done with.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is served.
    Serve(OwnedSemaphorePermit),
    /// It is told that the host is busy.
    Refuse(OwnedSemaphorePermit),
    /// Not even that: its asker runs into its own time limit.
    Drop,
}

/// The permits of one control server.
pub(crate) struct Gate {
    serving: Arc<Semaphore>,
    refusing: Arc<Semaphore>,
}

impl Gate {
    /// Lets `serving_max` requests be served and `refusing_max` be refused at once.
    pub(crate) fn new(serving_max: usize, refusing_max: usize) -> Self {
        let (serving, refusing) = (Semaphore::new(serving_max), Semaphore::new(refusing_max));
        Self { serving: Arc::new(serving), refusing: Arc::new(refusing) }
    }

    /// Never waits.
    pub(crate) fn admit(&self) -> Admission {
        let take = |permits: &Arc<Semaphore>| Arc::clone(permits).try_acquire_owned().ok();
        match take(&self.serving) {
            Some(permit) => Admission::Serve(permit),
            None => take(&self.refusing).map_or(Admission::Drop, Admission::Refuse),
        }
    }
}

/// What one control server has counted since it started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    dropped: AtomicU64,
    panicked: AtomicU64,
    turned_away: AtomicU64,
}

impl Counters {
    /// Counts a dropped request, and gives back how many there were.
    pub(crate) fn count_dropped(&self) -> u64 {
        self.dropped.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a request that broke its handler, and gives back how many there were.
    pub(crate) fn count_panicked(&self) -> u64 {
        self.panicked.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a request with a reply subject that nobody answers, and gives back how many there were.
    pub(crate) fn count_turned_away(&self) -> u64 {
        self.turned_away.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn read(&self) -> ControlCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (dropped, panicked) = (read(&self.dropped), read(&self.panicked));
        ControlCounts { dropped, panicked, turned_away: read(&self.turned_away) }
    }
}

/// What a [`ControlServer`](crate::ControlServer) has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlCounts {
    /// Requests that were neither served nor answered, because too many others were.
    pub dropped: u64,
    /// Requests whose handler panicked; their askers were told of an internal error.
    pub panicked: u64,
    /// Requests whose reply subject is no inbox.
    pub turned_away: u64,
}

/// Lets a line pass at once, and further ones not before a second is over.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
}

impl Pace {
    pub(crate) fn passes(&mut self, now: Instant) -> bool {
        let passes = self.last.is_none_or(|last| now.duration_since(last) >= WARN_EVERY);
        if passes {
            self.last = Some(now);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_those_served_some_are_refused_and_the_rest_is_dropped() {
        let gate = Gate::new(2, 1);
        let (first, _second) = (gate.admit(), gate.admit());
        assert!(matches!(first, Admission::Serve(_)));
        let refused = gate.admit();
        assert!(matches!(refused, Admission::Refuse(_)));
        assert!(matches!(gate.admit(), Admission::Drop));
        drop(refused);
        assert!(matches!(gate.admit(), Admission::Refuse(_)));
        drop(first);
        assert!(matches!(gate.admit(), Admission::Serve(_)));
    }

    #[test]
    fn a_flood_is_logged_once_a_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let passed = (0..3000).filter(|ms| pace.passes(start + Duration::from_millis(*ms))).count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn counts_add_up() {
        let counters = Counters::default();
        assert_eq!(
            (counters.count_dropped(), counters.count_dropped(), counters.count_panicked()),
            (1, 2, 1)
        );
        assert_eq!(counters.count_turned_away(), 1);
        assert_eq!(counters.read(), ControlCounts { dropped: 2, panicked: 1, turned_away: 1 });
    }
}
