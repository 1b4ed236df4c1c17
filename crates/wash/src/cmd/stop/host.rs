//! `wash stop host`.

use std::time::Duration;

use lattice_core::HostId;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed, resolve_host},
    output::{Output, Reply},
};

/// Beyond the time for calls in flight: stopping providers and saying goodbye.
const MARGIN: Duration = Duration::from_secs(10);
/// What a host takes by itself for calls in flight.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The host: an id, the first characters of one, or its name
    host: String,
    /// Longest wait for calls in flight, in milliseconds [default: the host's own, usually 10 s]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    host_timeout: Option<u64>,
    /// Return when the host has taken the command, without waiting until it has stopped
    #[arg(long)]
    skip_wait: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Stopped {
    result: String,
    host_id: HostId,
}

impl Reply for Stopped {
    fn text(&self) -> String {
        self.result.clone()
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let host_id = resolve_host(&session, &args.host).await?;
    let grace = args.host_timeout.map(Duration::from_millis);
    if args.skip_wait {
        session.client.stop_host(&host_id, grace).await.map_err(failed)?;
        return out.reply(&Stopped { result: format!("host {host_id} is stopping"), host_id });
    }
    let progress = out.progress(format!("stopping host {host_id}"));
    let patience = grace.unwrap_or(GRACE) + MARGIN;
    session.client.stop_host_and_wait(&host_id, grace, patience).await.map_err(failed)?;
    drop(progress);
    out.reply(&Stopped { result: format!("host {host_id} stopped"), host_id })
}
