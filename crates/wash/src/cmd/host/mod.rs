//! `wash host …`: what is done to hosts beside starting, showing and stopping them.

mod forget;

use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Forget a host that is lost and will not come back.
    Forget(forget::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Forget(args) => forget::run(args, out).await,
    }
}
