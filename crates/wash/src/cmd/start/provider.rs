//! `wash start provider`.

use std::{collections::BTreeMap, time::Duration};

use lattice_control_interface::{HostInventory, StartProviderCommand};
use lattice_core::{ConfigName, HostId, ImageRef, LinkName, ProviderId};
use serde::Serialize;

use super::{actor::SETTLE, patience::Waited};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{
        ConnectionArgs, Pair, Session, StateOf, Wanted, Workload, choose, failed, image_of_files,
        until_settled,
    },
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash start provider builtin://http-server http
  wash start provider builtin://keyvalue-nats kv --config kv-settings")]
pub(super) struct Args {
    /// The image: builtin://http-server, builtin://http-client, builtin://keyvalue-nats, or an archive
    image: ImageRef,
    /// Its id in the lattice [default for a built-in one: its name]
    id: Option<ProviderId>,
    /// Host to start it on: an id, the first characters of one, or its name [default: any]
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Label that the host must have, KEY=VALUE; may be repeated
    #[arg(short = 'c', long = "constraint", value_name = "KEY=VALUE", conflicts_with = "host_id")]
    constraints: Vec<Pair>,
    /// Configuration that it gets, by name; may be repeated, later ones win
    #[arg(long, value_name = "NAME")]
    config: Vec<ConfigName>,
    /// Text to keep with it, KEY=VALUE; may be repeated
    #[arg(short, long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<Pair>,
    /// Return when the host has taken the command, without waiting for the outcome
    #[arg(long)]
    skip_wait: bool,
    /// Longest wait for the outcome, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// v1's fields, and ours: state and reason.
#[derive(Debug, Serialize)]
struct Started {
    result: String,
    provider_ref: String,
    provider_id: ProviderId,
    link_name: LinkName,
    host_id: HostId,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    state: Option<StateOf>,
}

impl Reply for Started {
    fn text(&self) -> String {
        match &self.state {
            Some(state) => format!("{}\nstate: {}", self.result, state.text()),
            None => self.result.clone(),
        }
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let image = image_of_files(&args.image).map_err(Failure::refused)?;
    let id = args.id(&image)?;
    let session = args.connection.clone().connect().await?;
    let workload = Workload::Provider { id: id.to_string(), image: image.to_string() };
    let wanted = Wanted {
        host: args.host_id.clone(),
        constraints: args.constraints.iter().cloned().map(Into::into).collect(),
    };
    let host = choose(&session, &workload, &wanted).await?;
    let mut command = StartProviderCommand::new(id.clone(), image.to_string());
    let annotations: BTreeMap<String, String> = args.annotations.iter().cloned().map(Into::into).collect();
    command.annotations = (!annotations.is_empty()).then_some(annotations);
    command.config = args.config.clone();
    let mut reply = Started {
        result: format!("asked host {host} to start provider {id}"),
        provider_ref: image.to_string(),
        provider_id: id.clone(),
        link_name: LinkName::default(),
        host_id: host.clone(),
        state: None,
    };
    if args.skip_wait {
        session.client.start_provider(&host, &command).await.map_err(failed)?;
        return out.reply(&reply);
    }
    let progress = out.progress(format!("starting {id} on host {host}"));
    let patience = Duration::from_millis(args.wait_timeout_ms);
    let waited = Waited { session: &session, host: &host, what: &format!("provider {id}") };
    let started = session.client.start_provider_and_wait(&host, &command, patience);
    waited.outcome(out, |inventory| state_in(inventory, &id), started).await?;
    let state = settled(&session, &host, &id).await?;
    drop(progress);
    if state.is_failed() {
        return Err(Failure::say(Exit::Refused, format!("provider {id} on host {host}: {}", state.text())));
    }
    reply.result = format!("provider {id} runs on host {host}");
    reply.state = Some(state);
    out.reply(&reply)
}

impl Args {
    fn id(&self, image: &ImageRef) -> Outcome<ProviderId> {
        match (&self.id, image) {
            (Some(id), _) => Ok(id.clone()),
            (None, ImageRef::Builtin(builtin)) => ProviderId::new(builtin.name()).map_err(Failure::usage),
            (None, _) => {
                let text = format!("what should the provider {image} be called?");
                Err(Failure::say(Exit::Usage, text)
                    .help(format!("give it a name: wash start provider {image} NAME")))
            }
        }
    }
}

/// The provider's state on `host` once it no longer passes.
pub(crate) async fn settled(session: &Session, host: &HostId, id: &ProviderId) -> Outcome<StateOf> {
    until_settled(session, SETTLE, |inventories| {
        let inventory = inventories.iter().find(|inventory| inventory.host_id == *host);
        let state = inventory
            .and_then(|inventory| state_in(inventory, id))
            .unwrap_or_else(|| StateOf::new(Some("starting"), Some("it is not in the host's inventory yet")));
        let settled = !state.is_passing();
        (state, settled)
    })
    .await
}

fn state_in(inventory: &HostInventory, id: &ProviderId) -> Option<StateOf> {
    let provider = inventory.providers.iter().find(|one| one.id == *id)?;
    Some(StateOf::new(provider.state.as_deref(), provider.reason.as_deref()))
}
