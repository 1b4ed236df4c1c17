//! The heartbeat: a host's whole inventory as an event, at an interval, as v1 tools expect it.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::events::HealthCheck;
use lattice_core::{EventName, ProviderId, State};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{events::Events, inventory::Inventory};

/// Beats until stopped; the first beat comes after one interval, as in v1.
pub(crate) async fn beat(inventory: Inventory, events: Events, every: Duration, stop: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut healthy = Healthy::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        events.publish(&inventory.full());
        healthy = check_health(&inventory, &events, &healthy);
    }
}

/// Which providers were healthy at the last beat.
type Healthy = BTreeMap<ProviderId, bool>;

/// v1 tools follow a provider's health by these events.
fn check_health(inventory: &Inventory, events: &Events, before: &Healthy) -> Healthy {
    let mut now = Healthy::new();
    for (provider_id, state) in inventory.states().providers {
        let healthy = matches!(state, State::Ready | State::Degraded(_));
        let name = health_event(before.get(&provider_id).copied().unwrap_or(false), healthy);
        now.insert(provider_id.clone(), healthy);
        let data = HealthCheck { host_id: inventory.about.id.clone(), provider_id };
        match serde_json::to_value(&data) {
            Ok(data) => events.0.publish(name, data),
            Err(error) => warn!(%error, "health event cannot be written"),
        }
    }
    now
}

/// As in v1: a change has its own event, no change is a status; a new provider counts as not healthy before.
fn health_event(before: bool, now: bool) -> EventName {
    match (before, now) {
        (false, true) => EventName::HealthCheckPassed,
        (true, false) => EventName::HealthCheckFailed,
        _ => EventName::HealthCheckStatus,
    }
}
