//! What this host tells the lattice of itself: its fact, kept in step with its tables.
//!
//! Level-triggered: the fact that should stand there is compared with the one that does, so a write that was lost, a fact
//! of an earlier life and one that somebody deleted are mended alike.

use std::time::Duration;

use lattice_core::{
    Direction, HostFact, HostedActor, HostedLink, HostedProvider, HostedState, LinkKey, State,
};
use lattice_nats::WallClock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    actors::ActorView,
    inventory::{Inventory, States},
    providers::ProviderView,
};

/// Changes come in bursts: what starts goes through several states in a moment.
const GATHER: Duration = Duration::from_millis(75);
/// A write that failed is tried again after so long, or with the next change.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// So many links of a provider that are not ready are told; of more of them it is told that there are.
const LINKS_TOLD_MAX: usize = 64;
/// So much of a reason is told, in characters: a fact has to fit a message.
const REASON_CHARS_MAX: usize = 400;

/// Which life of this host it is.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Greater than that of every earlier life, as far as this host can know.
    pub(crate) epoch: u64,
    /// When it began, RFC 3339.
    pub(crate) started: String,
}

impl Life {
    /// Begins a life after the one that left a fact with the epoch `before`, if one did. The clock spreads epochs where
    /// no fact is left; a clock that was set back is caught by the fact.
    pub(crate) fn begin(clock: WallClock, before: Option<u64>) -> Self {
        let now = clock.unix_ms();
        let epoch = before.map_or(now, |before| now.max(before.saturating_add(1)));
        Self { epoch, started: clock.now_rfc3339() }
    }
}

/// Writes the fact whenever it differs from the one that is known, until stopped.
pub(crate) async fn keep(inventory: Inventory, life: Life, stop: CancellationToken) {
    let lattice = inventory.lattice.clone();
    let mut changed = lattice.changed().listen();
    let mut failures = 0_u32;
    loop {
        changed.borrow_and_update();
        let told = describe(&inventory, &life);
        let stands = lattice.view().hosts.get(&inventory.about.id) == Some(&told);
        let written = match stands {
            true => Ok(()),
            false => match stop.run_until_cancelled(lattice.put_host(&told)).await {
                Some(written) => written,
                None => return,
            },
        };
        failures = if written.is_ok() { 0 } else { failures.saturating_add(1) };
        match written {
            Err(error) if failures == 1 => {
                warn!(%error, "this host's own fact is not written; it is tried again");
            }
            Err(error) => debug!(%error, failures, "this host's own fact is not written"),
            Ok(()) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            heard = changed.changed() => if heard.is_err() { return },
            () = sleep(RETRY_AFTER), if failures > 0 => {}
        }
        if stop.run_until_cancelled(sleep(GATHER)).await.is_none() {
            return;
        }
    }
}

/// The fact as it should stand now.
fn describe(inventory: &Inventory, life: &Life) -> HostFact {
    let about = &inventory.about;
    let states = inventory.states();
    HostFact {
        name: about.friendly_name.clone(),
        labels: about.labels(),
        version: about.version().to_owned(),
        epoch: life.epoch,
        started: life.started.clone(),
        xkey: Some(inventory.secrets.xkey()),
        actors: inventory.actors.list().iter().map(|view| actor(view, &states)).collect(),
        providers: inventory.providers.list().iter().map(|view| provider(view, &states)).collect(),
    }
}

fn actor(view: &ActorView, states: &States) -> HostedActor {
    let running = view.running.as_ref();
    HostedActor {
        id: view.spec.id.clone(),
        image: view.spec.image_text.clone(),
        digest: running.map(|running| running.digest.clone()),
        concurrency: if running.is_some() { view.spec.concurrency } else { 0 },
        state: HostedState::from(states.actors.get(&view.spec.id).unwrap_or(&view.state)),
        exports: running
            .map(|running| running.prepared.outside().exports.iter().map(ToString::to_string).collect()),
    }
}

fn provider(view: &ProviderView, states: &States) -> HostedProvider {
    let called = |serves: &&lattice_contracts::Serves| serves.direction == Direction::ToProvider;
    let name = |serves: &lattice_contracts::Serves| {
        format!("{}:{}/{}", serves.namespace, serves.package, serves.interface)
    };
    // What it says itself: how a link fares for this host may hang on what others tell, and would be told in circles.
    let unwell: Vec<_> = view.links.iter().filter(|(_, state)| **state != State::Ready).collect();
    HostedProvider {
        id: view.spec.id.clone(),
        image: view.spec.shown_image().to_owned(),
        state: HostedState::from(states.providers.get(&view.spec.id).unwrap_or(&view.state)),
        interfaces: view.serves.as_ref().map(|serves| serves.iter().filter(called).map(name).collect()),
        links: unwell.iter().take(LINKS_TOLD_MAX).map(|(key, state)| link(key, state)).collect(),
        more_links: unwell.len() > LINKS_TOLD_MAX,
        process: view.is_process,
    }
}

fn link(key: &LinkKey, state: &State) -> HostedLink {
    let mut told = HostedLink::new(key, state);
    if let Some(reason) = told.state.reason.as_mut()
        && let Some((cut, _)) = reason.char_indices().nth(REASON_CHARS_MAX)
    {
        reason.truncate(cut);
        reason.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_life_has_a_greater_epoch_even_if_the_clock_was_set_back() {
        let first = Life::begin(WallClock::default(), None);
        let set_back = Life::begin(WallClock::off_by(-3600), Some(first.epoch));
        assert_eq!(set_back.epoch, first.epoch + 1);
        assert!(set_back.started < first.started);
        assert!(Life::begin(WallClock::default(), Some(1)).epoch >= first.epoch);
    }

    #[test]
    fn of_many_links_that_are_not_ready_some_are_told_and_of_a_long_reason_its_beginning() {
        let key = |number: usize| LinkKey {
            source: "http".parse().unwrap(),
            target: format!("a{number}").parse().unwrap(),
            contract: lattice_core::Contract::http(),
            name: "default".parse().unwrap(),
        };
        let view = |count: usize| {
            let failed = |number: usize| (key(number), State::Failed("ä".repeat(1000)));
            let ready = (key(1000), State::Ready);
            ProviderView {
                spec: crate::providers::ProviderSpec {
                    id: "http".parse().unwrap(),
                    image: "builtin://http-server".parse().unwrap(),
                    image_text: "builtin://http-server".into(),
                    config: Vec::new(),
                    annotations: std::collections::BTreeMap::new(),
                },
                state: State::Ready,
                links: (0..count).map(failed).chain([ready]).collect(),
                serves: None,
                is_process: false,
                claims: None,
            }
        };
        let few = provider(&view(2), &States::default());
        assert_eq!((few.links.len(), few.more_links), (2, false));
        assert_eq!(few.links[0].key(), Some(key(0)));
        assert_eq!(few.links[0].state.reason.as_ref().unwrap().chars().count(), REASON_CHARS_MAX + 1);
        let many = provider(&view(500), &States::default());
        assert_eq!((many.links.len(), many.more_links), (LINKS_TOLD_MAX, true));
        assert!(serde_json::to_string(&many).unwrap().len() < 100_000);
    }
}
