//! Where replies come back to, used again for calls to the same target. A NATS server remembers where the last few hundred subjects of a
//! connection lead; one that is new for each call has to be looked up and remembered for each.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_nats::Subject;
use lattice_core::EntityId;

/// How many places are kept, and how many targets: a NATS server remembers 512 subjects of a connection.
const KEPT_MAX: usize = 256;

/// Where the reply to one call comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// What the call has in the table of its connection.
    pub(crate) token: u64,
    /// The reply subject, with the token in it.
    pub(crate) subject: Subject,
}

/// Places that are free.
#[derive(Default)]
pub(crate) struct Places(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Only the target has been told of its places, so nobody else may have them.
    of_targets: HashMap<EntityId, Vec<Place>>,
    count: usize,
}

impl Places {
    /// A place that calls to `target` had before, the last one first.
    pub(crate) fn take(&self, target: &EntityId) -> Option<Place> {
        let mut kept = self.lock();
        let place = kept.of_targets.get_mut(target)?.pop()?;
        kept.count -= 1;
        Some(place)
    }

    /// Keeps the place of a call to `target` that was answered to its end: nothing of that call comes there any more.
    pub(crate) fn keep(&self, target: &EntityId, place: Place) {
        let mut kept = self.lock();
        if kept.count >= KEPT_MAX || kept.of_targets.len() >= KEPT_MAX {
            *kept = Kept::default();
        }
        kept.count += 1;
        match kept.of_targets.get_mut(target) {
            Some(places) => places.push(place),
            None => drop(kept.of_targets.insert(target.clone(), vec![place])),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: usize) -> EntityId {
        EntityId::new(format!("t{number}")).unwrap()
    }

    fn place(token: u64) -> Place {
        Place { token, subject: Subject::from(token.to_string()) }
    }

    #[test]
    fn a_target_gets_its_own_places_and_the_last_one_first() {
        let places = Places::default();
        assert_eq!(places.take(&target(1)), None);
        places.keep(&target(1), place(1));
        places.keep(&target(1), place(2));
        places.keep(&target(2), place(3));
        assert_eq!(places.take(&target(1)), Some(place(2)));
        assert_eq!(places.take(&target(1)), Some(place(1)));
        assert_eq!(places.take(&target(1)), None, "the other target's is not for this one");
        assert_eq!(places.take(&target(2)), Some(place(3)));
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let places = Places::default();
        for number in 0..10 * KEPT_MAX {
            places.keep(&target(0), place(number as u64));
            places.keep(&target(number), place(number as u64));
            // Targets of which nothing is kept are forgotten, too.
            places.take(&target(number));
            let kept = places.lock();
            assert!(kept.count <= KEPT_MAX && kept.of_targets.len() <= KEPT_MAX);
            assert_eq!(kept.count, kept.of_targets.values().map(Vec::len).sum::<usize>());
        }
    }
}
