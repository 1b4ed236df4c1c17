//! Instances between two calls: lent by value, so that nobody can use one that is in use.

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
};

use wasmtime::Store;

use crate::{
    guest::{Guest, Watch},
    handler::Instance,
};

/// A store with the instance in it.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
    pub(crate) watch: Watch,
    /// Calls it has served.
    pub(crate) served: u32,
}

/// An actor's idle instances; none where each call gets a fresh one.
pub(crate) struct Pool {
    idle: Mutex<Vec<Live>>,
    reuse: NonZeroU32,
}

impl Pool {
    pub(crate) fn new(reuse: NonZeroU32) -> Self {
        Self { idle: Mutex::default(), reuse }
    }

    /// An idle instance, the one that served last: its memory is warm.
    pub(crate) fn take(&self) -> Option<Live> {
        if self.reuse == NonZeroU32::MIN { None } else { self.lock().pop() }
    }

    /// Takes back an instance whose call ended well. It is kept if it may serve again and fewer than `keep` are idle.
    pub(crate) fn give(&self, live: Live, keep: u32) {
        if live.served >= self.reuse.get() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < keep as usize {
            idle.push(live);
        }
    }

    /// Drops idle instances beyond `keep`.
    pub(crate) fn trim(&self, keep: u32) {
        let mut idle = self.lock();
        let surplus = idle.len().saturating_sub(keep as usize);
        let surplus: Vec<Live> = idle.drain(..surplus).collect();
        // Dropping a store takes a moment; nobody waits for the lock meanwhile.
        drop(idle);
        drop(surplus);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Live>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
