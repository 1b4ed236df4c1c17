//! Processor time: the ticks that pass while a guest is being polled.
//!
//! Only polling counts, so a guest that waits an hour for a backend has used nothing; a tick that falls into a poll counts
//! whole, which over many short polls comes out right.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use crate::guest::Watch;

/// The reason a guest was stopped: it used up its processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("processor time used up")]
pub(crate) struct CpuSpent;

/// One store's account of processor time. Written by the task that polls the guest alone.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    /// Ticks used in polls that are over.
    used: AtomicU64,
    /// The tick at which the current poll began.
    began: AtomicU64,
}

impl Meter {
    /// An account that allows `limit` ticks for each call.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0), began: AtomicU64::new(0) }
    }

    /// Begins a new call.
    pub(crate) fn reset(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    /// True when the current call, in the middle of a poll at tick `now`, has used all it may.
    pub(crate) fn is_spent(&self, now: u64) -> bool {
        let current = now.saturating_sub(self.began.load(Ordering::Relaxed));
        self.used.load(Ordering::Relaxed).saturating_add(current) > self.limit
    }

    fn enter(&self, now: u64) {
        self.began.store(now, Ordering::Relaxed);
    }

    fn leave(&self, now: u64) {
        let current = now.saturating_sub(self.began.load(Ordering::Relaxed));
        if current > 0 {
            self.used.fetch_add(current, Ordering::Relaxed);
        }
    }
}

/// Somebody else's work inside a guest's poll, which the guest does not pay for: the callee of its call, which has an
/// account of its own.
pub(crate) struct Elsewhere<F> {
    future: F,
    /// The guest's.
    watch: Arc<Watch>,
}

impl<F: Future + Unpin> Elsewhere<F> {
    pub(crate) fn new(watch: Arc<Watch>, future: F) -> Self {
        Self { future, watch }
    }
}

impl<F: Future + Unpin> Future for Elsewhere<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.watch.meter.leave(self.watch.now());
        let polled = Pin::new(&mut self.future).poll(cx);
        self.watch.meter.enter(self.watch.now());
        polled
    }
}

/// Code of the host's panicked while it worked for the guest.
#[derive(Debug)]
pub(crate) struct Panicked;

/// A future whose polls are metered, and whose panics end here: the panic hook has told of them by then.
pub(crate) struct Metered<F> {
    /// Pinned by whoever made it: on the heap, or where it runs.
    future: F,
    watch: Arc<Watch>,
}

impl<F: Future + Unpin> Metered<F> {
    pub(crate) fn new(watch: Arc<Watch>, future: F) -> Self {
        Self { future, watch }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.watch.meter.enter(self.watch.now());
        // What the panic left half done is in the future, which is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.future).poll(cx)));
        self.watch.meter.leave(self.watch.now());
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(_payload) => Poll::Ready(Err(Panicked)),
        }
    }
}
