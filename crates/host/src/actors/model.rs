//! The machine of an actor in the model: wishes in any order and more than once, a registry and links that come and go, events
//! that nobody waits for, wake-ups that are lost.

use std::{collections::BTreeMap, time::Duration};

use lattice_core::ImageRef;
use lattice_runtime::Interface;
use proptest::prelude::*;

use super::{
    ActorSpec, Limits,
    machine::{Effect, Event, Hope, Machine, Step, Wish},
};

/// What the image needs: nothing, a link, a secret, or to be another one.
const IMAGES: [&str; 4] = ["plain", "linked", "secretive", "broken"];

#[derive(Debug, Clone)]
enum Happens {
    Ask(Wish),
    Registry(bool),
    /// Links, or secrets, come or go.
    Links(bool),
    /// Other bytes stand under the name of an image.
    Push(usize),
    /// What is waited for comes.
    Wake,
    /// An event comes that may be of a time that is past.
    Stray(Event),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Awaited {
    Nothing,
    Links,
    Rest,
}

struct Player {
    machine: Machine,
    runs: Option<(ActorSpec, u32)>,
    /// Bytes of the images, by number.
    bytes: [u32; 4],
    registry: bool,
    links: bool,
    awaited: Awaited,
    /// Wishes that have no answer yet, and how often the others had one.
    open: Vec<usize>,
    answers: BTreeMap<usize, usize>,
    asked: usize,
    /// Steps that changed what runs.
    changes: usize,
    wants_none: bool,
}

impl Player {
    fn new() -> Self {
        Self {
            machine: Machine::new(),
            runs: None,
            bytes: [0; 4],
            registry: true,
            links: true,
            awaited: Awaited::Nothing,
            open: Vec::new(),
            answers: BTreeMap::new(),
            asked: 0,
            changes: 0,
            wants_none: false,
        }
    }

    fn happens(&mut self, what: Happens) {
        match what {
            Happens::Ask(wish) => {
                self.asked += 1;
                self.wants_none = wish.spec.concurrency == 0;
                let effects = self.effects(Event::Asked(wish));
                if effects.contains(&Effect::GiveUp) {
                    assert_eq!(self.awaited, Awaited::Rest, "only what was insisted on had no answer");
                    self.open.clear();
                }
                self.awaited = Awaited::Nothing;
                self.open.push(self.asked);
                self.carry_out(effects);
            }
            Happens::Registry(there) => self.registry = there,
            Happens::Links(there) => self.links = there,
            Happens::Push(image) => self.bytes[image] += 1,
            Happens::Wake => self.wake(),
            Happens::Stray(event) => {
                let fits = matches!(
                    (&event, self.awaited),
                    (Event::Linked, Awaited::Links) | (Event::Rested, Awaited::Rest)
                );
                if !fits {
                    assert_eq!(self.effects(event), [], "nobody waits for it");
                }
            }
        }
    }

    fn wake(&mut self) {
        let event = match self.awaited {
            Awaited::Links if self.links => Event::Linked,
            Awaited::Rest => Event::Rested,
            _ => return,
        };
        self.awaited = Awaited::Nothing;
        let effects = self.effects(event);
        self.carry_out(effects);
    }

    fn effects(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(event, self.runs.as_ref().map(|(spec, _)| spec))
    }

    /// Does what is to be done until the machine waits or is at peace.
    fn carry_out(&mut self, mut effects: Vec<Effect>) {
        for _ in 0..4 {
            let mut outcome = None;
            for effect in effects {
                match effect {
                    Effect::Take(step) => {
                        assert!(outcome.is_none(), "two steps at once");
                        outcome = Some(self.step(step));
                    }
                    Effect::Settle => {
                        for wish in self.open.drain(..) {
                            *self.answers.entry(wish).or_default() += 1;
                        }
                    }
                    Effect::GiveUp => {}
                    Effect::AwaitLinks(_) | Effect::AwaitSecrets(_) => self.awaited = Awaited::Links,
                    Effect::Rest(pause) => {
                        assert!((Duration::from_secs(1)..=Duration::from_secs(30)).contains(&pause));
                        self.awaited = Awaited::Rest;
                    }
                }
            }
            match outcome {
                Some(event) => effects = self.effects(event),
                None => return,
            }
        }
        panic!("it does not come to an end");
    }

    fn step(&mut self, step: Step) -> Event {
        let now = self.runs.clone();
        match step {
            Step::Forget(_) => assert!(now.is_none() && self.wants_none),
            Step::Stop => {
                assert!(now.is_some() && self.wants_none, "nobody asked for that");
                self.runs = None;
                self.changes += 1;
            }
            Step::Start(spec) => {
                assert!(now.is_none() && spec.concurrency > 0);
                return self.start(spec);
            }
            Step::Replace(spec) => {
                assert!(now.is_some() && spec.concurrency > 0);
                return self.start(spec);
            }
            Step::Look(spec) => {
                let (running, bytes) = now.expect("something runs");
                assert_eq!(running.image_text, spec.image_text);
                let other_bytes = self.registry && bytes != self.bytes[image(&spec)];
                return Event::Seen { other_bytes };
            }
            Step::Restart(spec) | Step::Resize(spec) => {
                let (running, bytes) = now.expect("something runs");
                assert_ne!(running, spec, "nothing changes");
                assert_eq!(running.image_text, spec.image_text);
                self.runs = Some((spec, bytes));
                self.changes += 1;
            }
            Step::Confirm(spec) => assert_eq!(now.map(|(running, _)| running), Some(spec)),
        }
        Event::Done
    }

    fn start(&mut self, spec: ActorSpec) -> Event {
        let image = image(&spec);
        match IMAGES[image] {
            _ if !self.registry => Event::Failed(Hope::Time),
            "broken" => Event::Failed(Hope::None),
            "linked" if !self.links => Event::Failed(Hope::Links(vec![import()])),
            "secretive" if !self.links => Event::Failed(Hope::Secrets(vec!["token".parse().unwrap()])),
            _ => {
                let before = self.runs.replace((spec.clone(), self.bytes[image]));
                assert_ne!(before, Some((spec, self.bytes[image])), "the same was started again");
                self.changes += 1;
                Event::Done
            }
        }
    }
}

fn image(spec: &ActorSpec) -> usize {
    IMAGES.iter().position(|name| *name == spec.image_text).unwrap()
}

fn import() -> Interface {
    let [namespace, package, interface] = ["demo", "calls", "math"].map(str::to_owned);
    Interface { namespace, package, interface, version: None }
}

fn spec(image: usize, concurrency: u32, memory_bytes: Option<u64>) -> ActorSpec {
    ActorSpec {
        id: "hello".parse().unwrap(),
        image: ImageRef::File(IMAGES[image].into()),
        image_text: IMAGES[image].into(),
        concurrency,
        queue: None,
        reuse: 1,
        limits: Limits { memory_bytes, ..Limits::default() },
        annotations: BTreeMap::new(),
        config: Vec::new(),
        secrets: Vec::new(),
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let memory = proptest::option::of(1_u64..3);
    (0..IMAGES.len(), 0_u32..3, memory, any::<bool>(), any::<bool>()).prop_map(
        |(image, concurrency, memory, replace, insist)| Wish {
            spec: spec(image, concurrency, memory),
            replace,
            insist,
        },
    )
}

fn happens() -> impl Strategy<Value = Happens> {
    let stray = prop_oneof![
        Just(Event::Linked),
        Just(Event::Rested),
        Just(Event::Done),
        any::<bool>().prop_map(|other_bytes| Event::Seen { other_bytes }),
        Just(Event::Failed(Hope::Time)),
        Just(Event::Failed(Hope::Links(vec![import()]))),
    ];
    prop_oneof![
        4 => wish().prop_map(Happens::Ask),
        1 => any::<bool>().prop_map(Happens::Registry),
        1 => any::<bool>().prop_map(Happens::Links),
        1 => (0..IMAGES.len()).prop_map(Happens::Push),
        2 => Just(Happens::Wake),
        2 => stray.prop_map(Happens::Stray),
    ]
}

proptest! {
    /// Whatever happened before: when everything is there, what was asked for last runs, with the bytes that its image has now,
    /// and asking again changes nothing. Each wish has one answer, or was given up for a later one.
    #[test]
    fn what_was_asked_for_last_runs(before in proptest::collection::vec(happens(), 0..40), last in wish()) {
        let mut player = Player::new();
        for what in before {
            player.happens(what);
        }
        player.registry = true;
        player.links = true;
        let ran = player.runs.clone();
        player.happens(Happens::Ask(last.clone()));
        let image = image(&last.spec);
        let expected = match (&ran, last.spec.concurrency, IMAGES[image]) {
            (_, 0, _) => None,
            (Some((now, bytes)), ..) if !last.replace => {
                Some((ActorSpec { image: now.image.clone(), image_text: now.image_text.clone(), ..last.spec.clone() }, *bytes))
            }
            // What runs goes on where it cannot be replaced.
            (ran, _, "broken") => ran.clone(),
            _ => Some((last.spec.clone(), player.bytes[image])),
        };
        prop_assert_eq!(&player.runs, &expected);
        prop_assert!(player.machine.is_at_peace());
        prop_assert!(player.open.is_empty());
        prop_assert!(player.answers.values().all(|answers| *answers == 1), "{:?}", player.answers);
        let changes = player.changes;
        player.happens(Happens::Ask(last));
        prop_assert_eq!((player.changes, &player.runs), (changes, &expected));
    }

    /// What is insisted on runs as soon as what it needs is there, however often it failed, if nobody asks for anything else.
    #[test]
    fn what_is_insisted_on_comes(
        troubles in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..12),
        image in 0_usize..3,
    ) {
        let mut player = Player::new();
        let first = Wish { spec: spec(image, 1, None), replace: true, insist: true };
        (player.registry, player.links) = (false, false);
        player.happens(Happens::Ask(first.clone()));
        for (registry, links) in troubles {
            (player.registry, player.links) = (registry, links);
            player.happens(Happens::Wake);
        }
        // Who asks for the same without insisting calls nothing off.
        player.registry = false;
        if player.runs.is_none() {
            player.happens(Happens::Ask(Wish { insist: false, ..first }));
        }
        (player.registry, player.links) = (true, true);
        for _ in 0..2 {
            player.happens(Happens::Wake);
        }
        prop_assert!(player.runs.is_some() && player.machine.is_at_peace() && player.open.is_empty());
    }
}

#[test]
fn pauses_grow_and_somebody_who_asks_starts_them_anew() {
    let mut machine = Machine::new();
    let wish = Wish { spec: spec(0, 1, None), replace: true, insist: true };
    let start = vec![Effect::Take(Step::Start(wish.spec.clone()))];
    assert_eq!(machine.on(Event::Asked(wish.clone()), None), start);
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let rest = [Effect::Rest(Duration::from_secs(seconds))];
        assert_eq!(machine.on(Event::Failed(Hope::Time), None), rest);
        assert_eq!(machine.on(Event::Rested, None), start);
    }
    machine.on(Event::Failed(Hope::Time), None);
    assert_eq!(machine.on(Event::Asked(wish), None), start);
    assert_eq!(machine.on(Event::Failed(Hope::Time), None), [Effect::Rest(Duration::from_secs(1))]);
}
