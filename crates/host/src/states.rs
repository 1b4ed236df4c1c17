//! Tells the lattice of every change of a state: a difference of two looks, so that nothing is told twice or missed.

use std::collections::BTreeMap;

use lattice_control_interface::{
    LinkStatus,
    events::{ActorStateChanged, LinkStateChanged, ProviderStateChanged},
};
use lattice_core::State;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    events::Events,
    inventory::{Inventory, States},
};

/// Keys whose state is new or another than before.
fn news<'a, K: Ord>(before: &'a BTreeMap<K, State>, now: &'a BTreeMap<K, State>) -> Vec<(&'a K, &'a State)> {
    now.iter().filter(|(key, state)| before.get(*key) != Some(*state)).collect()
}

/// Publishes and logs changes until stopped.
pub(crate) async fn tell(inventory: Inventory, events: Events, stop: CancellationToken) {
    let host = inventory.about.id.clone();
    let mut changed = inventory.lattice.changed().listen();
    let mut before = States::default();
    loop {
        changed.borrow_and_update();
        let now = inventory.states();
        for (id, state) in news(&before.actors, &now.actors) {
            log("actor", id.as_str(), state);
            let (host_id, actor_id, state) = (host.clone(), id.clone(), state.clone());
            events.publish(&ActorStateChanged { host_id, actor_id, state });
        }
        for (id, state) in news(&before.providers, &now.providers) {
            log("provider", id.as_str(), state);
            let (host_id, provider_id, state) = (host.clone(), id.clone(), state.clone());
            events.publish(&ProviderStateChanged { host_id, provider_id, state });
        }
        for (key, state) in news(&before.links, &now.links) {
            log("link", &key.to_string(), state);
            events.publish(&LinkStateChanged { host_id: host.clone(), link: LinkStatus::new(key, state) });
        }
        before = now;
        tokio::select! {
            () = stop.cancelled() => return,
            heard = changed.changed() => if heard.is_err() { return },
        }
    }
}

fn log(what: &'static str, id: &str, state: &State) {
    match state {
        State::Failed(reason) | State::Degraded(reason) => {
            warn!(what, id, state = state.word(), reason, "state")
        }
        _ => info!(what, id, state = state.word(), reason = state.reason(), "state"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_news() {
        let map = |pairs: &[(&'static str, State)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        let before = map(&[("a", State::Ready), ("b", State::Ready)]);
        let now = map(&[("a", State::Ready), ("b", State::Failed("x".into())), ("c", State::Starting)]);
        let told: Vec<_> = news(&before, &now).into_iter().map(|(key, _)| *key).collect();
        assert_eq!(told, ["b", "c"]);
    }
}
