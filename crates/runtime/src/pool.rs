//! Instances between two calls: lent by value, so that nobody can use one that is in use.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use wasmtime::{Store, component::Instance};

use crate::{
    guest::{Guest, Watch},
    handler::Http,
};

/// A store with the instance in it.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    /// `None` in a fresh store.
    pub(crate) instance: Option<Instance>,
    /// The instance's HTTP handler, once a request has been served.
    pub(crate) http: Option<Http>,
    pub(crate) watch: Arc<Watch>,
    /// Calls it has served.
    pub(crate) served: u32,
}

/// An actor's idle instances; none where each call gets a fresh one.
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
    reuse: NonZeroU32,
    house: Arc<House>,
}

struct Idle {
    live: Live,
    _place: Place,
}

impl Pool {
    /// A pool whose instances go when others need what they hold.
    pub(crate) fn new(reuse: NonZeroU32, house: &Arc<House>) -> Arc<Self> {
        let pool = Arc::new(Self { idle: Mutex::default(), reuse, house: house.clone() });
        if reuse > NonZeroU32::MIN {
            house.enter(&pool);
        }
        pool
    }

    /// An idle instance, the one that served last: its memory is warm.
    pub(crate) fn take(&self) -> Option<Live> {
        if self.reuse == NonZeroU32::MIN { None } else { self.lock().pop().map(|idle| idle.live) }
    }

    /// Takes back an instance whose call ended well. It is kept if it may serve again, fewer than `keep` are idle, and
    /// the host has a place for it.
    pub(crate) fn give(&self, live: Live, keep: u32) {
        if live.served >= self.reuse.get() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < keep as usize
            && let Some(place) = self.house.place()
        {
            idle.push(Idle { live, _place: place });
        }
    }

    /// Drops idle instances beyond `keep`.
    pub(crate) fn trim(&self, keep: u32) {
        let mut idle = self.lock();
        let surplus = idle.len().saturating_sub(keep as usize);
        let surplus: Vec<Idle> = idle.drain(..surplus).collect();
        // Dropping a store takes a moment; nobody waits for the lock meanwhile.
        drop(idle);
        drop(surplus);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The idle instances of all actors: counted, so that they leave slots to others, and dropped when somebody needs what
/// they hold.
pub(crate) struct House {
    count: Arc<AtomicU32>,
    max: u32,
    pools: Mutex<Vec<Weak<Pool>>>,
}

/// An idle instance's place among all of the host's.
struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl House {
    /// A house with places for `max` idle instances.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { count: Arc::default(), max, pools: Mutex::default() })
    }

    /// Drops every idle instance; false where there was none.
    pub(crate) fn clear(&self) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let pools: Vec<Arc<Pool>> = self.lock().iter().filter_map(Weak::upgrade).collect();
        pools.iter().for_each(|pool| pool.trim(0));
        true
    }

    fn enter(&self, pool: &Arc<Pool>) {
        let mut pools = self.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    fn place(&self) -> Option<Place> {
        let more = |count: u32| (count < self.max).then_some(count + 1);
        self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Place(self.count.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let house = House::new(2);
        assert!(!house.clear());
        let (one, two) = (house.place(), house.place());
        assert!(one.is_some() && two.is_some() && house.place().is_none());
        drop(one);
        assert!(house.place().is_some());
    }
}
