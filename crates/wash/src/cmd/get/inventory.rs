//! `wash get inventory`.

use lattice_control_interface::{HostInventory, LostHost};
use lattice_core::one_line;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{
        ConnectionArgs, StateOf, all_hosts, failed, inventories_of, lost_of, own_labels, resolve_host,
        short_keys, uptime,
    },
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The host: an id, the first characters of one, or its name [default: all hosts]
    host: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Inventories {
    inventories: Vec<HostInventory>,
    /// Hosts that do not answer, and of which one that does says that they are lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<LostHost>,
}

impl Reply for Inventories {
    fn text(&self) -> String {
        self.inventories
            .iter()
            .map(one)
            .chain(self.lost.iter().map(one_lost))
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

fn one(host: &HostInventory) -> String {
    let mut text =
        format!("Host {} ({}), up {}", host.host_id, host.friendly_name, uptime(host.uptime_seconds));
    let labels = own_labels(&host.labels);
    if !labels.is_empty() {
        text += &format!("\nlabels: {labels}");
    }
    for line in &host.status {
        text += &format!("\nnote: {}", one_line(line));
    }
    for part in [actors(host), providers(host), links(host)] {
        text += "\n\n";
        text += &part;
    }
    text
}

/// What a host ran when it was last heard. It may still run: nobody can say.
fn one_lost(host: &LostHost) -> String {
    let mut text = format!("Host {} ({}) is lost: it does not answer", host.id, host.friendly_name);
    let labels = own_labels(&host.labels);
    if !labels.is_empty() {
        text += &format!("\nlabels: {labels}");
    }
    let ids =
        host.actors.iter().map(ToString::to_string).chain(host.providers.iter().map(ToString::to_string));
    let ids: Vec<String> = ids.collect();
    if !ids.is_empty() {
        text += &format!("\nlast known to run: {}", ids.join(", "));
    }
    text
}

// The state stands last: its reason may be long.
fn actors(host: &HostInventory) -> String {
    if host.components.is_empty() {
        return "no actors".to_owned();
    }
    let row = |actor: &lattice_control_interface::ComponentDescription| {
        let state = StateOf::new(actor.state.as_deref(), actor.reason.as_deref()).text();
        [short_keys(actor.id.as_str(), ROOM), actor.max_instances.to_string(), shown(&actor.image_ref), state]
    };
    let columns = [
        ("actor", Align::Left),
        ("concurrency", Align::Right),
        ("image", Align::Left),
        ("state", Align::Left),
    ];
    table(&columns, host.components.iter().map(row))
}

fn providers(host: &HostInventory) -> String {
    if host.providers.is_empty() {
        return "no providers".to_owned();
    }
    let row = |provider: &lattice_control_interface::ProviderDescription| {
        let state = StateOf::new(provider.state.as_deref(), provider.reason.as_deref()).text();
        let image = provider.image_ref.as_deref().map(shown).unwrap_or_default();
        [provider.id.to_string(), image, state]
    };
    table(
        &[("provider", Align::Left), ("image", Align::Left), ("state", Align::Left)],
        host.providers.iter().map(row),
    )
}

fn links(host: &HostInventory) -> String {
    let Some(links) = host.links.as_ref().filter(|links| !links.is_empty()) else {
        return "no links".to_owned();
    };
    let row = |link: &lattice_control_interface::LinkStatus| {
        let end = |id: &str| short_keys(id, ROOM);
        let ends = format!("{} -> {}", end(link.source_id.as_str()), end(link.target.as_str()));
        let contract = format!("{}:{}", link.wit_namespace, link.wit_package);
        let state = StateOf::new(Some(&link.state), link.reason.as_deref()).text();
        [ends, contract, link.name.to_string(), state]
    };
    let columns =
        [("link", Align::Left), ("contract", Align::Left), ("name", Align::Left), ("state", Align::Left)];
    table(&columns, links.iter().map(row))
}

/// Columns that whole keys beside images and states need.
const ROOM: usize = 140;

/// The end of a long image reference, which tells more than its start; whole in JSON. A file is its path, of actors as of providers:
/// hosts of wasmCloud 1.x, and so ours, tell those of actors with `file://`, and those of providers without.
fn shown(image: &str) -> String {
    const CHARS: usize = 40;
    let image = image.strip_prefix("file://").unwrap_or(image);
    let count = image.chars().count();
    if count <= CHARS {
        return image.to_owned();
    }
    let tail: String = image.chars().skip(count - CHARS).collect();
    match tail.split_once('/') {
        Some((_, rest)) => format!("…/{rest}"),
        None => format!("…{tail}"),
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let (inventories, lost) = match &args.host {
        Some(host) => {
            let id = resolve_host(&session, host).await?;
            (vec![session.client.get_host_inventory(&id).await.map_err(failed)?], Vec::new())
        }
        None => {
            let mut hosts = all_hosts(&session).await?;
            let lost = lost_of(&mut hosts);
            (inventories_of(&session, &hosts).await?, lost)
        }
    };
    out.reply(&Inventories { inventories, lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_beside_what_they_are_of() {
        let json = serde_json::json!({
            "host_id": format!("N{}", "A".repeat(55)),
            "friendly_name": "calm-otter-1",
            "uptime_seconds": 42,
            "labels": { "hostcore.os": "linux", "zone": "lab" },
            "status": ["unsigned actors are allowed"],
            "components": [
                { "id": "hello", "image_ref": "file:///home/anna/projects/lattice/.lattice/actors/hello_s.wasm", "max_instances": 100, "state": "ready" },
                { "id": "echo", "image_ref": "file:///srv/echo_s.wasm", "max_instances": 1, "state": "ready" },
                { "id": "kvcounter", "image_ref": "localhost:5000/kvcounter:1", "max_instances": 1, "state": "pending", "reason": "no link for wasi:keyvalue" },
            ],
            "providers": [
                { "id": "http", "image_ref": "http-server", "state": "failed", "reason": "address 127.0.0.1:8080 in use" },
                { "id": "memory", "image_ref": "/srv/memory.par", "state": "ready" },
                { "id": "old", "image_ref": "of-a-v1-host" },
            ],
            "links": [
                { "source_id": "http", "target": "hello", "wit_namespace": "wasi", "wit_package": "http", "state": "ready" },
            ],
        });
        let inventories = vec![serde_json::from_value(json).unwrap()];
        let lost = serde_json::json!({
            "id": format!("N{}", "B".repeat(55)), "friendly_name": "warm-reef-2", "labels": { "zone": "shop" },
            "actors": ["hello"], "providers": ["http"],
        });
        let lost = vec![serde_json::from_value(lost).unwrap()];
        insta::assert_snapshot!(Inventories { inventories, lost }.text(), @"
        Host NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA (calm-otter-1), up 42s
        labels: zone=lab
        note: unsigned actors are allowed

        ACTOR      CONCURRENCY  IMAGE                                   STATE
        hello              100  …/lattice/.lattice/actors/hello_s.wasm  ready
        echo                 1  /srv/echo_s.wasm                        ready
        kvcounter            1  localhost:5000/kvcounter:1              pending: no link for wasi:keyvalue

        PROVIDER  IMAGE            STATE
        http      http-server      failed: address 127.0.0.1:8080 in use
        memory    /srv/memory.par  ready
        old       of-a-v1-host     unknown

        LINK           CONTRACT   NAME     STATE
        http -> hello  wasi:http  default  ready

        Host NBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB (warm-reef-2) is lost: it does not answer
        labels: zone=shop
        last known to run: hello, http
        ");
    }
}
