//! `wash config del`.

use lattice_core::ConfigName;

use super::Said;
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
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
    if session.client.get_config(&args.name).await.map_err(failed)?.is_none() {
        return Err(Failure::say(Exit::Refused, format!("there is no config {}", args.name)));
    }
    session.client.delete_config(&args.name).await.map_err(failed)?;
    out.reply(&Said { message: format!("config {} is deleted", args.name) })
}
