//! `wash start actor`.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::{HostInventory, ScaleComponentCommand};
use lattice_core::{ActorId, ConfigName, HostId, ImageRef, QUEUE_MAX, SecretName};
use serde::Serialize;

use super::patience::Waited;
use crate::{
    cmd::get::links::links_table,
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{
        ConnectionArgs, LinkRow, Pair, Session, StateOf, Wanted, Workload, actor_id, choose, failed,
        image_of_files, link_rows, until_settled,
    },
    output::{Output, Reply},
};

/// Invocations that an actor serves at once, where nobody says: as in manifests.
pub(crate) const CONCURRENCY: u32 = 100;
/// How long after the host's word an actor's state may still be passing.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash start actor localhost:5000/hello:0.1.0 hello
  wash start actor ./build/hello_s.wasm               the id is the key in its claims")]
pub(super) struct Args {
    /// The image: a path, file://PATH, or HOST[:PORT]/REPOSITORY[:TAG]
    image: ImageRef,
    /// Its id in the lattice [default: the M… key in its claims]
    id: Option<ActorId>,
    /// Host to start it on: an id, the first characters of one, or its name [default: any]
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Label that the host must have, KEY=VALUE; may be repeated
    #[arg(short = 'c', long = "constraint", value_name = "KEY=VALUE", conflicts_with = "host_id")]
    constraints: Vec<Pair>,
    /// Invocations that it serves at once
    #[arg(long, visible_aliases = ["max-instances", "max-concurrent"], value_name = "COUNT", default_value_t = CONCURRENCY, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Invocations that may wait while it serves as many as it may [default: four for each of these, at least 64]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=i64::from(QUEUE_MAX)))]
    queue: Option<u32>,
    /// Invocations that one instance serves before it is dropped [default: 1, a fresh instance each]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    reuse: Option<u32>,
    /// Configuration that it reads, by name; may be repeated, later ones win
    #[arg(long, value_name = "NAME")]
    config: Vec<ConfigName>,
    /// Secret that it may read, by name; may be repeated
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<SecretName>,
    /// Text to keep with it, KEY=VALUE; may be repeated
    #[arg(short, long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<Pair>,
    /// Replace the actor where it runs from another image
    #[arg(long)]
    allow_update: bool,
    /// Return when the host has taken the command, without waiting for the outcome
    #[arg(long)]
    skip_wait: bool,
    /// Longest wait for the outcome, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    /// Registries to be spoken to in plain HTTP when the claims are read, joined by commas; localhost always is
    #[arg(long, env = "WASMCLOUD_OCI_ALLOWED_INSECURE", value_name = "REGISTRY", value_delimiter = ',')]
    allowed_insecure: Vec<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// v1's fields, and ours: state, reason and links.
#[derive(Debug, Serialize)]
struct Started {
    result: String,
    component_ref: String,
    component_id: ActorId,
    host_id: HostId,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    state: Option<StateOf>,
    links: Vec<LinkRow>,
}

impl Reply for Started {
    fn text(&self) -> String {
        let mut text = self.result.clone();
        if let Some(state) = &self.state {
            text += &format!("\nstate: {}", state.text());
        }
        if !self.links.is_empty() {
            text += &format!("\n\n{}", links_table(&self.links));
        } else if self.state.is_some() {
            text += &format!(
                "\nno links yet; a server calls it after: wash link put SERVER {} wasi:http",
                self.component_id
            );
        }
        text
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let image = image_of_files(&args.image).map_err(Failure::refused)?;
    if let ImageRef::Builtin(builtin) = &image {
        let text = format!("{image} is a provider, not an actor");
        let help = format!("start it with: wash start provider {image} {}", builtin.name());
        return Err(Failure::say(Exit::Usage, text).help(help));
    }
    let session = args.connection.clone().connect().await?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => actor_id(out, &image, &args.allowed_insecure).await?,
    };
    let workload = Workload::Actor { id: id.to_string(), image: image.to_string() };
    let wanted = Wanted {
        host: args.host_id.clone(),
        constraints: args.constraints.iter().cloned().map(Into::into).collect(),
    };
    let host = choose(&session, &workload, &wanted).await?;
    let command = args.command(id.clone(), &image);
    if args.skip_wait {
        let note = session.client.scale_component(&host, &command).await.map_err(failed)?;
        warn(out, &note);
        return out.reply(&Started {
            result: format!("asked host {host} to start actor {id}"),
            component_ref: image.to_string(),
            component_id: id,
            host_id: host,
            state: None,
            links: Vec::new(),
        });
    }
    let progress = out.progress(format!("starting {id} on host {host}"));
    let patience = Duration::from_millis(args.wait_timeout_ms);
    let waited = Waited { session: &session, host: &host, what: &format!("actor {id}") };
    let scaled = session.client.scale_component_and_wait(&host, &command, patience);
    let scaled = waited.outcome(out, |inventory| state_in(inventory, &id), scaled).await?;
    let (state, links) = settled(&session, &host, &id).await?;
    drop(progress);
    if scaled.event.image_ref != command.component_ref {
        let text = format!("actor {id} runs another image on host {host}: {}", scaled.event.image_ref);
        return Err(Failure::say(Exit::Refused, text)
            .help(format!("to replace it, add --allow-update; to keep both, give another id than {id}")));
    }
    warn(out, &scaled.note);
    if state.is_failed() {
        return Err(Failure::say(Exit::Refused, format!("actor {id} on host {host}: {}", state.text())));
    }
    out.reply(&Started {
        result: format!("actor {id} runs on host {host}"),
        component_ref: scaled.event.image_ref,
        component_id: id,
        host_id: host,
        state: Some(state),
        links,
    })
}

impl Args {
    fn command(&self, id: ActorId, image: &ImageRef) -> ScaleComponentCommand {
        let mut command = ScaleComponentCommand::new(id, image.to_string(), self.concurrency);
        let annotations: BTreeMap<String, String> =
            self.annotations.iter().cloned().map(Into::into).collect();
        command.annotations = (!annotations.is_empty()).then_some(annotations);
        command.config = self.config.clone();
        command.secrets = self.secrets.clone();
        command.allow_update = self.allow_update;
        command.reuse = self.reuse;
        command.max_queued = self.queue;
        command
    }
}

/// A warning of the host, if it has one.
pub(crate) fn warn(out: &Output, note: &str) {
    if !note.is_empty() {
        out.note(format!("note: {note}"));
    }
}

/// The actor's state on `host` once it no longer passes, and its links.
pub(crate) async fn settled(
    session: &Session,
    host: &HostId,
    id: &ActorId,
) -> Outcome<(StateOf, Vec<LinkRow>)> {
    let links = session.client.get_links().await.map_err(failed)?;
    let mine: Vec<_> = links
        .into_iter()
        .filter(|link| [&link.source, &link.target].iter().any(|end| end.as_str() == id.as_str()))
        .collect();
    until_settled(session, SETTLE, |inventories| {
        let state = state_of(inventories, host, id);
        let rows = link_rows(mine.clone(), inventories);
        let settled = !state.is_passing() && rows.iter().all(|row| !row.state.is_passing());
        ((state, rows), settled)
    })
    .await
}

fn state_of(inventories: &[HostInventory], host: &HostId, id: &ActorId) -> StateOf {
    let inventory = inventories.iter().find(|inventory| inventory.host_id == *host);
    inventory
        .and_then(|inventory| state_in(inventory, id))
        .unwrap_or_else(|| StateOf::new(Some("starting"), Some("it is not in the host's inventory yet")))
}

fn state_in(inventory: &HostInventory, id: &ActorId) -> Option<StateOf> {
    let actor = inventory.components.iter().find(|actor| actor.id == *id)?;
    Some(StateOf::new(actor.state.as_deref(), actor.reason.as_deref()))
}
