//! Presence as a pure machine: `(state, event) -> (state, effects)`, without clock or I/O.
//!
//! A beat is evidence only while it is newer than what is known; an answer to a question of our own always is. Silence is
//! evidence only after a question, while this host is connected, and if it was not itself asleep. What others tell is taken
//! over unless this host knows better, and every such word is contradicted by the next newer beat. So messages may be
//! lost, repeated or late: who lives and beats is found alive again with its next full beat, who is dead stays silent.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{Beat, HostId};

use super::{
    Sighting,
    peer::{At, Peer, Question, Standing},
    ring,
};

/// Time between two beats.
pub(super) const BEAT_MS: At = 700;
/// Time between two full beats.
pub(super) const FULL_MS: At = 10_000;
/// Three beats missed, and what a message may take.
const SILENT_MS: At = 3 * BEAT_MS + 100;
/// The same for those of whom only full beats are heard: two of them.
const SILENT_FULL_MS: At = 2 * FULL_MS + BEAT_MS;
/// A host that is known by its fact alone gets so long to be heard before it is asked.
const UNHEARD_MS: At = 1000;
/// No event for so long, though there are ticks: this process was asleep.
const ASLEEP_MS: At = 1000;
/// Time between two full beats that contradict.
const CONTRADICT_EVERY_MS: At = 300;
/// Questions that are on their way at once.
const QUESTIONS_MAX: usize = 32;
/// The most hosts that are kept in mind.
const PEERS_MAX: usize = 4096;
/// What is kept of a host that has gone, so that its late beats are known as such.
const GONE_KEPT_MS: At = 60_000;

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// The hosts that have a fact.
    Known(BTreeSet<HostId>),
    /// A beat was heard, or one that another host heard was told.
    Beat { from: HostId, beat: Beat },
    /// A host answered a question of this one.
    Answer { from: HostId, beat: Beat },
    /// A host did not answer, and the question had reached NATS.
    Silence { host: HostId, number: u64, why: Silence },
    /// A question came to nothing that proves anything.
    Unsure { host: HostId, number: u64 },
    /// Another host tells that one is lost, and which beat of it was the last.
    Told { host: HostId, last: Beat },
    /// Time passed; how busy this host is.
    Tick { load: u16 },
    /// The connection to NATS is there.
    Connected,
    /// The connection to NATS is lost.
    Disconnected,
    /// This host stops in order.
    Stop,
}

/// How a host was silent when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody listens for it: its process is gone, or its connection is.
    NoListener,
    /// It listens, as NATS sees it, and does not answer.
    NoAnswer,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Say a beat of this host.
    Say { to: Audience, beat: Beat },
    /// Listen to the beats of exactly these.
    Listen(BTreeSet<HostId>),
    /// Ask this host.
    Ask { host: HostId, number: u64 },
    /// Tell everybody that a host is lost.
    TellLost { host: HostId, last: Beat, silent_ms: At, why: Silence },
    /// Tell everybody that a host that was lost is back.
    TellBack { host: HostId, beat: Beat },
}

/// Whom a beat is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// The neighbours on the ring.
    Neighbours,
    /// Everybody.
    All,
    /// Everybody, and each shall answer: this host is new.
    AllToAnswer,
}

/// What one host makes of what it hears.
#[derive(Debug)]
pub(super) struct Machine {
    me: HostId,
    own: Beat,
    known: BTreeSet<HostId>,
    peers: BTreeMap<HostId, Peer>,
    listening: BTreeSet<HostId>,
    connected: bool,
    /// It has been connected before, so others know it.
    introduced: bool,
    stopped: bool,
    questions: u64,
    seen_at: At,
    beat_at: At,
    full_at: At,
}

impl Machine {
    /// A host that is not connected yet.
    pub(super) fn new(me: HostId, epoch: u64) -> Self {
        Self {
            me,
            own: Beat { epoch, ..Beat::default() },
            known: BTreeSet::new(),
            peers: BTreeMap::new(),
            listening: BTreeSet::new(),
            connected: false,
            introduced: false,
            stopped: false,
            questions: 0,
            seen_at: 0,
            beat_at: 0,
            full_at: 0,
        }
    }

    /// Takes an event in; what is to be done about it.
    pub(super) fn on(&mut self, at: At, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.stopped {
            return effects;
        }
        self.notice_sleep(at, &mut effects);
        match event {
            Event::Known(hosts) => self.on_known(at, hosts, &mut effects),
            Event::Beat { from, beat } => self.on_beat(at, from, beat, &mut effects),
            Event::Answer { from, beat } => self.on_answer(at, from, beat, &mut effects),
            Event::Silence { host, number, why } => self.on_silence(at, host, number, why, &mut effects),
            Event::Unsure { host, number } => {
                if let Some(peer) =
                    self.peers.get_mut(&host).filter(|peer| peer.asked == Some(Question { number }))
                {
                    peer.asked = None;
                    peer.silent_from = at;
                }
            }
            Event::Told { host, last } => self.on_told(at, &host, last, &mut effects),
            Event::Tick { load } => self.on_tick(at, load, &mut effects),
            Event::Connected => self.on_connected(at, &mut effects),
            Event::Disconnected => self.connected = false,
            Event::Stop => {
                self.own.goodbye = true;
                self.say(at, Audience::All, &mut effects);
                self.stopped = true;
            }
        }
        self.listen(at, &mut effects);
        effects
    }

    /// The next beat of this host, as the answer to a question.
    pub(super) fn answer(&mut self) -> Beat {
        self.own.sequence += 1;
        self.own
    }

    /// How the other hosts stand.
    pub(super) fn sightings(&self) -> BTreeMap<HostId, Sighting> {
        let sighting =
            |peer: &Peer| Sighting { standing: peer.standing, load: peer.last.map_or(0, |beat| beat.load) };
        self.peers.iter().map(|(host, peer)| (host.clone(), sighting(peer))).collect()
    }

    /// Whoever slept heard nothing, and may have been taken for lost: it judges nobody for a whole round, and shows itself.
    fn notice_sleep(&mut self, at: At, effects: &mut Vec<Effect>) {
        let slept = at.saturating_sub(self.seen_at) > ASLEEP_MS && self.introduced;
        self.seen_at = at;
        if slept {
            self.begin_round(at);
            self.say(at, Audience::All, effects);
        }
    }

    /// From now on silence counts anew, and questions that are on their way prove nothing.
    fn begin_round(&mut self, at: At) {
        for peer in self.peers.values_mut() {
            peer.silent_from = at;
            peer.asked = None;
        }
    }

    fn say(&mut self, at: At, to: Audience, effects: &mut Vec<Effect>) {
        if !self.connected {
            return;
        }
        self.own.sequence += 1;
        self.beat_at = at + BEAT_MS;
        if to != Audience::Neighbours {
            self.full_at = at + FULL_MS;
        }
        effects.push(Effect::Say { to, beat: self.own });
    }

    fn on_known(&mut self, at: At, hosts: BTreeSet<HostId>, effects: &mut Vec<Effect>) {
        for host in hosts.difference(&self.known).filter(|host| **host != self.me) {
            let peer = self.peers.entry(host.clone()).or_insert_with(|| Peer::new(Standing::Unheard, at));
            peer.was_known = true;
            if peer.standing == Standing::Gone {
                // It has been started again; its beats will say so too.
                peer.standing = Standing::Unheard;
                peer.silent_from = at;
            }
        }
        let before = std::mem::replace(&mut self.known, hosts);
        let taken_back: Vec<HostId> = before.difference(&self.known).cloned().collect();
        for host in &taken_back {
            match self.peers.get_mut(host) {
                // Its goodbye was lost, or somebody deleted the fact of a host that lives.
                Some(peer) if peer.standing == Standing::Alive => self.ask(host, effects),
                Some(peer) => leave(peer, at),
                None => {}
            }
        }
    }

    fn on_beat(&mut self, at: At, from: HostId, beat: Beat, effects: &mut Vec<Effect>) {
        if from == self.me || (self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&from)) {
            return;
        }
        let peer = self.peers.entry(from.clone()).or_insert_with(|| Peer::new(Standing::Unheard, at));
        if peer.has_heard(&beat) {
            // Late beats prove nothing. But a host whose epoch fell back beats as if late, so whoever is not taken to
            // live is asked.
            if !peer.is_on_ring() && !beat.goodbye && at.saturating_sub(peer.silent_from) > UNHEARD_MS {
                peer.silent_from = at;
                self.ask(&from, effects);
            }
            return;
        }
        if beat.goodbye {
            peer.last = Some(beat);
            return leave(peer, at);
        }
        self.revive(at, from, beat, effects);
    }

    fn on_answer(&mut self, at: At, from: HostId, beat: Beat, effects: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get(&from) else { return self.on_beat(at, from, beat, effects) };
        // An answer that its goodbye has overtaken.
        let has_left =
            peer.standing == Standing::Gone && peer.last.is_some_and(|last| last.epoch == beat.epoch);
        if !has_left && !beat.goodbye {
            self.revive(at, from, beat, effects);
        }
    }

    /// A host was heard just now.
    fn revive(&mut self, at: At, host: HostId, beat: Beat, effects: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&host) else { return };
        let told_lost = std::mem::take(&mut peer.told_lost);
        (peer.standing, peer.last, peer.silent_from, peer.asked) = (Standing::Alive, Some(beat), at, None);
        if told_lost && self.connected {
            effects.push(Effect::TellBack { host, beat });
        }
    }

    fn on_silence(&mut self, at: At, host: HostId, number: u64, why: Silence, effects: &mut Vec<Effect>) {
        let is_known = self.known.contains(&host);
        let Some(peer) = self.peers.get_mut(&host).filter(|peer| peer.asked == Some(Question { number }))
        else {
            return;
        };
        peer.asked = None;
        if !self.connected || !peer.is_on_ring() {
            return;
        }
        // It took its fact back, and its goodbye was lost.
        if peer.was_known && !is_known {
            return leave(peer, at);
        }
        let silent_ms = at.saturating_sub(peer.silent_from);
        peer.standing = Standing::Lost;
        peer.silent_from = at;
        // Who was never heard is news to nobody: it was lost before this host came.
        if let Some(last) = peer.last {
            peer.told_lost = true;
            effects.push(Effect::TellLost { host, last, silent_ms, why });
        }
    }

    fn on_told(&mut self, at: At, host: &HostId, last: Beat, effects: &mut Vec<Effect>) {
        if *host == self.me {
            // Contradicted by beating, once for the words of several; a word about an earlier life is true.
            let said_ago = (at + FULL_MS).saturating_sub(self.full_at);
            if last.epoch >= self.own.epoch && said_ago > CONTRADICT_EVERY_MS {
                self.say(at, Audience::All, effects);
            }
            return;
        }
        let Some(peer) = self.peers.get_mut(host).filter(|peer| peer.is_on_ring()) else { return };
        // This host has heard it since.
        if peer.last.is_some_and(|own| own.is_after(&last)) {
            return;
        }
        peer.learn(last);
        peer.standing = Standing::Lost;
        peer.silent_from = at;
        peer.asked = None;
    }

    fn on_connected(&mut self, at: At, effects: &mut Vec<Effect>) {
        self.connected = true;
        self.begin_round(at);
        let to = if self.introduced { Audience::All } else { Audience::AllToAnswer };
        self.introduced = true;
        self.say(at, to, effects);
    }

    fn on_tick(&mut self, at: At, load: u16, effects: &mut Vec<Effect>) {
        self.own.load = load;
        if at >= self.full_at {
            self.say(at, Audience::All, effects);
        } else if at >= self.beat_at {
            self.say(at, Audience::Neighbours, effects);
        }
        let known = &self.known;
        self.peers.retain(|host, peer| {
            peer.is_on_ring() || known.contains(host) || at.saturating_sub(peer.silent_from) < GONE_KEPT_MS
        });
        // Who is not connected judges nobody.
        if !self.connected {
            return;
        }
        let silent: Vec<HostId> = self
            .peers
            .iter()
            .filter(|(host, peer)| self.is_silent(at, host, peer))
            .map(|(host, _)| host.clone())
            .collect();
        for host in silent {
            self.ask(&host, effects);
        }
    }

    fn is_silent(&self, at: At, host: &HostId, peer: &Peer) -> bool {
        let patience = match peer.standing {
            Standing::Unheard => UNHEARD_MS,
            Standing::Alive if self.listening.contains(host) => SILENT_MS,
            Standing::Alive => SILENT_FULL_MS,
            Standing::Lost | Standing::Gone => return false,
        };
        peer.asked.is_none() && at.saturating_sub(peer.silent_from) > patience
    }

    /// Asks a host, unless it is being asked, or too many are: then with a later tick.
    fn ask(&mut self, host: &HostId, effects: &mut Vec<Effect>) {
        let open = self.peers.values().filter(|peer| peer.asked.is_some()).count();
        let may = open < QUESTIONS_MAX && self.connected;
        let Some(peer) = self.peers.get_mut(host).filter(|peer| may && peer.asked.is_none()) else { return };
        self.questions += 1;
        let number = self.questions;
        peer.asked = Some(Question { number });
        effects.push(Effect::Ask { host: host.clone(), number });
    }

    /// Listens to the right ones. Of whoever is new among them silence counts from now on.
    fn listen(&mut self, at: At, effects: &mut Vec<Effect>) {
        let ring = self.peers.iter().filter(|(_, peer)| peer.is_on_ring()).map(|(host, _)| host).collect();
        let wanted: BTreeSet<HostId> = ring::before(&self.me, &ring).into_iter().cloned().collect();
        if wanted == self.listening {
            return;
        }
        for host in wanted.difference(&self.listening) {
            if let Some(peer) = self.peers.get_mut(host) {
                peer.silent_from = at;
            }
        }
        self.listening.clone_from(&wanted);
        effects.push(Effect::Listen(wanted));
    }
}

/// It stopped in order.
fn leave(peer: &mut Peer, at: At) {
    peer.standing = Standing::Gone;
    peer.silent_from = at;
    peer.asked = None;
}
