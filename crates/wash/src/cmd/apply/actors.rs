//! Actors of a manifest, on as many hosts as they have replicas.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::{
    ComponentDescription, HostInventory, LIMIT_CPU_TIME_MS, LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES,
    ScaleComponentCommand,
};
use lattice_core::{EntityId, HostId, ImageRef, Placement, place};
use lattice_manifest::{Actor, Limits};

use super::{
    belongs_to,
    reply::{Did, Item},
};
use crate::{
    failure::Outcome,
    lattice::{Session, all_inventories, failed, offer},
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
    let wanted = usize::try_from(actor.replicas).unwrap_or(usize::MAX);
    let places = places(&inventories, actor, wanted);
    if places.len() < wanted {
        out.note(format!(
            "actor {} has {} of its {wanted} replicas: one for each host of the lattice",
            actor.id,
            places.len()
        ));
    }
    let mut items = Vec::new();
    for (host, running) in places {
        let mut command = command(actor);
        command.annotations = Some(belongs_to(app));
        let did = match running {
            Some(running) if is_same(running, &command) && is_fixed(&actor.image) => {
                items.push(Item::on(actor.id.as_str(), Did::Unchanged, host));
                continue;
            }
            Some(_) => Did::Changed,
            None => Did::Made,
        };
        let scaled = session.client.scale_component_and_wait(&host, &command, patience).await;
        scaled.map_err(|error| failed(error).context(format!("cannot start actor {}", actor.id)))?;
        // The reference may have come to mean other bytes: the host looks, and its digest tells.
        let did = match running.filter(|running| is_same(running, &command)) {
            Some(before) if digest(session, &host, actor).await? == before.digest => Did::Unchanged,
            _ => did,
        };
        items.push(Item::on(actor.id.as_str(), did, host));
    }
    Ok(items)
}

/// What runs now, by its bytes.
async fn digest(session: &Session, host: &HostId, actor: &Actor) -> Outcome<Option<String>> {
    let inventory = session.client.get_host_inventory(host).await.map_err(failed)?;
    let running = inventory.components.into_iter().find(|one| one.id == actor.id);
    Ok(running.and_then(|running| running.digest))
}

/// Whether a reference can only ever mean the same bytes.
fn is_fixed(image: &ImageRef) -> bool {
    matches!(image, ImageRef::Oci(oci) if oci.digest.is_some())
}

/// The hosts it is to run on, with what runs there under its id.
fn places<'i>(
    inventories: &'i [HostInventory],
    actor: &Actor,
    replicas: usize,
) -> Vec<(HostId, Option<&'i ComponentDescription>)> {
    let running = |host: &'i HostInventory| host.components.iter().find(|one| one.id == actor.id);
    let offers: Vec<_> = inventories.iter().map(|host| offer(host, running(host).is_some())).collect();
    let chosen = place(&Placement { replicas, ..Placement::default() }, &offers);
    let with_running = |id: HostId| {
        let host = inventories.iter().find(|host| host.host_id == id);
        (id, host.and_then(running))
    };
    chosen.into_iter().map(with_running).collect()
}

/// Whether what runs is what is wanted. Hosts of v1 tell neither configurations, nor reuse, nor queues; those are taken to
/// fit.
fn is_same(running: &ComponentDescription, command: &ScaleComponentCommand) -> bool {
    running.image_ref == command.component_ref
        && running.max_instances == command.count
        && running.limits == command.component_limits
        && running.config.as_ref().is_none_or(|config| *config == command.config)
        && running.secrets.as_ref().is_none_or(|secrets| *secrets == command.secrets)
        && running.reuse.is_none_or(|reuse| reuse == command.reuse.unwrap_or(1))
        && (running.reuse.is_none() || running.max_queued == command.max_queued)
        && running.state.as_deref() != Some("failed")
}

fn command(actor: &Actor) -> ScaleComponentCommand {
    let mut command =
        ScaleComponentCommand::new(actor.id.clone(), actor.image.to_string(), actor.concurrency);
    command.component_limits = limits(&actor.limits);
    command.config = actor.config.clone();
    command.secrets = actor.secrets.clone();
    command.allow_update = true;
    command.reuse = (actor.reuse > 1).then_some(actor.reuse);
    command.max_queued = actor.queue;
    command
}

fn limits(limits: &Limits) -> Option<BTreeMap<String, String>> {
    // The protocol has whole seconds; a shorter limit must not become none.
    let wall = limits.wall.map(|wall| wall.as_millis().div_ceil(1000).to_string());
    let all = [
        (LIMIT_MEMORY_BYTES, limits.memory_bytes.map(|bytes| bytes.to_string())),
        (LIMIT_EXECUTION_TIME_S, wall),
        (LIMIT_CPU_TIME_MS, limits.cpu.map(|cpu| cpu.as_millis().to_string())),
    ];
    let set: BTreeMap<_, _> =
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    (!set.is_empty()).then_some(set)
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
        let order = |replicas| -> String {
            places(&hosts, &actor(), replicas).iter().map(|(host, _)| &host.as_str()[1..2]).collect()
        };
        assert_eq!((order(3).as_str(), order(2).as_str()), ("CBA", "CB"));
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let command = command(&actor());
        assert_eq!(command.component_limits.as_ref().unwrap()[LIMIT_EXECUTION_TIME_S], "2");
        let running = |image: &str| -> ComponentDescription {
            let json = serde_json::json!({ "id": "hello", "image_ref": image, "max_instances": 100, "limits": { "max_execution_time": "2" } });
            serde_json::from_value(json).unwrap()
        };
        assert!(is_same(&running("file:///srv/hello.wasm"), &command));
        assert!(!is_same(&running("file:///srv/other.wasm"), &command));
    }
}
