//! What this process knows of the lattice: facts joined, in memory.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use lattice_core::{
    AccountKey, ConfigName, FactKey, HostFact, HostId, Link, LinkKey, RoleFact, SecretFact, SecretName,
    TrustFact, UserKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Fact;

/// All facts known at one moment, tombstones too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    facts: BTreeMap<FactKey, Arc<Fact>>,
}

impl Facts {
    /// Takes a fact in if it is newer than what is known; true if that changed anything. In whatever order facts come, and
    /// however often, the same remain.
    pub fn join(&mut self, key: FactKey, fact: Fact) -> bool {
        match self.facts.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::new(fact));
                true
            }
            Entry::Occupied(mut known) if fact.is_newer_than(known.get()) => {
                known.insert(Arc::new(fact));
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// What is known under `key`, a tombstone too.
    #[must_use]
    pub fn fact(&self, key: &FactKey) -> Option<&Fact> {
        self.facts.get(key).map(Arc::as_ref)
    }

    /// All facts, tombstones too, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = (&FactKey, &Fact)> {
        self.facts.iter().map(|(key, fact)| (key, fact.as_ref()))
    }

    /// All facts that were not deleted.
    pub fn live(&self) -> impl Iterator<Item = (&FactKey, &Fact)> {
        self.all().filter(|(_, fact)| !fact.deleted)
    }

    /// How many facts are known, tombstones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// True if nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// All links, in the order of their keys.
    pub fn links(&self) -> impl Iterator<Item = (&LinkKey, Link)> {
        self.live().filter_map(|(key, fact)| match key {
            // The data was read as a link before the fact was taken in.
            FactKey::Link(key) => Some((key, Link::deserialize(&fact.data).ok()?)),
            _ => None,
        })
    }

    /// The link under `key`, with its version.
    #[must_use]
    pub fn link(&self, key: &LinkKey) -> Option<(Link, u64)> {
        let fact = self.live_at(&FactKey::Link(key.clone()))?;
        Some((Link::deserialize(&fact.data).ok()?, fact.version))
    }

    /// All configurations, in the order of their names.
    pub fn configs(&self) -> impl Iterator<Item = (&ConfigName, BTreeMap<String, String>)> {
        self.live().filter_map(|(key, fact)| match key {
            FactKey::Config(name) => Some((name, BTreeMap::deserialize(&fact.data).ok()?)),
            _ => None,
        })
    }

    /// The configuration `name`.
    #[must_use]
    pub fn config(&self, name: &ConfigName) -> Option<BTreeMap<String, String>> {
        BTreeMap::deserialize(&self.live_at(&FactKey::Config(name.clone()))?.data).ok()
    }

    /// Claims by subject key.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.live().filter_map(|(key, fact)| match key {
            FactKey::Claims(subject) => Some((subject.as_str(), fact.data.as_object()?)),
            _ => None,
        })
    }

    /// What hosts told of themselves, by host.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostId, HostFact)> {
        self.live().filter_map(|(key, fact)| match key {
            // The data was read as a host before the fact was taken in.
            FactKey::Host(id) => Some((id, HostFact::deserialize(&fact.data).ok()?)),
            _ => None,
        })
    }

    /// What the lattice says of accounts and of keys that sign for them, each with the fact that says when, and through which
    /// host.
    pub fn trust(&self) -> impl Iterator<Item = (&AccountKey, TrustFact, &Fact)> {
        self.live().filter_map(|(key, fact)| match key {
            // The data was read as such before the fact was taken in.
            FactKey::Trust(key) => Some((key, TrustFact::deserialize(&fact.data).ok()?, fact)),
            _ => None,
        })
    }

    /// What keys may command, each with the fact that says when, and through which host. Whether it counts, their orders say.
    pub fn roles(&self) -> impl Iterator<Item = (&UserKey, RoleFact, &Fact)> {
        self.live().filter_map(|(key, fact)| match key {
            // The data was read as such before the fact was taken in.
            FactKey::Role(key) => Some((key, RoleFact::deserialize(&fact.data).ok()?, fact)),
            _ => None,
        })
    }

    /// Secrets, sealed, each with the fact that has its version.
    pub fn secrets(&self) -> impl Iterator<Item = (&SecretName, SecretFact, &Fact)> {
        self.live().filter_map(|(key, fact)| match key {
            // The data was read as such before the fact was taken in.
            FactKey::Secret(name) => Some((name, SecretFact::deserialize(&fact.data).ok()?, fact)),
            _ => None,
        })
    }

    fn live_at(&self, key: &FactKey) -> Option<&Fact> {
        self.fact(key).filter(|fact| !fact.deleted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> impl Strategy<Value = Vec<(FactKey, Fact)>> {
        let one = ("[ab]", 1_u64..5, "[vw]").prop_map(|(name, version, writer)| {
            // One writer never writes two different facts under one version.
            let deleted = version % 2 == 0;
            let data = if deleted { Value::Null } else { serde_json::json!({"v": version.to_string()}) };
            let key = FactKey::Config(ConfigName::new(name).unwrap());
            (key, Fact { version, writer, at: String::new(), deleted, data, more: Map::new() })
        });
        proptest::collection::vec(one, 0..24)
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(all in facts(), seed in any::<u64>()) {
            let mut in_order = Facts::default();
            for (key, fact) in all.clone() {
                in_order.join(key, fact);
            }
            let mut shuffled: Vec<_> = all.iter().cloned().chain(all.iter().cloned()).collect();
            shuffled.sort_by_key(|(key, fact)| {
                let text = format!("{key}{}{}{seed}", fact.version, fact.writer);
                text.bytes().fold(seed, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b)))
            });
            let mut joined = Facts::default();
            for (key, fact) in shuffled {
                joined.join(key, fact);
            }
            prop_assert_eq!(in_order, joined);
        }
    }
}
