//! Instances between two calls: lent by value, so that nobody can use one that is in use.
//!
//! Each thread prefers those that served on it last: their memory is in its processor's caches, and nobody else's lock is
//! taken.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering},
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
    /// Its place among the instances that are kept, once it has one.
    pub(crate) place: Option<Place>,
}

/// An actor's kept instances; none where each call gets a fresh one.
pub(crate) struct Pool {
    /// Those that idle, by the thread they served on last.
    shelves: Box<[Shelf]>,
    /// How many have a place, at work or idle.
    kept: Arc<AtomicU32>,
    reuse: NonZeroU32,
    house: Arc<House>,
}

/// On cache lines of its own, so that threads do not take each other's away.
#[repr(align(128))]
#[derive(Default)]
struct Shelf(Mutex<Vec<Live>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More shelves would only scatter instances; threads beyond share them.
const SHELVES_MAX: usize = 16;

/// A number of the current thread's own.
fn thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed));
    THREAD.with(|number| *number)
}

impl Pool {
    /// A pool whose instances go when others need what they hold.
    pub(crate) fn new(reuse: NonZeroU32, house: &Arc<House>) -> Arc<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let shelves = (0..threads.min(SHELVES_MAX)).map(|_| Shelf::default()).collect();
        let pool = Arc::new(Self { shelves, kept: Arc::default(), reuse, house: house.clone() });
        if reuse > NonZeroU32::MIN {
            house.enter(&pool);
        }
        pool
    }

    /// An idle instance: the one that served last on this thread, else one of another's.
    pub(crate) fn take(&self) -> Option<Live> {
        if self.reuse == NonZeroU32::MIN {
            return None;
        }
        let (before, from_ours_on) = self.shelves.split_at(self.ours());
        from_ours_on.iter().chain(before).find_map(|shelf| shelf.lock().pop())
    }

    /// Takes back an instance whose call ended well. It is kept if it may serve again, no more than `keep` are kept, and
    /// the host has a place for it.
    pub(crate) fn give(&self, mut live: Live, keep: u32) {
        if live.served >= self.reuse.get() {
            return;
        }
        if live.place.is_none() {
            live.place = self.place(keep);
        }
        if live.place.is_some() && self.kept.load(Ordering::Relaxed) <= keep {
            self.shelves[self.ours()].lock().push(live);
        }
    }

    /// Drops idle instances until no more than `keep` are kept, as far as those at work allow.
    pub(crate) fn trim(&self, keep: u32) {
        for shelf in &self.shelves {
            let surplus = self.kept.load(Ordering::Relaxed).saturating_sub(keep) as usize;
            let mut idle = shelf.lock();
            let surplus = surplus.min(idle.len());
            let surplus: Vec<Live> = idle.drain(..surplus).collect();
            // Dropping a store takes a moment; nobody waits for the lock meanwhile.
            drop(idle);
            drop(surplus);
        }
    }

    fn ours(&self) -> usize {
        thread() % self.shelves.len()
    }

    fn place(&self, keep: u32) -> Option<Place> {
        Some(Place { _in_pool: Counted::one_of(&self.kept, keep)?, _in_house: self.house.place()? })
    }
}

/// The kept instances of all actors: counted, so that they leave slots to others, and those that idle are dropped when
/// somebody needs what they hold.
pub(crate) struct House {
    count: Arc<AtomicU32>,
    max: u32,
    pools: Mutex<Vec<Weak<Pool>>>,
}

/// A kept instance's place among its actor's, and among all of the host's. An instance has it until it ends: to count it
/// anew for each call would have all threads change the same numbers all the time.
pub(crate) struct Place {
    _in_pool: Counted,
    _in_house: Counted,
}

/// Counted until it is dropped.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn one_of(count: &Arc<AtomicU32>, max: u32) -> Option<Self> {
        let more = |count: u32| (count < max).then_some(count + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(count.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl House {
    /// A house with places for `max` kept instances.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { count: Arc::default(), max, pools: Mutex::default() })
    }

    /// Drops every idle instance; false where none is kept.
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

    fn place(&self) -> Option<Counted> {
        Counted::one_of(&self.count, self.max)
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
