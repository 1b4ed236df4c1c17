//! `wash link …`: who may call whom.

mod del;
mod put;
mod words;

use super::get;
use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Let one end call the other under a contract.
    Put(put::Args),
    /// Take a link away.
    #[command(aliases = ["delete", "rm"])]
    Del(del::Args),
    /// Show all links, each with its state.
    #[command(visible_alias = "get")]
    Query(get::links::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Put(args) => put::run(args, out).await,
        What::Del(args) => del::run(args, out).await,
        What::Query(args) => get::links::run(args, out).await,
    }
}
