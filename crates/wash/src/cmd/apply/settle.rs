//! Waiting until everything that was applied is in a state that lasts.

use std::time::Duration;

use lattice_control_interface::HostInventory;
use lattice_manifest::Plan;

use super::reply::{Applied, Item};
use crate::{
    failure::Outcome,
    lattice::{Session, StateOf, link_rows, until_settled},
};

const SETTLE: Duration = Duration::from_secs(10);

/// Fills in the states: those that last, or the last seen after 10 s.
pub(in crate::cmd) async fn wait(session: &Session, plan: &Plan, applied: &mut Applied) -> Outcome {
    until_settled(session, SETTLE, |inventories| {
        look(plan, applied, inventories);
        let all = applied.providers.iter().chain(&applied.actors).chain(&applied.links);
        let settled = all
            .filter_map(|item| item.state.as_ref())
            .all(|state| !state.is_passing() && state.state != "pending");
        ((), settled)
    })
    .await
}

fn look(plan: &Plan, applied: &mut Applied, inventories: &[HostInventory]) {
    for item in &mut applied.providers {
        let state = on_host(inventories, item, |host| {
            let one = host.providers.iter().find(|one| one.id.as_str() == item.name)?;
            Some(StateOf::new(one.state.as_deref(), one.reason.as_deref()))
        });
        item.state = Some(state);
    }
    for item in &mut applied.actors {
        let state = on_host(inventories, item, |host| {
            let one = host.components.iter().find(|one| one.id.as_str() == item.name)?;
            Some(StateOf::new(one.state.as_deref(), one.reason.as_deref()))
        });
        item.state = Some(state);
    }
    for row in link_rows(plan.links.clone(), inventories) {
        let name = row.link.key().map(|key| key.to_string()).unwrap_or_default();
        if let Some(item) = applied.links.iter_mut().find(|item| item.name == name) {
            item.state = Some(row.state);
        }
    }
}

fn on_host(
    inventories: &[HostInventory],
    item: &Item,
    find: impl Fn(&HostInventory) -> Option<StateOf>,
) -> StateOf {
    let host = inventories.iter().find(|host| Some(&host.host_id) == item.host_id.as_ref());
    host.and_then(find)
        .unwrap_or_else(|| StateOf::new(Some("starting"), Some("it is not in the host's inventory yet")))
}
