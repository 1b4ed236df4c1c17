//! `wash config put`.

use lattice_core::ConfigName;

use super::Said;
use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, Pair, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wash config put web address=127.0.0.1:8080 path=/hello")]
pub(super) struct Args {
    /// The configuration's name
    name: ConfigName,
    /// Its values; what is not named here is gone
    #[arg(value_name = "KEY=VALUE", required = true)]
    values: Vec<Pair>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let values = args.values.into_iter().map(Into::into).collect();
    session.client.put_config(&args.name, &values).await.map_err(failed)?;
    let count = values.len();
    let values = if count == 1 { "value" } else { "values" };
    out.reply(&Said { message: format!("config {} has {count} {values}", args.name) })
}
