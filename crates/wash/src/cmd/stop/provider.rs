//! `wash stop provider`.

use std::time::Duration;

use lattice_core::ProviderId;
use serde::Serialize;

use super::{id_and_host, stopped::Stopped, where_it_runs};
use crate::{
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, all_inventories, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(override_usage = "wash stop provider [OPTIONS] <ID>")]
pub(super) struct Args {
    /// The provider's id
    #[arg(value_name = "ID", required = true, num_args = 1..=2)]
    names: Vec<String>,
    /// Stop it only on this host: an id, the first characters of one, or its name
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Longest wait for the provider to stop on each host, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct What {
    provider_id: ProviderId,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let (id, host) = id_and_host(&args.names, args.host_id.as_ref());
    let id = ProviderId::new(id).map_err(Failure::usage)?;
    let session = args.connection.connect().await?;
    let inventories = all_inventories(&session).await?;
    let runs = |inventory: &&lattice_control_interface::HostInventory| {
        inventory.providers.iter().any(|one| one.id == id)
    };
    let running = inventories.iter().filter(runs).map(|inventory| inventory.host_id.clone()).collect();
    let hosts = where_it_runs(&session, &format!("provider {id}"), running, host.as_ref()).await?;
    let progress = out.progress(format!("stopping {id}"));
    // The host answers when the provider has stopped, after it has finished what it has in hand.
    let client = session.client.with_timeout(Duration::from_millis(args.wait_timeout_ms));
    for host in &hosts {
        client.stop_provider(host, &id).await.map_err(failed)?;
    }
    drop(progress);
    out.reply(&Stopped::new(&format!("provider {id} stopped"), What { provider_id: id }, hosts))
}
