//! The links of this process: which it has, in which version, and how the provider says they fare; and whom it refused what.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lattice_contracts::{Refused, Report};
use lattice_core::{LinkKey, State};
use tokio::sync::watch;

use crate::{
    refusals::Refusals,
    wire::{LINKS_TOLD_MAX, LinkAnswer, RefusalAnswer},
};

/// So much of a reason is told, in characters; a host would cut it at [`TEXT_CHARS_MAX`](crate::wire::TEXT_CHARS_MAX).
const REASON_CHARS_MAX: usize = 400;

/// A link that the provider was given.
#[derive(Debug, Clone)]
struct Has {
    generation: u64,
    interfaces: Vec<String>,
    state: State,
}

#[derive(Debug)]
struct Table {
    whole: State,
    links: BTreeMap<LinkKey, Has>,
    /// Whether calls are taken yet.
    takes_calls: bool,
}

/// What the provider was given and what it says; the one place where both stand.
#[derive(Debug)]
pub(crate) struct Links {
    table: Mutex<Table>,
    refusals: Mutex<Refusals>,
    changed: watch::Sender<u64>,
}

impl Links {
    pub(crate) fn new() -> Self {
        let table = Table { whole: State::Ready, links: BTreeMap::new(), takes_calls: false };
        Self { table: Mutex::new(table), refusals: Mutex::default(), changed: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The link is being given to the provider in this version; false if it has that one, or a newer.
    pub(crate) fn begin(&self, key: &LinkKey, generation: u64, interfaces: Vec<String>) -> bool {
        let mut table = self.lock();
        let has = table.links.get(key).map(|has| has.generation);
        // A host of wasmCloud 1.x does not count: what it says last, holds.
        if has.is_some_and(|has| generation != 0 && has >= generation) {
            return false;
        }
        table.links.insert(key.clone(), Has { generation, interfaces, state: State::Starting });
        drop(table);
        self.tell();
        true
    }

    /// The link is taken away; false if there is a newer one.
    pub(crate) fn forget(&self, key: &LinkKey, generation: u64) -> bool {
        let mut table = self.lock();
        if table.links.get(key).is_some_and(|has| generation != 0 && has.generation > generation) {
            return false;
        }
        table.links.remove(key);
        drop(table);
        self.tell();
        true
    }

    /// How a link fares; a link that is not there has generation 0.
    pub(crate) fn answer(&self, key: &LinkKey) -> LinkAnswer {
        match self.lock().links.get(key) {
            Some(has) => LinkAnswer::new(key, &cut(&has.state), has.generation),
            None => LinkAnswer::new(key, &State::Pending("the provider does not have it".to_owned()), 0),
        }
    }

    /// How all links fare, and whether there are more.
    pub(crate) fn answers(&self) -> (Vec<LinkAnswer>, bool) {
        let table = self.lock();
        let answer = |(key, has): (&LinkKey, &Has)| LinkAnswer::new(key, &cut(&has.state), has.generation);
        (table.links.iter().take(LINKS_TOLD_MAX).map(answer).collect(), table.links.len() > LINKS_TOLD_MAX)
    }

    /// Whether a link grants `interface`; none where there is no such link.
    pub(crate) fn grants(&self, key: &LinkKey, interface: &str) -> Option<bool> {
        let table = self.lock();
        let has = table.links.get(key)?;
        Some(has.interfaces.is_empty() || has.interfaces.iter().any(|granted| granted == interface))
    }

    /// How the provider is as a whole.
    pub(crate) fn whole(&self) -> State {
        let table = self.lock();
        if table.takes_calls { cut(&table.whole) } else { State::Starting }
    }

    /// From now on calls are taken, or none any more.
    pub(crate) fn set_takes_calls(&self, takes: bool) {
        self.lock().takes_calls = takes;
    }

    /// Whom something was refused since the start.
    pub(crate) fn refusals(&self) -> Vec<RefusalAnswer> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).answers()
    }

    /// A listener that has not heard anything yet.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Report for Links {
    fn provider(&self, state: State) {
        self.lock().whole = state;
        self.tell();
    }

    fn link(&self, link: &LinkKey, state: State) {
        // Of one that was taken away nothing is told any more.
        if let Some(has) = self.lock().links.get_mut(link) {
            has.state = state;
        }
        self.tell();
    }

    fn refused(&self, refused: Refused) {
        self.refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(refused, tokio::time::Instant::now());
    }
}

/// A state whose reason is not too long.
fn cut(state: &State) -> State {
    state.shortened(REASON_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LinkKey {
        LinkKey {
            source: "counter".parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: lattice_core::Contract::keyvalue(),
            name: lattice_core::LinkName::default(),
        }
    }

    #[test]
    fn a_newer_version_replaces_an_older_and_never_the_other_way_round() {
        let links = Links::new();
        assert!(links.begin(&key(), 2, vec!["store".to_owned()]));
        links.link(&key(), State::Ready);
        assert!(!links.begin(&key(), 2, Vec::new()) && !links.begin(&key(), 1, Vec::new()));
        assert_eq!(links.answer(&key()), LinkAnswer::new(&key(), &State::Ready, 2));
        assert_eq!((links.grants(&key(), "store"), links.grants(&key(), "batch")), (Some(true), Some(false)));
        assert!(links.begin(&key(), 3, Vec::new()));
        assert_eq!(links.answer(&key()), LinkAnswer::new(&key(), &State::Starting, 3));
        assert_eq!(links.grants(&key(), "batch"), Some(true));
        assert!(!links.forget(&key(), 2) && links.forget(&key(), 4));
        assert_eq!((links.grants(&key(), "store"), links.answer(&key()).generation), (None, 0));
        // It is late, and says nothing any more.
        links.link(&key(), State::Ready);
        assert_eq!(links.answers().0, []);
        assert!(
            links.begin(&key(), 0, Vec::new()) && links.begin(&key(), 0, Vec::new()),
            "v1 does not count"
        );
    }

    #[test]
    fn a_provider_starts_until_it_takes_calls() {
        let links = Links::new();
        links.provider(State::Ready);
        assert_eq!(links.whole(), State::Starting);
        links.set_takes_calls(true);
        assert_eq!(links.whole(), State::Ready);
        links.provider(State::Failed("ä".repeat(1000)));
        let State::Failed(reason) = links.whole() else { panic!("not failed") };
        assert_eq!(reason.chars().count(), REASON_CHARS_MAX + 1);
    }
}
