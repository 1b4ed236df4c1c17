//! `wash config get`.

use lattice_core::ConfigName;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, failed},
    output::{Format, Output, pairs},
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
    let values = session.client.get_config(&args.name).await.map_err(failed)?;
    let values = values.ok_or_else(|| {
        Failure::say(Exit::Refused, format!("there is no config {}", args.name))
            .help(format!("make it with: wash config put {} KEY=VALUE", args.name))
    })?;
    // As in v1 the JSON is the configuration itself, so that it can be piped on.
    match out.format() {
        Format::Json => out.text(&serde_json::to_string(&values).map_err(Failure::refused)?),
        Format::Text => out.text(&pairs(values.iter().map(|(key, value)| (key.as_str(), value.clone())))),
    }
}
