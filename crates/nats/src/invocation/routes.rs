//! The calls of one connection by the last token of their back subjects.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lattice_core::{EntityId, InvocationId};

use super::slot::Slot;

/// Takes the keys as they are: they come out of a hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// The table. Tokens are keyed hashes, so that nobody can guess one that was not told to him.
#[derive(Default)]
pub(crate) struct Routes {
    slots: Mutex<HashMap<u64, Arc<Slot>, BuildHasherDefault<AsIs>>>,
    keys: RandomState,
    made: AtomicU64,
}

impl Routes {
    /// A token for a call that is being made; 0 is none.
    pub(crate) fn token_of_made(&self) -> u64 {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        self.keys.hash_one(count).max(1)
    }

    /// The token of a call that is being served: the same for the same call.
    pub(crate) fn token_of_served(&self, source: &EntityId, id: InvocationId) -> u64 {
        self.keys.hash_one((source.as_str(), id.bits())).max(1)
    }

    /// Enters a call; false if there is one under that token.
    pub(crate) fn enter(&self, token: u64, slot: &Arc<Slot>) -> bool {
        match self.lock().entry(token) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Arc::clone(slot));
                true
            }
        }
    }

    /// Takes a call out.
    pub(crate) fn leave(&self, token: u64) {
        self.lock().remove(&token);
    }

    /// The call under a token, if `writer` is who may write to it.
    pub(crate) fn find(&self, token: u64, writer: &str) -> Option<Arc<Slot>> {
        self.lock().get(&token).filter(|slot| slot.about.writer.as_str() == writer).cloned()
    }

    /// All calls of now.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.lock().values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Slot>, BuildHasherDefault<AsIs>>> {
        // Nothing in here panics half-way, so a poisoned map is whole.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
