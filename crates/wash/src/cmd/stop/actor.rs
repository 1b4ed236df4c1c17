//! `wash stop actor`.

use std::time::Duration;

use lattice_control_interface::ScaleComponentCommand;
use lattice_core::{ActorId, HostId};
use serde::Serialize;

use super::{id_and_host, stopped::Stopped, where_it_runs};
use crate::{
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, all_inventories, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(override_usage = "wash stop actor [OPTIONS] <ID>")]
pub(super) struct Args {
    /// The actor's id
    #[arg(value_name = "ID", required = true, num_args = 1..=2)]
    names: Vec<String>,
    /// Stop it only on this host: an id, the first characters of one, or its name
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Return when the hosts have taken the command, without waiting for the outcome
    #[arg(long)]
    skip_wait: bool,
    /// Longest wait for the outcome on each host, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct What {
    component_id: ActorId,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let (id, host) = id_and_host(&args.names, args.host_id.as_ref());
    let id = ActorId::new(id).map_err(Failure::usage)?;
    let session = args.connection.connect().await?;
    let inventories = all_inventories(&session).await?;
    let running = inventories.iter().filter_map(|inventory| {
        let actor = inventory.components.iter().find(|actor| actor.id == id)?;
        Some((inventory.host_id.clone(), actor.image_ref.clone()))
    });
    let running: Vec<(HostId, String)> = running.collect();
    let ids = running.iter().map(|(host, _)| host.clone()).collect();
    let hosts = where_it_runs(&session, &format!("actor {id}"), ids, host.as_ref()).await?;
    let progress = out.progress(format!("stopping {id}"));
    for host in &hosts {
        let image =
            running.iter().find(|(at, _)| at == host).map(|(_, image)| image.clone()).unwrap_or_default();
        let command = ScaleComponentCommand::new(id.clone(), image, 0);
        let stopped = if args.skip_wait {
            session.client.scale_component(host, &command).await.map(drop)
        } else {
            let patience = Duration::from_millis(args.wait_timeout_ms);
            session.client.scale_component_and_wait(host, &command, patience).await.map(drop)
        };
        stopped.map_err(failed)?;
    }
    drop(progress);
    let done = if args.skip_wait { "is to stop" } else { "stopped" };
    out.reply(&Stopped::new(&format!("actor {id} {done}"), What { component_id: id }, hosts))
}
