//! `wash keys`: the user's key files.

mod generate;
mod get;
mod list;

use crate::{failure::Outcome, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a key, and print it or save it.
    Gen(generate::Args),
    /// Show which keys there are.
    List(list::Args),
    /// Print the seed of one key.
    Get(get::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Gen(args) => generate::run(args, out),
        Verb::List(args) => list::run(args, out),
        Verb::Get(args) => get::run(args, out),
    }
}
