//! How many calls an actor serves at once, and how many may wait.
//!
//! A permit goes back when it is dropped, however its call ended: there is no other way to give one back, and none to lose
//! one.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, TryAcquireError},
    time::Instant,
};

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// All are taken, and the queue is full.
    Full,
    /// The deadline passed in the queue.
    Deadline,
    /// The actor stops.
    Closed,
}

/// An actor's permits.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Shared>);

struct Shared {
    /// Its permits are forgotten when taken, and made anew when a [`Permit`] is dropped.
    semaphore: Semaphore,
    /// How many there are meant to be.
    size: AtomicU32,
    /// How many of those in use must not come back, since the actor was made smaller.
    debt: AtomicU32,
    waiting: AtomicU32,
    /// How many may wait.
    queue: AtomicU32,
    /// Whether new calls are refused, while those that wait still get their permits.
    retired: AtomicBool,
}

/// The right to serve one call.
pub(crate) struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        let paid = |debt: u32| debt.checked_sub(1);
        let owed = self.0.debt.load(Ordering::Acquire) > 0
            && self.0.debt.fetch_update(Ordering::AcqRel, Ordering::Acquire, paid).is_ok();
        if !owed {
            self.0.semaphore.add_permits(1);
        }
    }
}

/// Counts one waiting call for as long as it waits.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Permits {
    pub(crate) fn new(size: NonZeroU32, queue: u32) -> Self {
        let semaphore = Semaphore::new(size.get() as usize);
        let (size, debt, waiting) = (AtomicU32::new(size.get()), AtomicU32::new(0), AtomicU32::new(0));
        let (queue, retired) = (AtomicU32::new(queue), AtomicBool::new(false));
        Self(Arc::new(Shared { semaphore, size, debt, waiting, queue, retired }))
    }

    /// Takes a permit; waits for one until `deadline` if there is room to wait.
    pub(crate) async fn acquire(&self, deadline: Instant) -> Result<Permit, NoPermit> {
        let shared = &self.0;
        if shared.retired.load(Ordering::Acquire) {
            return Err(NoPermit::Closed);
        }
        match shared.semaphore.try_acquire() {
            Ok(taken) => return Ok(self.permit(taken)),
            Err(TryAcquireError::Closed) => return Err(NoPermit::Closed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let queue = self.queue();
        let room = |waiting: u32| (waiting < queue).then_some(waiting + 1);
        if shared.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            return Err(NoPermit::Full);
        }
        let _waiting = Waiting(&shared.waiting);
        match tokio::time::timeout_at(deadline, shared.semaphore.acquire()).await {
            Ok(Ok(taken)) => Ok(self.permit(taken)),
            Ok(Err(_closed)) => Err(NoPermit::Closed),
            Err(_elapsed) => Err(NoPermit::Deadline),
        }
    }

    /// Takes a permit if one is free; never waits.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        if self.0.retired.load(Ordering::Acquire) {
            return None;
        }
        self.0.semaphore.try_acquire().ok().map(|taken| self.permit(taken))
    }

    /// True if there is no permit to take.
    pub(crate) fn is_full(&self) -> bool {
        self.0.retired.load(Ordering::Acquire) || self.0.semaphore.available_permits() == 0
    }

    fn permit(&self, taken: SemaphorePermit<'_>) -> Permit {
        let permit = Permit(self.0.clone());
        taken.forget();
        permit
    }

    /// Changes how many may wait from now on; who waits already goes on waiting.
    pub(crate) fn resize_queue(&self, queue: u32) {
        self.0.queue.store(queue, Ordering::Relaxed);
    }

    /// Changes how many there are. Calls being served go on; with fewer permits, the next ones wait for them.
    pub(crate) fn resize(&self, size: NonZeroU32) {
        let shared = &self.0;
        let before = shared.size.swap(size.get(), Ordering::AcqRel);
        if size.get() < before {
            let less = before - size.get();
            let free = shared.semaphore.forget_permits(less as usize);
            shared.debt.fetch_add(less - u32::try_from(free).unwrap_or(less), Ordering::AcqRel);
        } else {
            let more = size.get() - before;
            let mut forgiven = 0;
            let forgive = |debt: u32| {
                forgiven = debt.min(more);
                Some(debt - forgiven)
            };
            // The closure always answers, so this cannot fail.
            let _ = shared.debt.fetch_update(Ordering::AcqRel, Ordering::Acquire, forgive);
            shared.semaphore.add_permits((more - forgiven) as usize);
        }
    }

    /// Refuses new calls. Who waits already still gets a permit.
    pub(crate) fn retire(&self) {
        self.0.retired.store(true, Ordering::Release);
    }

    /// Gives no more permits; who waits is told. Calls being served go on.
    pub(crate) fn close(&self) {
        self.0.semaphore.close();
    }

    pub(crate) fn size(&self) -> u32 {
        self.0.size.load(Ordering::Relaxed)
    }

    pub(crate) fn queue(&self) -> u32 {
        self.0.queue.load(Ordering::Relaxed)
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    fn free(&self) -> usize {
        self.0.semaphore.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn size(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[tokio::test]
    async fn beyond_the_queue_is_refused_and_the_queue_has_a_deadline() {
        let permits = Permits::new(size(1), 1);
        let held = permits.acquire(soon()).await.ok();
        let (waits, refused) = tokio::join!(permits.acquire(soon()), permits.acquire(soon()));
        assert_eq!(refused.err(), Some(NoPermit::Full));
        assert_eq!(waits.err(), Some(NoPermit::Deadline));
        assert_eq!(permits.waiting(), 0);
        drop(held);
        assert_eq!(permits.free(), 1);
    }

    #[tokio::test]
    async fn closing_tells_those_who_wait() {
        let permits = Permits::new(size(1), 1);
        let _held = permits.acquire(soon()).await.ok();
        let close = async { permits.close() };
        let (waits, ()) = tokio::join!(permits.acquire(soon()), close);
        assert_eq!(waits.err(), Some(NoPermit::Closed));
    }

    #[tokio::test]
    async fn who_waits_at_retirement_still_gets_a_permit() {
        let permits = Permits::new(size(1), 1);
        let held = permits.acquire(soon()).await.ok();
        let retire = async {
            permits.retire();
            assert_eq!(permits.acquire(soon()).await.err(), Some(NoPermit::Closed));
            drop(held);
        };
        let (waits, ()) = tokio::join!(permits.acquire(Instant::now() + Duration::from_secs(10)), retire);
        assert!(waits.is_ok());
    }

    #[tokio::test]
    async fn the_queue_can_be_resized() {
        let permits = Permits::new(size(1), 0);
        let _held = permits.acquire(soon()).await.ok();
        assert_eq!(permits.acquire(soon()).await.err(), Some(NoPermit::Full));
        permits.resize_queue(1);
        assert_eq!(permits.acquire(soon()).await.err(), Some(NoPermit::Deadline));
        permits.resize_queue(0);
        assert_eq!(permits.acquire(soon()).await.err(), Some(NoPermit::Full));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Take,
        GiveUpWaiting,
        Drop(usize),
        Resize(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Take),
            1 => Just(Step::GiveUpWaiting),
            4 => (0..8_usize).prop_map(Step::Drop),
            1 => (1..8_u32).prop_map(Step::Resize),
        ]
    }

    proptest! {
        #[test]
        fn no_order_of_events_leaks_a_permit(steps in proptest::collection::vec(step(), 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let permits = Permits::new(size(3), 2);
                let mut held = Vec::new();
                for step in steps {
                    match step {
                        Step::Take => held.extend(permits.acquire(Instant::now()).await.ok()),
                        Step::GiveUpWaiting => {
                            let mut taking = Box::pin(permits.acquire(soon()));
                            if let std::task::Poll::Ready(taken) = futures::poll!(&mut taking) {
                                held.extend(taken.ok());
                            }
                        }
                        Step::Drop(index) if index < held.len() => drop(held.swap_remove(index)),
                        Step::Drop(_) => {}
                        Step::Resize(to) => permits.resize(size(to)),
                    }
                    assert_eq!(permits.waiting(), 0);
                }
                held.clear();
                assert_eq!(permits.free(), permits.size() as usize);
            });
        }
    }
}
