//! Whose turn it is: of one key one after the other, of different keys several at once. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What waits for its turn, in the order in which it came.
///
/// Of one key never two are under way, so that what came later never overtakes what came before; and one that does not end holds up
/// its own key, and takes one of the places that all keys share.
#[derive(Debug)]
pub struct Turns<K, T> {
    places: usize,
    waiting: VecDeque<(K, T)>,
    /// How many wait under each key.
    waits: BTreeMap<K, usize>,
    under_way: BTreeSet<K>,
}

impl<K: Ord + Clone, T> Turns<K, T> {
    /// Nothing waits; at most `places` are under way at once.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places, waiting: VecDeque::new(), waits: BTreeMap::new(), under_way: BTreeSet::new() }
    }

    /// It waits behind all that came before.
    pub fn push(&mut self, key: K, item: T) {
        *self.waits.entry(key.clone()).or_default() += 1;
        self.waiting.push_back((key, item));
    }

    /// It takes the place of what waits under its key, or waits behind all others where nothing does.
    pub fn push_instead(&mut self, key: K, item: T) {
        if !self.waits.contains_key(&key) {
            return self.push(key, item);
        }
        if let Some((_, waiting)) = self.waiting.iter_mut().find(|(waits, _)| *waits == key) {
            *waiting = item;
        }
    }

    /// Whether something under this key waits or is under way.
    #[must_use]
    pub fn has(&self, key: &K) -> bool {
        self.under_way.contains(key) || self.waits.contains_key(key)
    }

    /// Whether something more could be under way now.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.under_way.len() < self.places
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Begins with the first whose turn it is; it is under way until [`done`](Self::done). None where all have to wait.
    pub fn begin(&mut self) -> Option<(K, T)> {
        if !self.has_place() {
            return None;
        }
        let at = self.waiting.iter().position(|(key, _)| !self.under_way.contains(key))?;
        let (key, item) = self.waiting.remove(at)?;
        if let Some(waits) = self.waits.get_mut(&key) {
            *waits -= 1;
            if *waits == 0 {
                self.waits.remove(&key);
            }
        }
        self.under_way.insert(key.clone());
        Some((key, item))
    }

    /// What was under way under this key has ended.
    pub fn done(&mut self, key: &K) {
        self.under_way.remove(key);
    }

    /// Nothing waits and nothing is under way any more.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.waits.clear();
        self.under_way.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_key_waits_for_itself_and_nobody_else_does() {
        let mut turns = Turns::new(2);
        for (key, item) in [("a", 1), ("a", 2), ("b", 3), ("c", 4)] {
            turns.push(key, item);
        }
        assert_eq!((turns.begin(), turns.begin(), turns.begin()), (Some(("a", 1)), Some(("b", 3)), None));
        turns.done(&"b");
        assert_eq!((turns.begin(), turns.begin()), (Some(("c", 4)), None));
        turns.done(&"c");
        assert_eq!((turns.begin(), turns.waiting(), turns.has(&"a")), (None, 1, true));
        turns.done(&"a");
        assert_eq!(turns.begin(), Some(("a", 2)));
        turns.done(&"a");
        assert!(!turns.has(&"a"));
        turns.push_instead("a", 5);
        turns.push_instead("b", 6);
        turns.push_instead("a", 7);
        assert_eq!((turns.begin(), turns.begin()), (Some(("a", 7)), Some(("b", 6))));
        turns.clear();
        assert!(!turns.has(&"a") && turns.begin().is_none());
    }

    proptest! {
        /// In whatever order they end: never too many at once, never two of one key, each key in its order, and all in the end.
        #[test]
        fn all_have_their_turn_in_order(
            keys in prop::collection::vec(0_u8..5, 0..40), ends in prop::collection::vec(any::<usize>(), 80), places in 1_usize..4,
        ) {
            let mut turns = Turns::new(places);
            keys.iter().enumerate().for_each(|(number, key)| turns.push(*key, number));
            let (mut under_way, mut last) = (Vec::new(), BTreeMap::new());
            let mut ended = 0;
            for end in ends {
                while let Some((key, number)) = turns.begin() {
                    prop_assert!(!under_way.contains(&key));
                    prop_assert!(last.insert(key, number).is_none_or(|before| before < number));
                    under_way.push(key);
                }
                prop_assert!(under_way.len() <= places);
                if !under_way.is_empty() {
                    let key = under_way.swap_remove(end % under_way.len());
                    turns.done(&key);
                    ended += 1;
                }
            }
            prop_assert_eq!(ended, keys.len());
        }
    }
}
