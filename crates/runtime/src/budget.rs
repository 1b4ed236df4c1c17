//! Memory: what one instance may hold, and what all guests of the host may hold together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use wasmtime::ResourceLimiter;

use crate::{config::Limits, pool::House};

/// Linear memory that all guests together may hold.
pub(crate) struct Budget {
    bytes: u64,
    used: AtomicU64,
    /// Who makes room when it is used up: idle instances hold memory too.
    house: Arc<House>,
}

impl Budget {
    pub(crate) fn new(bytes: u64, house: Arc<House>) -> Self {
        Self { bytes, used: AtomicU64::new(0), house }
    }

    /// The whole budget, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is taken now, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, if need be from instances that idle.
    fn take(&self, bytes: u64) -> bool {
        self.try_take(bytes) || (self.house.clear() && self.try_take(bytes))
    }

    fn try_take(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.checked_add(bytes).is_some_and(|sum| sum <= self.bytes);
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Memory that the host holds for a guest for a moment, and gives back by itself.
pub(crate) struct Lent {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Lent {
    /// Counts `bytes` more; `false` where the host has no more.
    pub(crate) fn more(&mut self, bytes: usize) -> bool {
        let fits = self.budget.take(bytes as u64);
        if fits {
            self.bytes += bytes as u64;
        }
        fits
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

/// Half of the memory that this process may use: of the machine's, or of its control group's where that is less.
pub(crate) fn half_of_memory() -> u64 {
    const FALLBACK: u64 = 2 * 1024 * 1024 * 1024;
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|t| t.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(FALLBACK) / 2
}

/// Why memory was refused last, if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// By the actor's own limit.
    Actor,
    /// By the host-wide budget.
    Host,
}

/// One store's limits. What it took from the budget goes back when it is dropped.
pub(crate) struct Limiter {
    budget: Arc<Budget>,
    limits: Limits,
    held: u64,
    refused: Option<Refused>,
}

impl Limiter {
    pub(crate) fn new(budget: Arc<Budget>, limits: Limits) -> Self {
        Self { budget, limits, held: 0, refused: None }
    }

    /// Why memory was refused last.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl Limiter {
    /// Counts memory that the host holds for the guest as the guest's own; `false` where that is too much.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let fits = self.held.saturating_add(bytes) <= self.limits.memory_bytes && self.budget.take(bytes);
        if fits {
            self.held += bytes;
        }
        fits
    }

    /// An account, empty so far, for what the host holds while it serves one call of the guest's.
    pub(crate) fn lend(&self) -> Lent {
        Lent { budget: self.budget.clone(), bytes: 0 }
    }

    /// Counts back what [`Limiter::hold`] counted.
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.held);
        self.held -= bytes;
        self.budget.give(bytes);
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.give(self.held);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        if self.held.saturating_add(more) > self.limits.memory_bytes {
            self.refused = Some(Refused::Actor);
            return Ok(false);
        }
        if !self.budget.take(more) {
            self.refused = Some(Refused::Host);
            return Ok(false);
        }
        self.held += more;
        Ok(true)
    }

    // No `memory_grow_failed`: it is also called for growth that never came by here, so giving back there could be made
    // to give back too much. What fails after a yes (the machine has no memory) stays counted until the store ends.

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.limits.table_elements)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(budget: &Arc<Budget>, memory_bytes: u64) -> Limiter {
        Limiter::new(budget.clone(), Limits { memory_bytes, ..Limits::default() })
    }

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Arc::new(Budget::new(100, House::new(0)));
        let (mut a, mut b) = (limiter(&budget, 80), limiter(&budget, 80));
        assert!(a.memory_growing(0, 60, None).unwrap());
        assert!(!b.memory_growing(0, 60, None).unwrap());
        assert_eq!(b.refused(), Some(Refused::Host));
        assert!(!a.memory_growing(60, 90, None).unwrap());
        assert_eq!(a.refused(), Some(Refused::Actor));
        assert!(b.memory_growing(0, 40, None).unwrap());
        assert_eq!(budget.used(), 100);
        drop(b);
        assert_eq!(budget.used(), 60);
        drop(a);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn several_memories_share_the_actor_s_limit() {
        let budget = Arc::new(Budget::new(1_000, House::new(0)));
        let mut limiter = limiter(&budget, 100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
    }

    #[test]
    fn half_of_memory_is_something() {
        assert!(half_of_memory() > 16 * 1024 * 1024);
    }
}
