//! The task of presence: beats, listens, asks, and tells what the machine makes of it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use futures::FutureExt as _;
use lattice_control_interface::events::{EventData as _, HostBack, HostLost};
use lattice_core::{
    Beat, BeatAnswer, BeatKind, BeatSubject, Event as LatticeEvent, EventName, HostId, beat_all_subscription,
    event_subject, is_inbox,
};
use lattice_nats::{Connection, Gather, Message, RequestError, Subscription};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Sighting, Sightings,
    ear::Ears,
    load::load_of,
    machine::{Audience, BEAT_MS, Effect, Event, Machine, Silence},
    voice::Voice,
};
use crate::{about::About, actors::Actors, events::Events, lattice::Lattice, supervisor::Tasks};

/// How often silence is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long a host may take to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How long answers to the first full beat are collected.
const HELLO: Gather = Gather { window: Duration::from_secs(1), quiet: Some(Duration::from_millis(300)) };
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// How long a stopping host waits for its goodbye to leave.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// What was heard and waits to be taken in; more is dropped, since beats come again.
const HEARD_MAX: usize = 1024;

/// What the task needs.
pub(crate) struct Parts<'a> {
    pub(crate) about: &'a Arc<About>,
    pub(crate) actors: &'a Actors,
    pub(crate) connection: &'a Connection,
    pub(crate) events: &'a Events,
    pub(crate) lattice: &'a Lattice,
    pub(crate) tasks: &'a Tasks,
    /// Of this life of the host.
    pub(crate) epoch: u64,
}

/// Presence, running.
#[derive(Clone)]
pub(crate) struct Presence {
    seen: watch::Receiver<Arc<Sightings>>,
    leaving: CancellationToken,
    left: watch::Receiver<bool>,
}

impl Presence {
    /// Begins to beat and to listen. When this returns, this host is heard, and hears full beats.
    pub(crate) async fn start(parts: &Parts<'_>) -> anyhow::Result<Self> {
        let (seen, sightings) = watch::channel(Arc::default());
        let (leaving, (leave, left)) = (CancellationToken::new(), watch::channel(false));
        let (name, me) = (&parts.about.lattice, &parts.about.id);
        let ask = BeatSubject { lattice: name.clone(), host: me.clone(), kind: BeatKind::Ask };
        let subjects = [
            beat_all_subscription(name),
            ask.to_string(),
            event_subject(name, Some(EventName::HostLost)),
            event_subject(name, Some(EventName::HostBack)),
        ];
        let messages = parts
            .connection
            .subscribe_in_force(subjects.map(|subject| (subject, None)), SUBSCRIBE_WITHIN)
            .await
            .context("cannot listen for other hosts")?;
        let (heard, inbox) = mpsc::channel(HEARD_MAX);
        let task = Task {
            machine: Machine::new(me.clone(), parts.epoch),
            voice: Voice::start(parts.connection, parts.tasks),
            ears: Ears::new(parts.connection, name, parts.tasks, heard.clone()),
            about: parts.about.clone(),
            actors: parts.actors.clone(),
            connection: parts.connection.clone(),
            events: parts.events.clone(),
            lattice: parts.lattice.clone(),
            tasks: parts.tasks.clone(),
            heard,
            seen,
            begun: Instant::now(),
        };
        parts.tasks.spawn_core("presence", task.run(messages, inbox, leaving.clone(), leave));
        Ok(Self { seen: sightings, leaving, left })
    }

    /// How the other hosts stand; tells when that changes, and now and then when only their loads do.
    pub(crate) fn sightings(&self) -> watch::Receiver<Arc<Sightings>> {
        self.seen.clone()
    }

    /// Says goodbye: from now on others give this host no calls. Returns when that has left, or after a second.
    pub(crate) async fn leave(&self) {
        self.leaving.cancel();
        let mut left = self.left.clone();
        // Late or not: the host stops, and others find out.
        let _ = tokio::time::timeout(GOODBYE_WITHIN, left.wait_for(|left| *left)).await;
    }
}

struct Task {
    machine: Machine,
    voice: Voice,
    ears: Ears,
    about: Arc<About>,
    actors: Actors,
    connection: Connection,
    events: Events,
    lattice: Lattice,
    tasks: Tasks,
    heard: mpsc::Sender<Event>,
    seen: watch::Sender<Arc<Sightings>>,
    begun: Instant,
}

impl Task {
    async fn run(
        mut self,
        mut messages: Subscription,
        mut inbox: mpsc::Receiver<Event>,
        leaving: CancellationToken,
        left: watch::Sender<bool>,
    ) {
        let stop = self.tasks.stop_token();
        let (mut changed, mut connected) = (self.lattice.changed().listen(), self.connection.connected());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.take(Event::Known(self.known()));
        self.take_connected(*connected.borrow_and_update());
        let mut loaded_at = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = leaving.cancelled() => break,
                message = messages.next() => match message {
                    Some(message) => self.hear(&message),
                    None => return,
                },
                Some(event) = inbox.recv() => self.take(event),
                heard = changed.changed() => match heard {
                    Ok(()) => self.take(Event::Known(self.known())),
                    Err(_) => return,
                },
                heard = connected.changed() => match heard {
                    Ok(()) => {
                        let now = *connected.borrow_and_update();
                        self.take_connected(now);
                    }
                    Err(_) => return,
                },
                _ = ticks.tick() => {
                    // What was heard already is no silence, even if this task was slow to take it.
                    self.drain(&mut messages, &mut inbox);
                    self.take(Event::Tick { load: load_of(&self.actors) });
                    if loaded_at.elapsed() >= Duration::from_millis(BEAT_MS) {
                        loaded_at = Instant::now();
                        self.show(true);
                    }
                }
            }
        }
        self.say_goodbye().await;
        left.send_replace(true);
        // A core task ends with the host.
        stop.cancelled().await;
    }

    fn drain(&mut self, messages: &mut Subscription, inbox: &mut mpsc::Receiver<Event>) {
        for _ in 0..HEARD_MAX {
            match (messages.next().now_or_never().flatten(), inbox.try_recv().ok()) {
                (None, None) => return,
                (message, event) => {
                    message.iter().for_each(|message| self.hear(message));
                    event.into_iter().for_each(|event| self.take(event));
                }
            }
        }
    }

    fn known(&self) -> std::collections::BTreeSet<HostId> {
        self.lattice.view().hosts.keys().cloned().collect()
    }

    fn take_connected(&mut self, connected: bool) {
        self.take(if connected { Event::Connected } else { Event::Disconnected });
    }

    /// A full beat, a question, or an event about a host.
    fn hear(&mut self, message: &Message) {
        match BeatSubject::parse(&message.subject) {
            Some(BeatSubject { host, kind: BeatKind::All, .. }) if host != self.about.id => {
                let Some(beat) = Beat::from_bytes(&message.payload) else { return };
                self.take(Event::Beat { from: host, beat });
                self.answer(message);
            }
            Some(BeatSubject { kind: BeatKind::Ask, .. }) => self.answer(message),
            Some(_) => {}
            // Only what came as one: which subscription a message comes by is no proof of what it is.
            None if self.is_event(&message.subject) => self.hear_event(&message.payload),
            None => {}
        }
    }

    fn is_event(&self, subject: &str) -> bool {
        let of = |name| event_subject(&self.about.lattice, Some(name)) == subject;
        of(EventName::HostLost) || of(EventName::HostBack)
    }

    fn answer(&mut self, message: &Message) {
        let Some(reply) = message.reply.as_ref().filter(|reply| is_inbox(&self.about.lattice, reply)) else {
            return;
        };
        let answer = BeatAnswer { host: self.about.id.clone(), beat: self.machine.answer() };
        self.voice.say(reply.to_string(), answer.to_bytes().into());
    }

    fn hear_event(&mut self, payload: &[u8]) {
        let Ok(event) = serde_json::from_slice::<LatticeEvent>(payload) else { return };
        if event.source == self.about.id.as_str() {
            return;
        }
        let beat = |epoch, sequence| Beat { epoch, sequence, ..Beat::default() };
        if let Some(lost) = HostLost::read(&event) {
            self.take(Event::Told { host: lost.host_id, last: beat(lost.epoch, lost.sequence) });
        } else if let Some(back) = HostBack::read(&event) {
            self.take(Event::Beat { from: back.host_id, beat: beat(back.epoch, back.sequence) });
        }
    }

    fn take(&mut self, event: Event) {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        for effect in self.machine.on(at, event) {
            self.carry_out(effect);
        }
        self.show(false);
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Say { to: Audience::AllToAnswer, beat } => self.introduce(beat),
            Effect::Say { to, beat } => {
                let kind = if to == Audience::All { BeatKind::All } else { BeatKind::Neighbours };
                self.voice.say(self.subject(&self.about.id, kind), bytes(beat));
            }
            Effect::Listen(hosts) => self.ears.turn_to(&hosts),
            Effect::Ask { host, number } => self.ask(host, number),
            Effect::TellLost { host, last, silent_ms, why } => self.tell_lost(host, last, silent_ms, why),
            Effect::TellBack { host, beat } => {
                let friendly_name = self.name_of(&host);
                info!(%host, name = friendly_name, "host is back");
                let Beat { epoch, sequence, .. } = beat;
                self.events.publish(&HostBack { host_id: host, friendly_name, epoch, sequence });
            }
        }
    }

    fn subject(&self, host: &HostId, kind: BeatKind) -> String {
        BeatSubject { lattice: self.about.lattice.clone(), host: host.clone(), kind }.to_string()
    }

    fn name_of(&self, host: &HostId) -> String {
        self.lattice.view().hosts.get(host).map(|told| told.name.clone()).unwrap_or_default()
    }

    /// The first full beat: everybody answers it.
    fn introduce(&self, beat: Beat) {
        let subject = self.subject(&self.about.id, BeatKind::All);
        let (connection, heard) = (self.connection.clone(), self.heard.clone());
        self.tasks.spawn("presence-hello", async move {
            let answers = connection.scatter(&subject, bytes(beat), HELLO, |_| false).await;
            for answer in answers.iter().flatten().filter_map(|answer| BeatAnswer::from_bytes(answer)) {
                let _ = heard.try_send(Event::Answer { from: answer.host, beat: answer.beat });
            }
        });
    }

    fn ask(&self, host: HostId, number: u64) {
        let subject = self.subject(&host, BeatKind::Ask);
        let (connection, heard) = (self.connection.clone(), self.heard.clone());
        self.tasks.spawn("presence-question", async move {
            let event = question(&connection, &subject, host, number).await;
            // The machine waits for it, and its queue is emptied in milliseconds.
            let _ = heard.send_timeout(event, ANSWER_WITHIN).await;
        });
    }

    fn tell_lost(&self, host: HostId, last: Beat, silent_ms: u64, why: Silence) {
        let friendly_name = self.name_of(&host);
        let reason = match why {
            Silence::NoListener => "nobody listens for it: its process is gone, or its connection to NATS",
            Silence::NoAnswer => "it did not answer within 500 ms: it is frozen, or overloaded",
        };
        warn!(%host, name = friendly_name, silent_ms, reason, "host is lost; it gets no calls until it is heard again");
        self.events.publish(&HostLost {
            host_id: host,
            friendly_name,
            epoch: last.epoch,
            sequence: last.sequence,
            silent_ms,
            reason: reason.to_owned(),
        });
    }

    /// Shows how the others stand, if that changed; loads alone are shown only when asked for.
    fn show(&self, with_loads: bool) {
        let now = self.machine.sightings();
        self.seen.send_if_modified(|seen| {
            let standing = |sightings: &Sightings| -> Vec<_> {
                sightings.iter().map(|(host, Sighting { standing, .. })| (host.clone(), *standing)).collect()
            };
            let changed = if with_loads { **seen != now } else { standing(seen) != standing(&now) };
            if changed {
                *seen = Arc::new(now);
            }
            changed
        });
    }

    async fn say_goodbye(&mut self) {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        for effect in self.machine.on(at, Event::Stop) {
            if let Effect::Say { beat, .. } = effect {
                let subject = self.subject(&self.about.id, BeatKind::All);
                self.voice.say_last(&subject, bytes(beat)).await;
            }
        }
    }
}

fn bytes(beat: Beat) -> Bytes {
    Bytes::copy_from_slice(&beat.to_bytes())
}

/// Asks a host whether it lives. No answer is evidence only if the connection works: then a message to oneself comes back.
async fn question(connection: &Connection, subject: &str, host: HostId, number: u64) -> Event {
    let answer = connection.request(subject, Bytes::new(), ANSWER_WITHIN).await;
    match answer {
        Ok(bytes) => match BeatAnswer::from_bytes(&bytes).filter(|answer| answer.host == host) {
            Some(answer) => Event::Answer { from: host, beat: answer.beat },
            None => Event::Unsure { host, number },
        },
        Err(RequestError::NoResponders { .. }) => Event::Silence { host, number, why: Silence::NoListener },
        Err(RequestError::Timeout { .. }) if connection.round_trip(ANSWER_WITHIN).await.is_ok() => {
            Event::Silence { host, number, why: Silence::NoAnswer }
        }
        Err(_) => Event::Unsure { host, number },
    }
}
