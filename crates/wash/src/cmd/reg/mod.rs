//! `wash reg`: registries.

pub(super) mod pull;
pub(super) mod push;

use crate::{failure::Outcome, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Push a signed actor or a provider archive.
    Push(push::Args),
    /// Pull an actor or a provider archive into a file.
    Pull(pull::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Push(args) => push::run(args, out).await,
        Verb::Pull(args) => pull::run(args, out).await,
    }
}
