//! The heartbeat: a host's whole inventory as an event, at an interval, as v1 tools expect it.

use std::time::Duration;

use lattice_control_interface::events::HealthCheck;
use lattice_core::{EventName, State};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{events::Events, inventory::Inventory};

/// Beats until stopped; the first beat comes after one interval, as in v1.
pub(crate) async fn beat(inventory: Inventory, events: Events, every: Duration, stop: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        events.publish(&inventory.full());
        check_health(&inventory, &events);
    }
}

/// v1 tools follow a provider's health by these events.
fn check_health(inventory: &Inventory, events: &Events) {
    for (provider_id, state) in inventory.states().providers {
        let name = match state {
            State::Failed(_) => EventName::HealthCheckFailed,
            State::Ready | State::Degraded(_) => EventName::HealthCheckPassed,
            _ => EventName::HealthCheckStatus,
        };
        let data = HealthCheck { host_id: inventory.about.id.clone(), provider_id };
        match serde_json::to_value(&data) {
            Ok(data) => events.0.publish(name, data),
            Err(error) => warn!(%error, "health event cannot be written"),
        }
    }
}
