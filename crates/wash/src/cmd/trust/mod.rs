//! `wash trust …`: whose signatures count in a lattice.

mod add;
mod del;
mod list;

use lattice_control_interface::TrustEntry;
use lattice_core::AccountKey;

use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Trust an account, or a key that signs for one: what it signed starts on every host.
    #[command(alias = "put")]
    Add(add::Args),
    /// Revoke a key: from now on what it signed starts nowhere, also where a host's flags name it.
    #[command(aliases = ["delete", "rm", "revoke"])]
    Del(del::Args),
    /// Show whose signatures count, and who said so.
    #[command(visible_alias = "ls")]
    List(list::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Add(args) => add::run(args, out).await,
        What::Del(args) => del::run(args, out).await,
        What::List(args) => list::run(args, out).await,
    }
}

/// `account A…` or `signing key A…`.
fn named(key: &AccountKey, account: Option<&AccountKey>) -> String {
    let what = if account.is_some() { "signing key" } else { "account" };
    format!("{what} {key}")
}

/// ` since 2026-11-21T01:17:37Z`, where that is known.
fn since(entry: &TrustEntry) -> String {
    if entry.at.is_empty() { String::new() } else { format!(" since {}", entry.at) }
}
