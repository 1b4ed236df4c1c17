//! What happens in the lattice, and what is true of it then.

use std::collections::BTreeSet;

use lattice_core::{
    ActorId, ConfigName, Distance, FactKey, HostFact, HostId, HostedActor, HostedProvider, Link, State,
};
use lattice_nats::{Fact, Facts};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::presence::{Sighting, Sightings, Standing};

pub(super) const ACTORS: [&str; 3] = ["a0", "a1", "a2"];
pub(super) const CONFIGS: [&str; 2] = ["c0", "c1"];
/// Source, target, contract: both directions of providers, between actors, and one that the provider cannot serve.
pub(super) const LINKS: [(&str, &str, &str); 6] = [
    ("http", "a0", "wasi:http"),
    ("http", "a1", "wasi:http"),
    ("a0", "kv", "wasi:keyvalue"),
    ("a2", "kv", "wasi:keyvalue"),
    ("a0", "a1", "demo:calls"),
    ("a2", "http", "wasi:http"),
];

/// Something happens in the lattice.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A link is put, or changed; the config may have to be there, as a host that takes the command sees to.
    Link {
        which: usize,
        config: Option<usize>,
        local: bool,
    },
    NoLink(usize),
    Config {
        which: usize,
        value: u8,
    },
    NoConfig(usize),
    /// Another host tells what runs there, and how.
    Host {
        which: u8,
        actor: usize,
        well: bool,
        kv: u8,
    },
    NoHost(u8),
    /// Another host is heard, or lost.
    Standing {
        which: u8,
        alive: bool,
    },
    /// An actor on this host starts or stops.
    Actor {
        which: usize,
        runs: bool,
    },
}

pub(super) fn host(letter: u8) -> HostId {
    HostId::new(format!("N{}", char::from(b'A' + letter).to_string().repeat(55))).unwrap()
}

pub(super) fn link(which: usize, config: Option<usize>, local: bool) -> Link {
    let (source, target, contract) = LINKS[which];
    let (namespace, package) = contract.split_once(':').unwrap();
    let configs: Vec<ConfigName> = config.iter().map(|which| CONFIGS[*which].parse().unwrap()).collect();
    Link {
        source: source.parse().unwrap(),
        target: target.parse().unwrap(),
        name: "default".parse().unwrap(),
        wit_namespace: namespace.into(),
        wit_package: package.into(),
        interfaces: Vec::new(),
        source_config: configs.clone(),
        target_config: configs,
        source_secrets: Vec::new(),
        target_secrets: Vec::new(),
        distance: if local { Distance::Local } else { Distance::PreferLocal },
    }
}

fn told(actor: usize, well: bool, kv: u8) -> HostFact {
    let state = if well { State::Ready } else { State::Failed("no such image".into()) };
    let actor = HostedActor {
        id: ACTORS[actor].parse().unwrap(),
        image: String::new(),
        digest: None,
        concurrency: u32::from(well),
        state: (&state).into(),
        exports: None,
    };
    let state = if kv == 0 { State::Failed("no such bucket".into()) } else { State::Ready };
    let provider = HostedProvider {
        id: "kv".parse().unwrap(),
        image: String::new(),
        state: (&state).into(),
        interfaces: None,
        links: Vec::new(),
        more_links: false,
        process: false,
    };
    let providers = if kv == 2 { Vec::new() } else { vec![provider] };
    HostFact { actors: vec![actor], providers, ..HostFact::default() }
}

/// The lattice as it is.
#[derive(Default)]
pub(super) struct Truth {
    pub(super) bucket: Facts,
    /// The bucket after each change.
    pub(super) before: Vec<Facts>,
    pub(super) seen: Sightings,
    pub(super) actors: BTreeSet<ActorId>,
}

impl Truth {
    /// Carries a change out; the fact it makes, if it makes one.
    pub(super) fn change(&mut self, change: &Change) -> Option<(FactKey, Fact)> {
        self.before.push(self.bucket.clone());
        let config = |which: usize| FactKey::Config(CONFIGS[which].parse().unwrap());
        let (key, data) = match change {
            Change::Link { which, config: named, local } => {
                // A host refuses a link whose configuration is not there.
                let named =
                    named.filter(|which| self.bucket.fact(&config(*which)).is_some_and(|fact| !fact.deleted));
                let link = link(*which, named, *local);
                (FactKey::Link(link.key().unwrap()), serde_json::to_value(&link).unwrap())
            }
            Change::NoLink(which) => (FactKey::Link(link(*which, None, false).key().unwrap()), Value::Null),
            Change::Config { which, value } => (config(*which), json!({ "v": value.to_string() })),
            Change::NoConfig(which) => (config(*which), Value::Null),
            Change::Host { which, actor, well, kv } => {
                (FactKey::Host(host(1 + which)), serde_json::to_value(told(*actor, *well, *kv)).unwrap())
            }
            Change::NoHost(which) => (FactKey::Host(host(1 + which)), Value::Null),
            Change::Standing { which, alive } => {
                let standing = if *alive { Standing::Alive } else { Standing::Lost };
                self.seen.insert(host(1 + which), Sighting { standing, load: 0 });
                return None;
            }
            Change::Actor { which, runs } => {
                let id: ActorId = ACTORS[*which].parse().unwrap();
                if *runs {
                    self.actors.insert(id)
                } else {
                    self.actors.remove(&id)
                };
                return None;
            }
        };
        let version = self.bucket.fact(&key).map_or(0, |fact| fact.version) + 1;
        let (writer, at, deleted) = (host(9).to_string(), String::new(), data.is_null());
        let fact = Fact { version, writer, at, deleted, data, more: Map::new() };
        self.bucket.join(key.clone(), fact.clone());
        Some((key, fact))
    }
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let link = (0..LINKS.len(), proptest::option::of(0..CONFIGS.len()), any::<bool>());
    prop_oneof![
        4 => link.prop_map(|(which, config, local)| Change::Link { which, config, local }),
        2 => (0..LINKS.len()).prop_map(Change::NoLink),
        3 => (0..CONFIGS.len(), 0_u8..3).prop_map(|(which, value)| Change::Config { which, value }),
        1 => (0..CONFIGS.len()).prop_map(Change::NoConfig),
        2 => (0_u8..2, 0..ACTORS.len(), any::<bool>(), 0_u8..3)
            .prop_map(|(which, actor, well, kv)| Change::Host { which, actor, well, kv }),
        1 => (0_u8..2).prop_map(Change::NoHost),
        2 => (0_u8..2, any::<bool>()).prop_map(|(which, alive)| Change::Standing { which, alive }),
        2 => (0..ACTORS.len(), any::<bool>()).prop_map(|(which, runs)| Change::Actor { which, runs }),
    ]
}
