//! `wash ctx`: which lattice is meant where nothing else says it.

mod del;
mod list;
mod new;
mod show;
mod use_;

use crate::{failure::Outcome, output::Output};

/// What to do with contexts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show all contexts; the current one has a star.
    List(list::Args),
    /// Show what one says.
    Show(show::Args),
    /// Make one the current one.
    #[command(alias = "default")]
    Use(use_::Args),
    /// Keep a server, its credentials and a lattice under a name.
    New(new::Args),
    /// Remove one; credentials files stay.
    Del(del::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::List(args) => list::run(args, out),
        Verb::Show(args) => show::run(args, out),
        Verb::Use(args) => use_::run(args, out),
        Verb::New(args) => new::run(args, out),
        Verb::Del(args) => del::run(args, out),
    }
}
