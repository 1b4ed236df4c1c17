//! `wash config …`: named configurations of the lattice.

mod del;
mod get;
mod put;

use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write a configuration, in place of one of that name.
    #[command(alias = "create")]
    Put(put::Args),
    /// Show a configuration.
    Get(get::Args),
    /// Delete a configuration.
    #[command(aliases = ["delete", "rm"])]
    Del(del::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Put(args) => put::run(args, out).await,
        What::Get(args) => get::run(args, out).await,
        What::Del(args) => del::run(args, out).await,
    }
}

/// v1's fields.
#[derive(Debug, serde::Serialize)]
struct Said {
    message: String,
}

impl crate::output::Reply for Said {
    fn text(&self) -> String {
        self.message.clone()
    }
}
