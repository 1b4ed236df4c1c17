//! Notices that this process was frozen, and until when what waits in its subscriptions is stale.
//!
//! A tick that comes more than a second late means that the process did not run. What was sent to it meanwhile waits in
//! its socket, and nobody knows for how long. A mark, a message to itself, comes back after all of that.
//!
//! The tick is a thread's: a runtime that has much to do is late as well, and that is no reason to refuse calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// How often the clocks of calls tick.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// A tick that comes so much too late means that nothing ran.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// Enough for the milliseconds of thirty years.
const MS_BITS: u32 = 40;
const MS_MASK: u64 = (1 << MS_BITS) - 1;

/// The pulse of one connection.
#[derive(Debug)]
pub(crate) struct Pulse {
    origin: Instant,
    /// The last tick in milliseconds since `origin`, in the lower [`MS_BITS`], and above that how often the process was
    /// thawed. In one, so that whoever sees the new tick sees the thaw as well.
    beats: AtomicU64,
    /// The last thaw whose mark came back.
    marked: watch::Sender<u64>,
}

impl Pulse {
    pub(crate) fn new(now: Instant) -> Self {
        Self { origin: now, beats: AtomicU64::new(0), marked: watch::Sender::new(0) }
    }

    /// Ticks in a thread of its own until what this returns is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<Ticking> {
        let (pulse, stopped) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&stopped);
        let ticking = move || {
            while !stopped.load(Ordering::Acquire) {
                pulse.tick(Instant::now());
                thread::park_timeout(TICK);
            }
        };
        let thread = thread::Builder::new().name("calls-pulse".to_owned()).spawn(ticking)?;
        Ok(Ticking { thread: thread.thread().clone(), stop })
    }

    /// How often the process was thawed, looking at the clock now. Whoever looks first after a thaw sees it.
    pub(crate) fn thaws(&self, now: Instant) -> u64 {
        let now = self.ms(now);
        let seen = self.beats.load(Ordering::Acquire);
        if is_late(seen, now) { self.beat(now) } else { seen >> MS_BITS }
    }

    /// The clock ticks: how often the process was thawed.
    fn tick(&self, now: Instant) -> u64 {
        self.beat(self.ms(now))
    }

    fn beat(&self, now: u64) -> u64 {
        let next = |seen: u64| {
            let thaws = (seen >> MS_BITS) + u64::from(is_late(seen, now));
            (thaws << MS_BITS) | (seen & MS_MASK).max(now)
        };
        let before = self.beats.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| Some(next(seen)));
        before.map_or_else(next, next) >> MS_BITS
    }

    /// The mark of a thaw came back.
    pub(crate) fn mark(&self, thaw: u64) {
        self.marked.send_if_modified(|marked| {
            let newer = thaw > *marked;
            *marked = thaw.max(*marked);
            newer
        });
    }

    /// The last thaw whose mark came back.
    pub(crate) fn last_marked(&self) -> u64 {
        *self.marked.borrow()
    }

    /// Tells when that changes.
    pub(crate) fn marked(&self) -> watch::Receiver<u64> {
        self.marked.subscribe()
    }

    fn ms(&self, now: Instant) -> u64 {
        ms_of(now.saturating_duration_since(self.origin)) & MS_MASK
    }
}

/// The thread of a [`Pulse`]; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticking {
    thread: thread::Thread,
    stop: Arc<AtomicBool>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// True if the last tick of `beats` is too long ago.
fn is_late(beats: u64, now: u64) -> bool {
    now.saturating_sub(beats & MS_MASK) > ms_of(TICK + LATE)
}

fn ms_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_is_a_thaw_whoever_sees_it_first() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((pulse.tick(at(100)), pulse.tick(at(200)), pulse.thaws(at(1300))), (0, 0, 0));
        assert_eq!((pulse.thaws(at(1301)), pulse.thaws(at(1302)), pulse.tick(at(1303))), (1, 1, 1));
        assert_eq!((pulse.tick(at(1400)), pulse.tick(at(9000)), pulse.thaws(at(9001))), (1, 2, 2));
        let marked = pulse.marked();
        pulse.mark(2);
        pulse.mark(1);
        assert_eq!(*marked.borrow(), 2);
    }
}
