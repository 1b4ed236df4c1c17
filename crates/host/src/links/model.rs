//! A host's links in the model: facts that come late, twice, in another order or not at all, actors and other hosts that
//! come and go, providers that repeat themselves. One full read leads to where the orderly way leads.
//!
//! The parts are the real ones; only NATS and what the providers do are played.

use std::collections::{BTreeMap, BTreeSet};

use lattice_contracts::Serves;
use lattice_core::{
    ActorId, ConfigName, Direction, Distance, FactKey, HostFact, HostId, HostedActor, HostedProvider, Link,
    LinkKey, ProviderId, State,
};
use lattice_nats::{Fact, Facts};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Effect, Reconciler, Routes, Seen, Sides, Survey, away, plan::Verdict, wanted};
use crate::{
    directory,
    lattice::{View, typed},
    presence::{Sighting, Sightings, Standing},
};

const fn serves(package: &'static str, interface: &'static str, direction: Direction) -> Serves {
    Serves { namespace: "wasi", package, interface, direction }
}

const HTTP: &[Serves] = &[serves("http", "incoming-handler", Direction::ToActor)];
const KEYVALUE: &[Serves] = &[serves("keyvalue", "store", Direction::ToProvider)];
const ACTORS: [&str; 3] = ["a0", "a1", "a2"];
const CONFIGS: [&str; 2] = ["c0", "c1"];
/// Source, target, contract: both directions of providers, between actors, and one that the provider cannot serve.
const LINKS: [(&str, &str, &str); 6] = [
    ("http", "a0", "wasi:http"),
    ("http", "a1", "wasi:http"),
    ("a0", "kv", "wasi:keyvalue"),
    ("a2", "kv", "wasi:keyvalue"),
    ("a0", "a1", "demo:calls"),
    ("a2", "http", "wasi:http"),
];

/// Something happens in the lattice.
#[derive(Debug, Clone)]
enum Change {
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

/// What goes wrong on the way of a change to this host.
#[derive(Debug, Clone, Copy)]
enum Way {
    Straight,
    Late,
    Twice,
    Lost,
}

/// What else goes wrong.
#[derive(Debug, Clone)]
enum Trouble {
    /// The watch is made anew and reads the bucket as it was some changes ago.
    OldRead(usize),
    /// The watch finds an empty bucket.
    Wiped,
    /// What was late comes now, the latest first.
    Late,
    /// A provider says again what it said of a link before, whether it still has that or not.
    Echo { which: usize, well: bool },
}

#[derive(Debug, Clone)]
struct Step {
    change: Change,
    way: Way,
    /// Whether the signal of the change gets through.
    looks: bool,
    trouble: Option<Trouble>,
}

fn host(letter: u8) -> HostId {
    HostId::new(format!("N{}", char::from(b'A' + letter).to_string().repeat(55))).unwrap()
}

fn link(which: usize, config: Option<usize>, local: bool) -> Link {
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
struct Truth {
    bucket: Facts,
    /// The bucket after each change.
    before: Vec<Facts>,
    seen: Sightings,
    actors: BTreeSet<ActorId>,
}

impl Truth {
    /// Carries a change out; the fact it makes, if it makes one.
    fn change(&mut self, change: &Change) -> Option<(FactKey, Fact)> {
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

/// A provider here.
struct Here {
    id: ProviderId,
    serves: &'static [Serves],
    links: Reconciler,
    /// What it really has.
    has: BTreeMap<LinkKey, super::plan::Wanted>,
    /// What the table shows of its links.
    shown: BTreeMap<LinkKey, State>,
}

/// This host, as far as its links go.
struct Model {
    facts: Facts,
    seen: Sightings,
    actors: BTreeSet<ActorId>,
    providers: Vec<Here>,
    late: Vec<(FactKey, Fact)>,
}

/// All that follows from what a host knows.
#[derive(Debug, PartialEq)]
struct Outcome {
    has: Vec<BTreeMap<LinkKey, super::plan::Wanted>>,
    shown: Vec<BTreeMap<LinkKey, State>>,
    states: BTreeMap<LinkKey, State>,
    routes: Vec<String>,
}

impl Model {
    fn new() -> Self {
        let here = |id: &str, serves| Here {
            id: id.parse().unwrap(),
            serves,
            links: Reconciler::default(),
            has: BTreeMap::new(),
            shown: BTreeMap::new(),
        };
        Self {
            facts: Facts::default(),
            seen: Sightings::new(),
            actors: BTreeSet::new(),
            providers: vec![here("http", HTTP), here("kv", KEYVALUE)],
            late: Vec::new(),
        }
    }

    fn join(&mut self, facts: &Facts) {
        for (key, fact) in facts.all() {
            self.facts.join(key.clone(), fact.clone());
        }
    }

    /// Looks, and does what is to be done; how much that was.
    fn look(&mut self) -> usize {
        let view = typed(&self.facts, &View::default());
        let mut count = 0;
        for here in &mut self.providers {
            let judged = wanted(&here.id, here.serves, &view);
            for step in here.links.steps(&judged, &here.shown) {
                count += 1;
                match &step {
                    Effect::Put(key, wanted) => {
                        let before = here.has.insert(key.clone(), wanted.clone());
                        assert_ne!(before.as_ref(), Some(wanted), "put again, though nothing changed");
                        let is_taken = wanted.config.get("v").is_some_and(|value| value == "0");
                        let state =
                            if is_taken { State::Failed("address in use".into()) } else { State::Ready };
                        here.shown.insert(key.clone(), state);
                    }
                    Effect::Delete(key) => {
                        assert!(here.has.remove(key).is_some(), "it had none");
                        let fact = self.facts.fact(&FactKey::Link(key.clone()));
                        match judged.get(key) {
                            None => assert!(fact.is_some_and(|fact| fact.deleted), "nobody deleted {key}"),
                            Some(Verdict::Blocked(State::Pending(_))) => {
                                let mut names = view.links[key].source_config.iter();
                                assert!(names.any(|name| view.deleted_configs.contains(name)));
                            }
                            Some(verdict) => panic!("{key} was taken away, and is {verdict:?}"),
                        }
                    }
                    Effect::Show(key, state) => {
                        assert_ne!(here.shown.get(key), state.as_ref(), "shown again");
                        match state {
                            Some(state) => here.shown.insert(key.clone(), state.clone()),
                            None => here.shown.remove(key),
                        };
                    }
                }
                here.links.done(step);
            }
        }
        count
    }

    fn trouble(&mut self, trouble: &Trouble, truth: &Truth) {
        match trouble {
            Trouble::OldRead(ago) => {
                let at = truth.before.len().saturating_sub(1 + ago);
                let old = truth.before[at].clone();
                self.join(&old);
            }
            Trouble::Wiped => self.join(&Facts::default()),
            Trouble::Late => {
                for (key, fact) in self.late.drain(..).rev() {
                    self.facts.join(key, fact);
                }
            }
            Trouble::Echo { which, well } => {
                let key = link(*which, None, false).key().unwrap();
                let state = if *well { State::Ready } else { State::Failed("address in use".into()) };
                for here in &mut self.providers {
                    // Of a link that it has, its last word is the one that counts, and that has been said.
                    if [&key.source, &key.target].iter().any(|end| end.as_str() == here.id.as_str())
                        && !here.has.contains_key(&key)
                    {
                        here.shown.insert(key.clone(), state.clone());
                    }
                }
            }
        }
    }

    /// Takes a change in as it comes.
    fn hear(&mut self, step: &Step, fact: Option<(FactKey, Fact)>, truth: &Truth) {
        // Its own table and its presence are at hand; only signals of them are lost.
        (self.actors, self.seen) = (truth.actors.clone(), truth.seen.clone());
        if let Some((key, fact)) = fact {
            match step.way {
                Way::Straight => drop(self.facts.join(key, fact)),
                Way::Twice => {
                    self.facts.join(key.clone(), fact.clone());
                    self.late.push((key, fact));
                }
                Way::Late => self.late.push((key, fact)),
                Way::Lost => {}
            }
        }
        if let Some(trouble) = &step.trouble {
            self.trouble(trouble, truth);
        }
        if step.looks {
            self.look();
        }
    }

    fn outcome(&self) -> Outcome {
        let (view, me) = (typed(&self.facts, &View::default()), host(0));
        let survey = Survey {
            seen: Seen { host: &me, name: "calm-otter-1" },
            actors: self.actors.iter().map(ActorId::as_str).collect(),
            providers: self.providers.iter().map(|here| (here.id.as_str(), &here.shown)).collect(),
        };
        let ends = directory::ends(&me, &view.hosts, &self.seen);
        let states =
            survey.of(&view.links, |id, link| away(id, link, ends.get(id).map_or(&[], Vec::as_slice)));
        Outcome {
            has: self.providers.iter().map(|here| here.has.clone()).collect(),
            shown: self.providers.iter().map(|here| here.shown.clone()).collect(),
            states,
            routes: Routes::build(view.links.values(), |_| Sides::default()).lines(),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
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

fn step() -> impl Strategy<Value = Step> {
    let way = prop_oneof![
        3 => Just(Way::Straight),
        1 => Just(Way::Late),
        1 => Just(Way::Twice),
        1 => Just(Way::Lost),
    ];
    let trouble = prop_oneof![
        (0_usize..8).prop_map(Trouble::OldRead),
        Just(Trouble::Wiped),
        Just(Trouble::Late),
        (0..LINKS.len(), any::<bool>()).prop_map(|(which, well)| Trouble::Echo { which, well }),
    ];
    (change(), way, any::<bool>(), proptest::option::of(trouble))
        .prop_map(|(change, way, looks, trouble)| Step { change, way, looks, trouble })
}

proptest! {
    /// Whatever becomes of the events, one full read leads to the same links, states and routes as hearing all of them in
    /// order; on the way nothing is done twice, and nothing is taken away that nobody deleted.
    #[test]
    fn one_full_read_leads_where_the_orderly_way_leads(steps in proptest::collection::vec(step(), 0..40)) {
        let (mut truth, mut troubled, mut orderly) = (Truth::default(), Model::new(), Model::new());
        for step in &steps {
            let fact = truth.change(&step.change);
            troubled.hear(step, fact.clone(), &truth);
            let straight = Step { way: Way::Straight, looks: true, trouble: None, ..step.clone() };
            orderly.hear(&straight, fact, &truth);
            prop_assert_eq!(orderly.look(), 0, "a second look finds something to do");
        }
        troubled.join(&truth.bucket);
        troubled.look();
        prop_assert_eq!(troubled.look(), 0, "a second look finds something to do");
        let mut fresh = Model::new();
        (fresh.actors, fresh.seen) = (truth.actors.clone(), truth.seen.clone());
        fresh.join(&truth.bucket);
        fresh.look();
        prop_assert_eq!(&troubled.outcome(), &orderly.outcome());
        prop_assert_eq!(&fresh.outcome(), &orderly.outcome());
    }

    /// A watch that was lost, a bucket that was wiped, a read of an old one: nothing is done about any of it.
    #[test]
    fn what_is_not_evidence_changes_nothing(
        steps in proptest::collection::vec(step(), 0..30),
        ago in 0_usize..30,
    ) {
        let (mut truth, mut host) = (Truth::default(), Model::new());
        for step in &steps {
            let fact = truth.change(&step.change);
            host.hear(&Step { way: Way::Straight, looks: true, trouble: None, ..step.clone() }, fact, &truth);
        }
        let before = host.outcome();
        for trouble in [Trouble::Wiped, Trouble::Late].into_iter().chain((!steps.is_empty()).then_some(Trouble::OldRead(ago))) {
            host.trouble(&trouble, &truth);
            prop_assert_eq!(host.look(), 0);
        }
        prop_assert_eq!(host.outcome(), before);
    }
}
