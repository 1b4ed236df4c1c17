//! `wash par`: provider archives, made and shown.

mod create;
mod inspect;

use crate::{failure::Outcome, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Sign a provider's programs and pack them into an archive.
    Create(Box<create::Args>),
    /// Show what an archive holds and what its signature is worth.
    Inspect(inspect::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Create(args) => create::run(*args, out).await,
        Verb::Inspect(args) => inspect::run(args, out).await,
    }
}
