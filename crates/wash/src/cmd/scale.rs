//! `wash scale actor`: how much an actor serves at once.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::{HostInventory, ScaleComponentCommand};
use lattice_core::{ActorId, ConfigName, HostId, ImageRef, QUEUE_MAX, SecretName};
use serde::Serialize;

use crate::{
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, Pair, failed, image_of_files, resolve_host},
    output::{Output, Reply},
};

/// What to scale.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set how many invocations an actor serves at once on a host; 0 stops it, and one that does not run is started.
    #[command(alias = "component")]
    Actor(ActorArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wash scale actor calm-otter-1234 localhost:5000/hello:0.1.0 hello --concurrency 20"
)]
struct ActorArgs {
    /// The host: an id, the first characters of one, or its name
    host: String,
    /// The image: a path, file://PATH, or HOST[:PORT]/REPOSITORY[:TAG]
    image: ImageRef,
    /// The actor's id
    id: ActorId,
    /// Invocations that it serves at once [default: no limit of its own]
    #[arg(short = 'c', long, visible_aliases = ["max-instances", "max-concurrent"], value_name = "COUNT", default_value_t = u32::MAX, hide_default_value = true)]
    concurrency: u32,
    /// Invocations that may wait while it serves as many as it may [default: as it is]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=i64::from(QUEUE_MAX)))]
    queue: Option<u32>,
    /// Text to keep with it, KEY=VALUE; may be repeated
    #[arg(short, long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<Pair>,
    /// Configuration that it reads, by name; may be repeated [default: those it has]
    #[arg(long, value_name = "NAME")]
    config: Vec<ConfigName>,
    /// Secret that it may read, by name; may be repeated [default: those it has]
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<SecretName>,
    /// Replace the actor where it runs from another image
    #[arg(long)]
    allow_update: bool,
    /// Return when the host has taken the command, without waiting for the outcome
    #[arg(long)]
    skip_wait: bool,
    /// Longest wait for the outcome, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Scaled {
    result: String,
    host_id: HostId,
    component_ref: String,
    component_id: ActorId,
}

impl Reply for Scaled {
    fn text(&self) -> String {
        self.result.clone()
    }
}

/// Leaves what the command line does not speak of as it is: the protocol takes what is missing as none.
fn keep(command: &mut ScaleComponentCommand, host: HostInventory) {
    let Some(running) = host.components.into_iter().find(|one| one.id == command.component_id) else {
        return;
    };
    command.component_limits = running.limits;
    command.reuse = running.reuse.filter(|reuse| *reuse > 1);
    command.max_queued = command.max_queued.or(running.max_queued);
    if command.config.is_empty() {
        command.config = running.config.unwrap_or_default();
    }
    if command.secrets.is_empty() {
        command.secrets = running.secrets.unwrap_or_default();
    }
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let What::Actor(args) = args.what;
    let image = image_of_files(&args.image).map_err(Failure::refused)?;
    let session = args.connection.clone().connect().await?;
    let host = resolve_host(&session, &args.host).await?;
    let mut command = ScaleComponentCommand::new(args.id.clone(), image.to_string(), args.concurrency);
    let annotations: BTreeMap<String, String> = args.annotations.iter().cloned().map(Into::into).collect();
    command.annotations = (!annotations.is_empty()).then_some(annotations);
    command.config = args.config.clone();
    command.secrets = args.secrets.clone();
    command.max_queued = args.queue;
    keep(&mut command, session.client.get_host_inventory(&host).await.map_err(failed)?);
    command.allow_update = args.allow_update;
    let progress = out.progress(format!("scaling {} on host {host}", args.id));
    let (note, concurrency, image) = if args.skip_wait {
        let note = session.client.scale_component(&host, &command).await.map_err(failed)?;
        (note, args.concurrency, image.to_string())
    } else {
        let patience = Duration::from_millis(args.wait_timeout_ms);
        let scaled =
            session.client.scale_component_and_wait(&host, &command, patience).await.map_err(failed)?;
        (scaled.note, scaled.event.max_instances, scaled.event.image_ref)
    };
    drop(progress);
    if !note.is_empty() {
        out.note(format!("note: {note}"));
    }
    let what = match (concurrency, args.skip_wait) {
        (0, false) => "stopped".to_owned(),
        (0, true) => "is to stop".to_owned(),
        (u32::MAX, false) => "serves without a limit of its own".to_owned(),
        (count, false) => format!("serves {count} at once"),
        (_, true) => "is to be scaled".to_owned(),
    };
    let id = args.id;
    out.reply(&Scaled {
        result: format!("actor {id} {what} on host {host}"),
        host_id: host,
        component_ref: image,
        component_id: id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_spoken_of_stays() {
        let host = || -> HostInventory {
            let actor = serde_json::json!({ "id": "hello", "config": ["a"], "secrets": ["t"], "reuse": 8, "max_queued": 5, "limits": { "max_memory_limit": "1" } });
            let json =
                serde_json::json!({ "host_id": format!("N{}", "A".repeat(55)), "components": [actor] });
            serde_json::from_value(json).unwrap()
        };
        let command = |id: &str| ScaleComponentCommand::new(id.parse().unwrap(), "./hello.wasm", 3);
        let mut running = command("hello");
        keep(&mut running, host());
        assert_eq!((running.config.len(), running.reuse, running.count), (1, Some(8), 3));
        assert_eq!((running.max_queued, running.secrets.len()), (Some(5), 1));
        let mut queued = ScaleComponentCommand { max_queued: Some(0), ..command("hello") };
        keep(&mut queued, host());
        assert_eq!(queued.max_queued, Some(0));
        assert_eq!(running.component_limits.unwrap()["max_memory_limit"], "1");
        let mut other = command("other");
        keep(&mut other, host());
        assert_eq!((other.config.len(), other.reuse), (0, None));
    }
}
