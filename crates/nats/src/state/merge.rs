//! What a host has to do so that a bucket that lost or never had its facts has them again: decisions alone.
//!
//! A fact is created where it is absent, and replaces what is older; what is newer stays. That is a join: in whatever order
//! hosts do this, however often, and whatever is lost on the way, the newest version of every fact is what remains once
//! each host has been through. Tombstones are facts here like all others, so nothing that was deleted comes back.

use std::collections::BTreeMap;

use lattice_core::FactKey;

use super::{Fact, Facts};

/// What stands under a key of the bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Slot {
    /// The key's last revision; 0 if it never had one.
    pub(super) revision: u64,
    /// The fact; none if nothing stands there that reads as one.
    pub(super) fact: Option<Fact>,
}

/// What one fact of ours means for the bucket.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// The bucket has it.
    Leave,
    /// The bucket has a newer one, which is ours from now on.
    Yield(Overridden),
    /// It has to be written.
    Write {
        /// The older one that it replaces.
        replaces: Option<Overridden>,
    },
}

/// Two versions of one fact met in a merge, and the older one lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Overridden {
    /// The fact's key.
    pub key: FactKey,
    /// The version that stays.
    pub kept: Fact,
    /// The version that is gone.
    pub lost: Fact,
}

/// Weighs a fact of ours against what the bucket has under its key.
pub(super) fn weigh(key: &FactKey, ours: &Fact, stored: Option<&Fact>) -> Step {
    let overridden =
        |kept: &Fact, lost: &Fact| Overridden { key: key.clone(), kept: kept.clone(), lost: lost.clone() };
    match stored {
        None => Step::Write { replaces: None },
        Some(stored) if ours.is_newer_than(stored) => {
            Step::Write { replaces: Some(overridden(ours, stored)) }
        }
        Some(stored) if stored.is_newer_than(ours) => Step::Yield(overridden(stored, ours)),
        Some(_) => Step::Leave,
    }
}

/// Everything to be done for the bucket as it was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Facts to be written, with the revision that their key has.
    pub(super) writes: Vec<(FactKey, u64)>,
    /// Facts of ours that have lost already.
    pub(super) yielded: Vec<Overridden>,
}

/// Compares all that is known with a bucket.
pub(super) fn plan(ours: &Facts, bucket: &BTreeMap<FactKey, Slot>) -> Plan {
    let mut plan = Plan::default();
    for (key, fact) in ours.all().filter(|(key, _)| key.is_lasting()) {
        let slot = bucket.get(key);
        match weigh(key, fact, slot.and_then(|slot| slot.fact.as_ref())) {
            Step::Leave => {}
            Step::Yield(overridden) => plan.yielded.push(overridden),
            Step::Write { .. } => plan.writes.push((key.clone(), slot.map_or(0, |slot| slot.revision))),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn key(name: &str) -> FactKey {
        FactKey::parse(&format!("config.{name}")).unwrap()
    }

    fn fact(version: u64, writer: &str) -> Fact {
        // Every third change is a deletion.
        let deleted = version.is_multiple_of(3);
        let data = if deleted { Value::Null } else { json!({"v": format!("{version}{writer}")}) };
        Fact { version, writer: writer.to_owned(), at: String::new(), deleted, data, more: Map::new() }
    }

    #[test]
    fn what_is_absent_or_older_is_written_and_what_is_newer_is_taken() {
        let mut ours = Facts::default();
        for (name, version) in
            [("absent", 3), ("equal", 1), ("newer-here", 2), ("newer-there", 1), ("unreadable", 1)]
        {
            ours.join(key(name), fact(version, "w"));
        }
        ours.join(FactKey::parse("lease.x").unwrap(), fact(1, "w"));
        let slot = |revision, fact| Slot { revision, fact };
        let bucket = BTreeMap::from([
            (key("equal"), slot(1, Some(fact(1, "w")))),
            (key("newer-here"), slot(2, Some(fact(1, "w")))),
            (key("newer-there"), slot(3, Some(fact(3, "v")))),
            (key("unreadable"), slot(4, None)),
            (key("theirs"), slot(5, Some(fact(1, "w")))),
        ]);
        let plan = plan(&ours, &bucket);
        assert_eq!(plan.writes, [(key("absent"), 0), (key("newer-here"), 2), (key("unreadable"), 4)]);
        let lost = Overridden { key: key("newer-there"), kept: fact(3, "v"), lost: fact(1, "w") };
        assert_eq!(plan.yielded, [lost]);
    }

    /// One thing that happens to a lattice of three hosts and a bucket.
    #[derive(Debug, Clone)]
    enum Happens {
        /// A host that sees the bucket changes a fact, on top of what it and the bucket know.
        Change { host: usize, name: u8, heard: bool },
        /// The bucket is lost.
        Wipe,
        /// The bucket is set back to what it was some time ago.
        Restore,
        /// A copy for the restore is made.
        Save,
        /// A host merges; the writes of the mask get through, the rest is lost with the connection.
        Merge { host: usize, mask: u16 },
        /// A host reads all of the bucket.
        Read { host: usize },
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            4 => (0_usize..3, 0_u8..4, any::<bool>())
                .prop_map(|(host, name, heard)| Happens::Change { host, name, heard }),
            1 => Just(Happens::Wipe),
            1 => Just(Happens::Restore),
            1 => Just(Happens::Save),
            2 => (0_usize..3, any::<u16>()).prop_map(|(host, mask)| Happens::Merge { host, mask }),
            1 => (0_usize..3).prop_map(|host| Happens::Read { host }),
        ]
    }

    #[derive(Default)]
    struct World {
        hosts: [Facts; 3],
        bucket: BTreeMap<FactKey, Slot>,
        saved: BTreeMap<FactKey, Slot>,
        revision: u64,
        /// Every change that was ever acknowledged.
        all: Facts,
    }

    impl World {
        fn write(&mut self, key: FactKey, fact: Fact) {
            self.revision += 1;
            self.bucket.insert(key, Slot { revision: self.revision, fact: Some(fact) });
        }

        fn merge(&mut self, host: usize, mask: u16) {
            let plan = plan(&self.hosts[host], &self.bucket);
            for (i, (key, revision)) in plan.writes.into_iter().enumerate() {
                if mask & (1 << (i % 16)) != 0 {
                    assert_eq!(self.bucket.get(&key).map_or(0, |slot| slot.revision), revision);
                    let fact = self.hosts[host].fact(&key).unwrap().clone();
                    self.write(key, fact);
                }
            }
            self.read(host);
        }

        fn read(&mut self, host: usize) {
            for (key, slot) in &self.bucket {
                self.hosts[host].join(key.clone(), slot.fact.clone().unwrap());
            }
        }

        fn step(&mut self, happens: &Happens) {
            match *happens {
                Happens::Change { host, name, heard } => {
                    let key = key(&name.to_string());
                    let stored = self.bucket.get(&key).and_then(|slot| slot.fact.clone());
                    let known = self.hosts[host].fact(&key).map_or(0, |fact| fact.version);
                    let number = stored.map_or(0, |fact| fact.version).max(known) + 1;
                    let fact = fact(number, &format!("w{host}"));
                    self.write(key.clone(), fact.clone());
                    // The writer and its disk have it when it is acknowledged; the others may hear of it.
                    self.hosts[host].join(key.clone(), fact.clone());
                    self.all.join(key, fact);
                    if heard {
                        (0..3).for_each(|host| self.read(host));
                    }
                }
                Happens::Wipe => self.bucket.clear(),
                Happens::Save => self.saved = self.bucket.clone(),
                Happens::Restore => self.bucket = self.saved.clone(),
                Happens::Merge { host, mask } => self.merge(host, mask),
                Happens::Read { host } => self.read(host),
            }
        }
    }

    proptest! {
        /// Whatever happened before, in whatever order the hosts then merge, and however often: the newest version of every
        /// fact is what the bucket and all hosts have.
        #[test]
        fn any_order_ends_with_the_newest_of_everything(
            before in proptest::collection::vec(happens(), 0..60),
            order in Just(vec![0, 1, 2]).prop_shuffle(),
            again in proptest::collection::vec(0_usize..3, 0..4),
        ) {
            let mut world = World::default();
            before.iter().for_each(|happens| world.step(happens));
            for host in order.into_iter().chain(again) {
                world.merge(host, u16::MAX);
            }
            (0..3).for_each(|host| world.read(host));
            let bucket: BTreeMap<FactKey, Fact> =
                world.bucket.iter().map(|(key, slot)| (key.clone(), slot.fact.clone().unwrap())).collect();
            let all: BTreeMap<FactKey, Fact> =
                world.all.all().map(|(key, fact)| (key.clone(), fact.clone())).collect();
            prop_assert_eq!(&bucket, &all);
            for host in &world.hosts {
                prop_assert_eq!(host, &world.all);
                prop_assert_eq!(plan(host, &world.bucket), Plan::default(), "nothing is left to do");
            }
        }
    }
}
