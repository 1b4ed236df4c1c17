//! Counts of an actor's calls.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Trap,
    Deadline,
    Overloaded,
    Cancelled,
    Failed,
}

/// The counters; one addition a call.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    in_flight: AtomicU64,
    ok: AtomicU64,
    trap: AtomicU64,
    deadline: AtomicU64,
    overloaded: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    /// A call has its permit.
    pub(crate) fn entered(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that had its permit is over. Who sees that sees how it ended, too.
    pub(crate) fn left(&self) {
        self.in_flight.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Ok => &self.ok,
            Outcome::Trap => &self.trap,
            Outcome::Deadline => &self.deadline,
            Outcome::Overloaded => &self.overloaded,
            Outcome::Cancelled => &self.cancelled,
            Outcome::Failed => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, concurrency: u32, waiting: u32) -> ActorStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let in_flight = self.in_flight.load(Ordering::Acquire);
        ActorStats {
            concurrency,
            waiting,
            in_flight,
            ok: read(&self.ok),
            trap: read(&self.trap),
            deadline: read(&self.deadline),
            overloaded: read(&self.overloaded),
            cancelled: read(&self.cancelled),
            failed: read(&self.failed),
        }
    }
}

/// How an actor stands, and how its calls have ended since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActorStats {
    /// How many calls it may serve at once.
    pub concurrency: u32,
    /// Calls waiting for a permit.
    pub waiting: u32,
    /// Calls being served, bodies included.
    pub in_flight: u64,
    /// Calls that ended well.
    pub ok: u64,
    /// Calls whose guest trapped.
    pub trap: u64,
    /// Calls that ran out of wall or processor time, waiting included.
    pub deadline: u64,
    /// Calls that were refused, since everything was full.
    pub overloaded: u64,
    /// Calls whose caller went away, or that were broken off when the actor stopped.
    pub cancelled: u64,
    /// Calls that ended without a response for other reasons.
    pub failed: u64,
}
