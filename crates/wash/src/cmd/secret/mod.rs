//! `wash secret …`: values that only those who are to use them can read.

mod del;
mod list;
mod put;
mod value;

use lattice_control_interface::SecretEntry;
use lattice_core::SecretName;
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
    /// Seal a secret to the hosts of the lattice, in place of one of that name.
    #[command(alias = "create")]
    Put(put::Args),
    /// Show which secrets there are, and which hosts have them; never what they hold.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Delete a secret: no host has it any more.
    #[command(aliases = ["delete", "rm"])]
    Del(del::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Put(args) => put::run(args, out).await,
        What::List(args) => list::run(args, out).await,
        What::Del(args) => del::run(args, out).await,
    }
}

/// What a command did.
#[derive(Debug, Serialize)]
struct Said {
    message: String,
    name: SecretName,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<SecretEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<SecretEntry>,
}

impl Reply for Said {
    fn text(&self) -> String {
        self.message.clone()
    }
}

/// `1 host`, `2 hosts`.
fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}
