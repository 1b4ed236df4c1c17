//! Watching for hosts of wasmCloud 1.x that come after this one: listens to their events, asks them, and says so.

use std::{sync::Arc, time::Duration};

use lattice_control_interface::{Client, ControlError, HostInventory, events::EventData as _};
use lattice_core::{Event as LatticeEvent, EventName, HostId};
use lattice_nats::{Connection, EventStream};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::neighbours::{Answer, Ask, Event, Neighbours};
use crate::{
    about::About,
    health::{Cause, Health},
    lattice::Lattice,
    supervisor::Tasks,
};

/// How often time passes for the machine.
const TICK: Duration = Duration::from_millis(500);
/// How long a host may take to say what it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// A subscription that cannot be made now is made later.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(2);
/// Answers that wait to be taken in: the machine asks no more hosts than this at once.
const ANSWERS_MAX: usize = 64;
/// So many hosts are named; of more it is told that there are.
const NAMED_MAX: usize = 5;

/// What watching takes.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) about: Arc<About>,
    pub(crate) connection: Connection,
    pub(crate) lattice: Lattice,
    pub(crate) health: Health,
    pub(crate) tasks: Tasks,
}

impl Watch {
    /// Watches until stopped.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
        let mut watcher =
            Watcher { watch: self, neighbours: Neighbours::default(), begun: Instant::now(), answers };
        let Some(Some(mut events)) = stop.run_until_cancelled(watcher.subscribe()).await else { return };
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.next() => match event {
                    Some(event) => watcher.hear(&event),
                    // The connection was closed: the host stops.
                    None => return stop.cancelled().await,
                },
                Some(event) = answered.recv() => watcher.take(event),
                _ = ticks.tick() => watcher.take(Event::Tick),
            }
        }
    }
}

struct Watcher {
    watch: Watch,
    neighbours: Neighbours,
    begun: Instant,
    answers: mpsc::Sender<Event>,
}

impl Watcher {
    async fn subscribe(&self) -> Option<EventStream> {
        let names = [EventName::HostStarted, EventName::HostHeartbeat, EventName::HostStopped];
        loop {
            let Watch { about, connection, .. } = &self.watch;
            match EventStream::subscribe(connection, &about.lattice, &names).await {
                Ok(events) => return Some(events),
                Err(error) => debug!(%error, "events of other hosts are not heard yet"),
            }
            sleep(SUBSCRIBE_AGAIN).await;
        }
    }

    /// What an event says of a host that is not known to be of our kind.
    fn hear(&mut self, event: &LatticeEvent) {
        let Ok(host) = HostId::new(event.source.as_str()) else { return };
        if self.is_ours(&host) {
            return;
        }
        match event.name() {
            Some(EventName::HostStarted) => self.take(Event::Started { host }),
            Some(EventName::HostStopped) => self.take(Event::Stopped { host }),
            Some(EventName::HostHeartbeat) => {
                if let Some(inventory) = HostInventory::read(event)
                    && let Answer::V1 { name } = what_is(&inventory)
                {
                    self.take(Event::Heard { host, name });
                }
            }
            _ => {}
        }
    }

    /// True if the host has a fact, as hosts of our kind have.
    fn is_ours(&self, host: &HostId) -> bool {
        *host == self.watch.about.id || self.watch.lattice.view().hosts.contains_key(host)
    }

    fn take(&mut self, event: Event) {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        for ask in self.neighbours.on(at, event) {
            self.ask(ask);
        }
        let names: Vec<String> =
            self.neighbours.of_v1().map(|(host, name)| format!("{name} ({host})")).collect();
        self.watch.health.set(Cause::V1Hosts, reason(&self.watch.about, &names));
    }

    fn ask(&self, Ask { host, number }: Ask) {
        let (is_ours, answers) = (self.is_ours(&host), self.answers.clone());
        let Watch { about, connection, tasks, .. } = &self.watch;
        let client = Client::new(connection.clone(), about.lattice.clone(), ANSWER_WITHIN);
        tasks.spawn("generations-question", async move {
            let answer = if is_ours { Answer::Ours } else { question(&client, &host).await };
            // Its queue holds as many as there may be questions.
            let _ = answers.send_timeout(Event::Answered { host, number, answer }, ANSWER_WITHIN).await;
        });
    }
}

async fn question(client: &Client, host: &HostId) -> Answer {
    match client.get_host_inventory(host).await {
        Ok(inventory) => what_is(&inventory),
        Err(ControlError::NoSuchHost { .. }) => Answer::Nobody,
        Err(ControlError::Timeout { .. }) if client.connection().is_connected() => Answer::Silence,
        Err(_) => Answer::Unsure,
    }
}

/// Hosts of 1.x tell neither links nor engine.
fn what_is(inventory: &HostInventory) -> Answer {
    match (&inventory.links, &inventory.engine) {
        (None, None) => Answer::V1 { name: inventory.friendly_name.clone() },
        _ => Answer::Ours,
    }
}

/// Why that degrades this host, and what mends it; none where there are none.
fn reason(about: &About, names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let named = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(format!(
        "lattice {} has hosts of wasmCloud 1.x: {named}{more}; they keep its links and configurations where this host does \
         not look, and answer commands in its place. Stop them, give them or this host another lattice (--lattice NAME), or \
         start this host with --beside-v1",
        about.lattice
    ))
}

#[cfg(test)]
mod tests {
    use lattice_core::LatticeName;

    use super::*;

    #[test]
    fn an_inventory_without_our_fields_is_of_v1() {
        let id = format!("N{}", "A".repeat(55));
        let of = |more: serde_json::Value| {
            let mut json = serde_json::json!({ "host_id": id, "friendly_name": "old", "components": [], "providers": [] });
            json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            what_is(&serde_json::from_value(json).unwrap())
        };
        assert_eq!(of(serde_json::json!({})), Answer::V1 { name: "old".into() });
        assert_eq!(of(serde_json::json!({ "links": [] })), Answer::Ours);
        assert_eq!(of(serde_json::json!({ "engine": {} })), Answer::Ours);
    }

    #[test]
    fn the_reason_names_them_and_what_to_do() {
        let id = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let about = About::new(
            id,
            LatticeName::default(),
            lattice_core::Labels::default(),
            None,
            String::new(),
            Vec::new(),
        );
        let names: Vec<String> = (0..7).map(|number| format!("old-{number} (N…)")).collect();
        assert_eq!(reason(&about, &[]), None);
        let told = reason(&about, &names[..1]).unwrap();
        assert!(
            told.starts_with("lattice default has hosts of wasmCloud 1.x: old-0 (N…); they keep"),
            "{told}"
        );
        assert!(told.ends_with("--beside-v1"), "{told}");
        assert!(reason(&about, &names).unwrap().contains("old-4 (N…) and 2 more; they"));
    }
}
