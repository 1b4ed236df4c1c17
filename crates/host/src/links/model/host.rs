//! A host that hears of what happens, late, twice, in another order or not at all, and what it does about its links.

use std::collections::{BTreeMap, BTreeSet};

use lattice_contracts::Serves;
use lattice_core::{ActorId, Direction, FactKey, LinkKey, ProviderId, State};
use lattice_nats::{Fact, Facts};
use proptest::prelude::*;

use super::lattice::{Change, LINKS, Truth, change, host, link};
use crate::{
    directory,
    lattice::{View, typed},
    links::{
        Effect, FarEnds, Reconciler, Routes, Seen, Sides, Survey, away,
        plan::{Verdict, Wanted},
        wanted,
    },
    presence::Sightings,
};

/// What goes wrong on the way of a change to this host.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Straight,
    Late,
    Twice,
    Lost,
}

/// What else goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
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
pub(super) struct Step {
    pub(super) change: Change,
    pub(super) way: Way,
    /// Whether the signal of the change gets through.
    pub(super) looks: bool,
    pub(super) trouble: Option<Trouble>,
}

const fn serves(package: &'static str, interface: &'static str, direction: Direction) -> Serves {
    Serves { namespace: "wasi", package, interface, direction }
}

const HTTP: &[Serves] = &[serves("http", "incoming-handler", Direction::ToActor)];
const KEYVALUE: &[Serves] = &[serves("keyvalue", "store", Direction::ToProvider)];

/// A provider here.
struct Here {
    id: ProviderId,
    serves: &'static [Serves],
    links: Reconciler,
    /// What it really has.
    has: BTreeMap<LinkKey, Wanted>,
    /// What the table shows of its links.
    shown: BTreeMap<LinkKey, State>,
}

/// This host, as far as its links go.
pub(super) struct Model {
    facts: Facts,
    pub(super) seen: Sightings,
    pub(super) actors: BTreeSet<ActorId>,
    providers: Vec<Here>,
    late: Vec<(FactKey, Fact)>,
}

/// All that follows from what a host knows.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    has: Vec<BTreeMap<LinkKey, Wanted>>,
    shown: Vec<BTreeMap<LinkKey, State>>,
    states: BTreeMap<LinkKey, State>,
    routes: Vec<String>,
}

impl Model {
    pub(super) fn new() -> Self {
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

    pub(super) fn join(&mut self, facts: &Facts) {
        for (key, fact) in facts.all() {
            self.facts.join(key.clone(), fact.clone());
        }
    }

    /// Looks, and does what is to be done; how much that was.
    pub(super) fn look(&mut self) -> usize {
        let view = typed(&self.facts, &View::default());
        let mut count = 0;
        for here in &mut self.providers {
            let judged = wanted(&here.id, here.serves, &view, &|name| {
                Err(crate::secrets::Missing::Unknown { name: name.clone() })
            });
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

    pub(super) fn trouble(&mut self, trouble: &Trouble, truth: &Truth) {
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
    pub(super) fn hear(&mut self, step: &Step, fact: Option<(FactKey, Fact)>, truth: &Truth) {
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

    pub(super) fn outcome(&self) -> Outcome {
        let (view, me) = (typed(&self.facts, &View::default()), host(0));
        let survey = Survey {
            seen: Seen { host: &me, name: "calm-otter-1" },
            actors: self.actors.iter().map(ActorId::as_str).collect(),
            providers: self.providers.iter().map(|here| (here.id.as_str(), &here.shown)).collect(),
        };
        let ends = directory::ends(&me, &view.hosts, &self.seen);
        let states =
            survey.of(&view.links, |id, link| away(id, link, ends.get(id).unwrap_or(&FarEnds::default())));
        Outcome {
            has: self.providers.iter().map(|here| here.has.clone()).collect(),
            shown: self.providers.iter().map(|here| here.shown.clone()).collect(),
            states,
            routes: Routes::build(view.links.values(), |_| Sides::default()).lines(),
        }
    }
}

pub(super) fn step() -> impl Strategy<Value = Step> {
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
