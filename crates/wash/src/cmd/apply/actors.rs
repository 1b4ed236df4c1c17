//! Actors of a manifest, on as many hosts as they have replicas.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::{
    ComponentDescription, HostInventory, LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES, ScaleComponentCommand,
};
use lattice_core::{EntityId, HostId};
use lattice_manifest::{Actor, Limits};

use super::{
    mark::Mark,
    reply::{Did, Item},
};
use crate::{
    failure::Outcome,
    lattice::{Session, all_inventories, failed},
    output::Output,
};

/// Scales the actor on hosts that run it, then starts it on further ones until it has its replicas.
pub(super) async fn run(
    session: &Session,
    out: &Output,
    app: &EntityId,
    actor: &Actor,
    patience: Duration,
) -> Outcome<Vec<Item>> {
    let inventories = all_inventories(session).await?;
    let places = places(&inventories, actor);
    let wanted = usize::try_from(actor.replicas).unwrap_or(usize::MAX);
    if places.len() < wanted {
        out.note(format!(
            "actor {} has {} of its {wanted} replicas: one for each host of the lattice",
            actor.id,
            places.len()
        ));
    }
    if actor.limits.cpu.is_some() {
        out.note(format!(
            "actor {}: limits.cpu holds for hosts that are started with the manifest; the control protocol has no field for it",
            actor.id
        ));
    }
    let mut items = Vec::new();
    for (host, running) in places.into_iter().take(wanted) {
        let mark = Mark::of_actor(app, actor);
        let command = command(actor, &mark);
        let did = match running {
            Some(running) if is_same(running, &command, &mark) => {
                items.push(Item::on(actor.id.as_str(), Did::Unchanged, host));
                continue;
            }
            Some(_) => Did::Changed,
            None => Did::Made,
        };
        let scaled = session.client.scale_component_and_wait(&host, &command, patience).await;
        scaled.map_err(|error| failed(error).context(format!("cannot start actor {}", actor.id)))?;
        items.push(Item::on(actor.id.as_str(), did, host));
    }
    Ok(items)
}

/// Every host, those that run the actor first, then those with the fewest actors.
fn places<'i>(
    inventories: &'i [HostInventory],
    actor: &Actor,
) -> Vec<(HostId, Option<&'i ComponentDescription>)> {
    let mut places: Vec<_> = inventories
        .iter()
        .map(|host| (host, host.components.iter().find(|one| one.id == actor.id)))
        .collect();
    places.sort_by_key(|(host, running)| (running.is_none(), host.components.len()));
    places.into_iter().map(|(host, running)| (host.host_id.clone(), running)).collect()
}

/// Whether what runs is what is wanted.
fn is_same(running: &ComponentDescription, command: &ScaleComponentCommand, mark: &Mark) -> bool {
    let plain = command.config.is_empty() && command.reuse.is_none();
    running.image_ref == command.component_ref
        && running.max_instances == command.count
        && running.limits == command.component_limits
        && mark.fits(&running.annotations, plain)
        && running.state.as_deref() != Some("failed")
}

fn command(actor: &Actor, mark: &Mark) -> ScaleComponentCommand {
    let mut command =
        ScaleComponentCommand::new(actor.id.clone(), actor.image.to_string(), actor.concurrency);
    command.component_limits = limits(&actor.limits);
    command.config = actor.config.clone();
    command.annotations = Some(mark.annotations());
    command.allow_update = true;
    command.reuse = (actor.reuse > 1).then_some(actor.reuse);
    command
}

fn limits(limits: &Limits) -> Option<BTreeMap<String, String>> {
    let memory = limits.memory_bytes.map(|bytes| (LIMIT_MEMORY_BYTES.to_owned(), bytes.to_string()));
    // The protocol has whole seconds; a shorter limit must not become none.
    let wall = limits.wall.map(|wall| {
        let seconds = wall.as_millis().div_ceil(1000);
        (LIMIT_EXECUTION_TIME_S.to_owned(), seconds.to_string())
    });
    let all: BTreeMap<_, _> = memory.into_iter().chain(wall).collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor() -> Actor {
        let text = "app: a\nactors:\n  - {name: hello, image: /srv/hello.wasm, limits: {wall: 1500ms}}\n";
        let manifest = lattice_manifest::parse(text, "a.yaml", "/srv".as_ref(), &|_| None).unwrap();
        manifest.plan().actors[0].clone()
    }

    fn host(letter: &str, components: serde_json::Value) -> HostInventory {
        let id = format!("N{}", letter.repeat(55));
        serde_json::from_value(serde_json::json!({ "host_id": id, "components": components })).unwrap()
    }

    #[test]
    fn hosts_that_run_it_come_first_then_the_idle_ones() {
        let hosts = [
            host("A", serde_json::json!([{ "id": "x" }, { "id": "y" }])),
            host("B", serde_json::json!([{ "id": "x" }])),
            host("C", serde_json::json!([{ "id": "x" }, { "id": "y" }, { "id": "hello" }])),
        ];
        let order: String = places(&hosts, &actor()).iter().map(|(host, _)| &host.as_str()[1..2]).collect();
        assert_eq!(order, "CBA");
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let app = EntityId::new("a").unwrap();
        let mark = Mark::of_actor(&app, &actor());
        let command = command(&actor(), &mark);
        assert_eq!(command.component_limits.as_ref().unwrap()[LIMIT_EXECUTION_TIME_S], "2");
        let running = |image: &str| -> ComponentDescription {
            let json = serde_json::json!({ "id": "hello", "image_ref": image, "max_instances": 100, "limits": { "max_execution_time": "2" } });
            serde_json::from_value(json).unwrap()
        };
        assert!(is_same(&running("file:///srv/hello.wasm"), &command, &mark));
        assert!(!is_same(&running("file:///srv/other.wasm"), &command, &mark));
    }
}
