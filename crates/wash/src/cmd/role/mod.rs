//! `wash role …`: who may command what.

mod add;
mod del;
mod list;

use lattice_core::Grant;

use crate::{failure::Outcome, output::Output};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Give a key a role, in place of one that it has.
    #[command(alias = "put")]
    Add(add::Args),
    /// Take the role of a key away, and with it all that it gave to others.
    #[command(aliases = ["delete", "rm"])]
    Del(del::Args),
    /// Show who may command what, and who said so.
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

/// `operator on hosts with site=plant, of what is named shop-*`.
fn reach(grant: &Grant) -> String {
    let mut text = grant.role.clone();
    if !grant.hosts.is_empty() {
        let pairs: Vec<String> = grant.hosts.iter().map(|(key, value)| format!("{key}={value}")).collect();
        text += &format!(" on hosts with {}", pairs.join(", "));
    }
    if !grant.names.is_empty() {
        text += &format!(" of what is named {}", grant.names.join(", "));
    }
    text
}
