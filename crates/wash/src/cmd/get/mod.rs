//! `wash get …`: what there is in a lattice.

mod claims;
mod hosts;
mod inventory;
pub(crate) mod links;

use crate::{failure::Outcome, output::Output};

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The hosts of the lattice; none is an answer too.
    #[command(visible_alias = "host")]
    Hosts(hosts::Args),
    /// What runs on each host, or on one, in which state.
    #[command(visible_alias = "inv")]
    Inventory(inventory::Args),
    /// The claims of what was started.
    Claims(claims::Args),
    /// Who may call whom, in which state.
    #[command(visible_alias = "link")]
    Links(links::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Hosts(args) => hosts::run(args, out).await,
        What::Inventory(args) => inventory::run(args, out).await,
        What::Claims(args) => claims::run(args, out).await,
        What::Links(args) => links::run(args, out).await,
    }
}
