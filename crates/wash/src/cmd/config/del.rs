//! `wash config del`.

use lattice_core::ConfigName;

use super::Said;
use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration's name
    name: ConfigName,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let was = session.client.get_config(&args.name).await.map_err(failed)?.is_some();
    session.client.delete_config(&args.name).await.map_err(failed)?;
    let message = if was {
        format!("config {} is deleted", args.name)
    } else {
        format!("there was no config {}", args.name)
    };
    out.reply(&Said { message })
}
