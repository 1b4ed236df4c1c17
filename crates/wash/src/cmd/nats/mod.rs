//! `wash nats`: a NATS of one's own that takes nobody without credentials.

mod init;
mod push;
mod table;
mod user;

use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in the whole process")]
enum Verb {
    /// Make operator, accounts, users and the configuration of a server; with --site of one that joins it.
    Init(init::Args),
    /// Add, list and revoke users.
    User(user::Args),
    /// Tell a running server which users are revoked, and what provider keys may sign.
    Push(push::Args),
    /// Show what a role may do, as a server's configuration.
    Permissions(table::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Init(args) => init::run(args, out),
        Verb::User(args) => user::run(args, out).await,
        Verb::Push(args) => push::run(args, out).await,
        Verb::Permissions(args) => table::run(args, out),
    }
}
