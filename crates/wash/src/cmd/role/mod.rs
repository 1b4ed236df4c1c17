//! `wash role …`: who may command what.

mod add;
mod del;
mod list;

use lattice_control_interface::RoleEntry;
use lattice_core::{Grant, UserKey};
use serde::Serialize;

use crate::{
    failure::Outcome,
    output::{Output, Reply},
};

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

/// What a command did.
#[derive(Debug, Serialize)]
struct Said {
    message: String,
    key: UserKey,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<RoleEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<RoleEntry>,
    /// Keys whose role or trust was of this key's giving.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
}

impl Reply for Said {
    fn text(&self) -> String {
        self.message.clone()
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
