//! The machine among others of its kind: a lattice in the model, with a network that loses, delays and repeats, and hosts
//! that die, sleep, restart and lose their connection.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{Beat, HostId};
use proptest::prelude::*;

use super::{
    machine::{Audience, Effect, Event, Machine, Silence},
    peer::{At, Standing},
};

/// A step of the model, which is also the hosts' tick.
const STEP_MS: At = 100;
const ASKED_WITHIN_MS: At = 500;

/// What goes wrong.
#[derive(Debug, Clone)]
enum Trouble {
    Kill(usize),
    Restart(usize),
    Sleep(usize, At),
    Disconnect(usize, At),
    /// Of a hundred messages so many are lost, and as many are late or repeated.
    Network(u64),
}

#[derive(Debug)]
struct Node {
    id: HostId,
    machine: Machine,
    epoch: u64,
    dead: bool,
    asleep_until: At,
    away_until: At,
    /// Since when it is up, awake and connected.
    well_since: At,
    listening: BTreeSet<HostId>,
}

#[derive(Debug, Clone)]
enum Message {
    Beat(HostId, Beat),
    Told(HostId, Beat),
    /// Goes to the one who asked, and holds the question.
    Outcome(Event),
}

struct Model {
    now: At,
    nodes: Vec<Node>,
    /// By time of arrival; the second number keeps the order of sending.
    on_the_way: BTreeMap<(At, u64), (usize, Message)>,
    sent: u64,
    random: u64,
    trouble_percent: u64,
    /// Told losses of hosts that had been well for a while, though the network was.
    false_alarms: Vec<String>,
}

fn id(number: usize) -> HostId {
    let letter = char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]);
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

impl Model {
    fn new(hosts: usize, seed: u64) -> Self {
        let node = |number: usize| Node {
            id: id(number),
            machine: Machine::new(id(number), 1),
            epoch: 1,
            dead: false,
            asleep_until: 0,
            away_until: 0,
            well_since: 0,
            listening: BTreeSet::new(),
        };
        let nodes = (0..hosts).map(node).collect();
        let mut model = Self {
            now: 1,
            nodes,
            on_the_way: BTreeMap::new(),
            sent: 0,
            random: seed | 1,
            trouble_percent: 0,
            false_alarms: Vec::new(),
        };
        for number in 0..hosts {
            model.begin(number);
        }
        model
    }

    /// A host comes up: it reads the facts, and connects.
    fn begin(&mut self, number: usize) {
        let known = (0..self.nodes.len()).map(id).collect();
        self.give(number, Event::Known(known));
        self.give(number, Event::Connected);
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn is_there(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        !node.dead && node.away_until <= self.now
    }

    fn is_awake(&self, number: usize) -> bool {
        self.is_there(number) && self.nodes[number].asleep_until <= self.now
    }

    /// Lets a host take in an event, and does what it wants.
    fn give(&mut self, number: usize, event: Event) {
        let effects = self.nodes[number].machine.on(self.now, event);
        for effect in effects {
            self.carry_out(number, effect);
        }
    }

    fn carry_out(&mut self, number: usize, effect: Effect) {
        let me = self.nodes[number].id.clone();
        match effect {
            Effect::Listen(hosts) => self.nodes[number].listening = hosts,
            Effect::Say { to, beat } => {
                for other in 0..self.nodes.len() {
                    let hears = to != Audience::Neighbours || self.nodes[other].listening.contains(&me);
                    if other != number && hears {
                        self.send(other, Message::Beat(me.clone(), beat));
                        if to == Audience::AllToAnswer && self.is_awake(other) {
                            let from = self.nodes[other].id.clone();
                            let beat = self.nodes[other].machine.answer();
                            self.send(number, Message::Outcome(Event::Answer { from, beat }));
                        }
                    }
                }
            }
            Effect::TellLost { host, last, .. } => {
                let lost = self.nodes.iter().position(|node| node.id == host).unwrap();
                if self.is_awake(lost) && self.now - self.nodes[lost].well_since > 4000 {
                    self.false_alarms.push(format!("{number} of {lost} at {}", self.now));
                }
                for other in (0..self.nodes.len()).filter(|other| *other != number) {
                    self.send(other, Message::Told(host.clone(), last));
                }
            }
            Effect::TellBack { host, beat } => {
                for other in (0..self.nodes.len()).filter(|other| *other != number) {
                    self.send(other, Message::Beat(host.clone(), beat));
                }
            }
            Effect::Ask { host, number: question } => {
                let asked = self.nodes.iter().position(|node| node.id == host).unwrap();
                let lost = self.roll(100) < self.trouble_percent;
                let (after, event) = if !self.is_there(asked) {
                    (1, Event::Silence { host, number: question, why: Silence::NoListener })
                } else if self.nodes[asked].asleep_until > self.now || lost {
                    (ASKED_WITHIN_MS, Event::Silence { host, number: question, why: Silence::NoAnswer })
                } else {
                    (2, Event::Answer { from: host, beat: self.nodes[asked].machine.answer() })
                };
                self.sent += 1;
                self.on_the_way.insert((self.now + after, self.sent), (number, Message::Outcome(event)));
            }
        }
    }

    fn send(&mut self, to: usize, message: Message) {
        if self.roll(100) < self.trouble_percent {
            return;
        }
        let late = self.roll(100) < self.trouble_percent;
        let twice = self.roll(100) < self.trouble_percent;
        let after = if late { self.roll(3000) } else { 1 };
        for again in 0..=u64::from(twice) {
            self.sent += 1;
            self.on_the_way.insert((self.now + after + again * 900, self.sent), (to, message.clone()));
        }
    }

    fn cause(&mut self, trouble: &Trouble) {
        let count = self.nodes.len();
        match *trouble {
            Trouble::Kill(number) => self.nodes[number % count].dead = true,
            Trouble::Restart(number) => {
                let number = number % count;
                let node = &mut self.nodes[number];
                node.epoch += 1;
                node.machine = Machine::new(node.id.clone(), node.epoch);
                (node.dead, node.asleep_until, node.away_until, node.well_since) = (false, 0, 0, self.now);
                self.begin(number);
            }
            Trouble::Sleep(number, ms) => {
                let node = &mut self.nodes[number % count];
                node.asleep_until = self.now + ms;
                node.well_since = node.asleep_until.max(node.well_since);
            }
            Trouble::Disconnect(number, ms) => {
                let number = number % count;
                if self.is_awake(number) {
                    self.nodes[number].well_since = self.now + ms;
                    self.nodes[number].away_until = self.now + ms;
                    self.give(number, Event::Disconnected);
                }
            }
            Trouble::Network(percent) => self.trouble_percent = percent,
        }
    }

    fn run(&mut self, ms: At) {
        let until = self.now + ms;
        while self.now < until {
            self.now += STEP_MS;
            for number in 0..self.nodes.len() {
                let node = &mut self.nodes[number];
                // The connection comes back.
                if !node.dead
                    && node.away_until != 0
                    && node.away_until <= self.now
                    && node.asleep_until <= self.now
                {
                    node.away_until = 0;
                    self.give(number, Event::Connected);
                }
            }
            while let Some(entry) = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to, message) = entry.remove();
                // Whoever sleeps or is away hears nothing, but its own questions run out of time, and that is
                // the first it learns.
                if let Message::Outcome(event) = &message
                    && !self.is_awake(to)
                {
                    self.run_out(to, event.clone());
                    continue;
                }
                if self.is_awake(to) {
                    let event = match message {
                        Message::Beat(from, beat) => Event::Beat { from, beat },
                        Message::Told(host, last) => Event::Told { host, last },
                        Message::Outcome(event) => event,
                    };
                    self.give(to, event);
                }
            }
            for number in 0..self.nodes.len() {
                let node = &self.nodes[number];
                if !node.dead && node.asleep_until <= self.now {
                    self.give(number, Event::Tick { load: 0 });
                }
            }
        }
    }

    /// A question whose answer did not come through: its time is up once the host is awake.
    fn run_out(&mut self, asker: usize, event: Event) {
        let Event::Silence { host, number, .. } = event else { return };
        let silence = Event::Silence { host, number, why: Silence::NoAnswer };
        let awake_at = self.nodes[asker].asleep_until;
        if awake_at > self.now {
            self.sent += 1;
            self.on_the_way.insert((awake_at, self.sent), (asker, Message::Outcome(silence)));
        } else if !self.nodes[asker].dead {
            self.give(asker, silence);
        }
    }

    /// Pairs of a living host and another one of which it is wrong.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, node) in self.nodes.iter().enumerate().filter(|(number, _)| self.is_awake(*number)) {
            let sightings = node.machine.sightings();
            for (other, seen) in self.nodes.iter().enumerate().filter(|(other, _)| *other != number) {
                let standing = sightings.get(&seen.id).map(|sighting| sighting.standing);
                let right = match self.is_awake(other) {
                    true => standing == Some(Standing::Alive),
                    false => standing != Some(Standing::Alive),
                };
                if !right {
                    wrong.push(format!("{number} takes {other} for {standing:?}"));
                }
            }
        }
        wrong
    }
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        (0_usize..8).prop_map(Trouble::Kill),
        (0_usize..8).prop_map(Trouble::Restart),
        (0_usize..8, 100_u64..9000).prop_map(|(host, ms)| Trouble::Sleep(host, ms)),
        (0_usize..8, 100_u64..9000).prop_map(|(host, ms)| Trouble::Disconnect(host, ms)),
        (0_u64..60).prop_map(Trouble::Network),
    ]
}

#[test]
fn hosts_see_each_other_at_once_and_a_killed_one_is_lost_within_three_seconds() {
    for hosts in 2..12 {
        let mut model = Model::new(hosts, 7);
        model.run(1000);
        assert_eq!(model.wrong(), Vec::<String>::new());
        for phase in 0..7 {
            model.run(9000 + phase * 100);
            assert_eq!(model.wrong(), Vec::<String>::new());
            model.cause(&Trouble::Kill(1));
            model.run(2900);
            assert_eq!(model.wrong(), Vec::<String>::new(), "{hosts} hosts, phase {phase}");
            model.cause(&Trouble::Restart(1));
            model.run(1000);
            assert_eq!(model.wrong(), Vec::<String>::new(), "{hosts} hosts, phase {phase}");
        }
    }
}

#[test]
fn a_sleeper_is_lost_and_comes_back_and_judges_nobody() {
    let mut model = Model::new(5, 3);
    model.run(5000);
    model.cause(&Trouble::Sleep(2, 6000));
    model.run(3300);
    assert_eq!(model.wrong(), Vec::<String>::new());
    model.run(3000);
    assert_eq!(model.wrong(), Vec::<String>::new(), "it is back, and thinks well of the others");
}

#[test]
fn what_is_known_better_is_not_taken_over() {
    let mut machine = Machine::new(id(0), 5);
    let beat = |sequence| Beat { epoch: 1, sequence, ..Beat::default() };
    machine.on(1, Event::Connected);
    machine.on(1, Event::Beat { from: id(1), beat: beat(8) });
    let standing = |machine: &Machine| machine.sightings()[&id(1)].standing;
    machine.on(2, Event::Told { host: id(1), last: beat(7) });
    assert_eq!(standing(&machine), Standing::Alive, "it was heard since");
    machine.on(3, Event::Told { host: id(1), last: beat(9) });
    assert_eq!(standing(&machine), Standing::Lost);
    machine.on(4, Event::Beat { from: id(1), beat: beat(9) });
    assert_eq!(standing(&machine), Standing::Lost, "a late beat");
    machine.on(5, Event::Beat { from: id(1), beat: beat(10) });
    assert_eq!(standing(&machine), Standing::Alive);
    // Of oneself: an old word is true, a word about this life is contradicted, once.
    machine.on(900, Event::Tick { load: 0 });
    let said = |machine: &mut Machine, epoch| {
        machine.on(900, Event::Told { host: id(0), last: Beat { epoch, ..beat(3) } }).len()
    };
    assert_eq!((said(&mut machine, 4), said(&mut machine, 5), said(&mut machine, 5)), (0, 1, 0));
}

#[test]
fn a_question_that_ran_out_while_this_host_slept_or_was_away_proves_nothing() {
    for event in [Event::Tick { load: 0 }, Event::Disconnected] {
        let slept = matches!(event, Event::Tick { .. });
        let mut machine = Machine::new(id(0), 1);
        machine.on(1, Event::Connected);
        machine.on(1, Event::Beat { from: id(1), beat: Beat { epoch: 1, sequence: 1, ..Beat::default() } });
        let mut asked = None;
        for step in 1..40 {
            for effect in machine.on(step * STEP_MS, Event::Tick { load: 0 }) {
                if let Effect::Ask { host, number } = effect {
                    asked = Some((host, number));
                }
            }
        }
        let (host, number) = asked.unwrap();
        machine.on(4000, event);
        let at = if slept { 9000 } else { 4100 };
        machine.on(at, Event::Silence { host, number, why: Silence::NoAnswer });
        assert_eq!(machine.sightings()[&id(1)].standing, Standing::Alive);
    }
}

#[test]
fn who_lost_its_connection_judges_nobody() {
    let mut model = Model::new(4, 3);
    model.run(5000);
    model.cause(&Trouble::Disconnect(0, 8000));
    model.run(7000);
    let seen = model.nodes[0].machine.sightings();
    assert!(seen.values().all(|sighting| sighting.standing == Standing::Alive), "{seen:?}");
    model.run(2000);
    assert_eq!(model.wrong(), Vec::<String>::new());
}

#[test]
fn a_goodbye_is_known_at_once_and_late_beats_do_not_undo_it() {
    let mut model = Model::new(3, 3);
    model.run(3000);
    model.give(0, Event::Stop);
    model.nodes[0].dead = true;
    model.run(100);
    let standing = |model: &Model, of: usize| model.nodes[1].machine.sightings()[&id(of)].standing;
    assert_eq!(standing(&model, 0), Standing::Gone);
    model.give(1, Event::Beat { from: id(0), beat: Beat { epoch: 1, sequence: 2, ..Beat::default() } });
    model.run(3000);
    assert_eq!(standing(&model, 0), Standing::Gone);
    assert_eq!(standing(&model, 2), Standing::Alive);
}

#[test]
fn a_host_whose_clock_was_set_back_is_found_all_the_same() {
    let mut model = Model::new(3, 3);
    model.run(3000);
    model.cause(&Trouble::Kill(0));
    model.run(4000);
    // As with a lost data folder: this life seems to be before the last one.
    model.nodes[0].machine = Machine::new(id(0), 0);
    model.nodes[0].dead = false;
    model.begin(0);
    model.run(3000);
    assert_eq!(model.wrong(), Vec::<String>::new());
}

#[test]
fn a_host_that_died_before_this_one_came_is_lost_without_a_word() {
    let mut machine = Machine::new(id(0), 1);
    machine.on(1, Event::Known([id(0), id(1)].into()));
    machine.on(1, Event::Connected);
    let mut asked = None;
    for step in 1..20 {
        for effect in machine.on(step * STEP_MS, Event::Tick { load: 0 }) {
            assert!(!matches!(effect, Effect::TellLost { .. }));
            if let Effect::Ask { host, number } = effect {
                asked = Some(number);
                let silence = Event::Silence { host, number, why: Silence::NoListener };
                assert_eq!(machine.on(step * STEP_MS, silence), [Effect::Listen(BTreeSet::new())]);
            }
        }
    }
    assert!(asked.is_some());
    assert_eq!(machine.sightings()[&id(1)].standing, Standing::Lost);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// After whatever went wrong, and half a minute of calm: who lives and is connected is alive for everybody, and who
    /// is dead for nobody.
    #[test]
    fn in_the_end_everybody_is_right(
        hosts in 2_usize..8,
        seed: u64,
        troubles in proptest::collection::vec((trouble(), 0_u64..4000), 0..14),
    ) {
        let mut model = Model::new(hosts, seed);
        for (trouble, pause) in &troubles {
            model.cause(trouble);
            model.run(*pause);
        }
        model.cause(&Trouble::Network(0));
        model.run(9000 + 2 * 10_000 + 6 * 3000);
        prop_assert_eq!(model.wrong(), Vec::<String>::new());
    }

    /// While the network is well nobody who is well is taken for lost, whatever befalls the others.
    #[test]
    fn nobody_is_wronged(
        hosts in 2_usize..8,
        seed: u64,
        troubles in proptest::collection::vec((trouble(), 0_u64..4000), 0..14),
    ) {
        let mut model = Model::new(hosts, seed);
        for (trouble, pause) in troubles.iter().filter(|(trouble, _)| !matches!(trouble, Trouble::Network(_))) {
            model.cause(trouble);
            model.run(*pause);
        }
        model.run(10_000);
        prop_assert_eq!(model.false_alarms, Vec::<String>::new());
    }
}
