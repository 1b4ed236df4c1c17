//! `wash host forget`.

use lattice_core::HostId;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed, resolve_host_or_lost},
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lost host: an id, the first characters of one, or its name
    host: String,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Forgotten {
    message: String,
    host_id: HostId,
}

impl Reply for Forgotten {
    fn text(&self) -> String {
        self.message.clone()
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let host_id = resolve_host_or_lost(&session, &args.host).await?;
    let message = session.client.forget_host(&host_id).await.map_err(failed)?;
    out.reply(&Forgotten { message, host_id })
}
