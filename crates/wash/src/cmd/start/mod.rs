//! `wash start …`: actors and providers.

mod actor;
mod patience;
mod provider;

use crate::{failure::Outcome, output::Output};

/// What to start.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Start an actor.
    #[command(alias = "component")]
    Actor(actor::Args),
    /// Start a provider.
    Provider(provider::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Actor(args) => actor::run(args, out).await,
        What::Provider(args) => provider::run(args, out).await,
    }
}
