//! `wash claims`: signing, and reading signatures.

mod inspect;
mod sign;
mod times;
mod token;

use crate::{failure::Outcome, output::Output};

pub(super) use inspect::Shown;
pub(super) use sign::SigningKeys;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Sign an actor.
    Sign(Box<sign::Args>),
    /// Show the claims of a file, an image or a token.
    Inspect(inspect::Args),
    /// Make a signed token without a file.
    Token(token::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Sign(args) => sign::run(*args, out).await,
        Verb::Inspect(args) => inspect::run(args, out).await,
        Verb::Token(args) => token::run(args, out).await,
    }
}
