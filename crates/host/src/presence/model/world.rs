//! Hosts, each with its machine, the network between them, and what goes wrong with both.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{Beat, HostId};

use crate::presence::{
    machine::{Audience, Effect, Event, Machine, Silence},
    peer::{At, Standing},
};

/// A step of the model, which is also the hosts' tick.
pub(super) const STEP_MS: At = 100;
const ASKED_WITHIN_MS: At = 500;

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    Kill(usize),
    Restart(usize),
    Sleep(usize, At),
    Disconnect(usize, At),
    /// Of a hundred messages so many are lost, and as many are late or repeated.
    Network(u64),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: HostId,
    pub(super) machine: Machine,
    pub(super) epoch: u64,
    pub(super) dead: bool,
    pub(super) asleep_until: At,
    pub(super) away_until: At,
    /// Since when it is up, awake and connected.
    pub(super) well_since: At,
    pub(super) listening: BTreeSet<HostId>,
}

#[derive(Debug, Clone)]
enum Message {
    Beat(HostId, Beat),
    Told(HostId, Beat),
    /// Goes to the one who asked, and holds the question.
    Outcome(Event),
}

pub(super) struct Model {
    now: At,
    pub(super) nodes: Vec<Node>,
    /// By time of arrival; the second number keeps the order of sending.
    on_the_way: BTreeMap<(At, u64), (usize, Message)>,
    sent: u64,
    random: u64,
    trouble_percent: u64,
    /// Told losses of hosts that had been well for a while, though the network was.
    pub(super) false_alarms: Vec<String>,
}

pub(super) fn id(number: usize) -> HostId {
    let letter = char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]);
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

impl Model {
    pub(super) fn new(hosts: usize, seed: u64) -> Self {
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
    pub(super) fn begin(&mut self, number: usize) {
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
    pub(super) fn give(&mut self, number: usize, event: Event) {
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
                if self.is_awake(lost) && self.now.saturating_sub(self.nodes[lost].well_since) > 4000 {
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

    pub(super) fn cause(&mut self, trouble: &Trouble) {
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

    pub(super) fn run(&mut self, ms: At) {
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
    pub(super) fn wrong(&self) -> Vec<String> {
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
