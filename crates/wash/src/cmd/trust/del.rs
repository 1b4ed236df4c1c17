//! `wash trust del`.

use lattice_control_interface::{DeleteTrustCommand, TrustChange, TrustEntry};
use lattice_core::{AccountKey, LatticeName, Standing};

use super::{named, since};
use crate::{
    failure::Outcome,
    lattice::{Changed, ConnectionArgs, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What runs goes on, and is shown as degraded. A revoked account takes the keys that sign for it along.

Examples:
  wash trust del ACCOUNT            what it signed starts nowhere any more
  wash trust del ACCOUNT --forget   the lattice says nothing of it; the flags of each host decide")]
pub(super) struct Args {
    /// The public key (A…) of an account, or of a key that signs for one
    key: AccountKey,
    /// Only take the lattice's own word back, good or bad: the flags of each host decide
    #[arg(long)]
    forget: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let command = DeleteTrustCommand { key: args.key.clone(), forget: args.forget };
    let TrustChange { before, now } = session.client.delete_trust(&command).await.map_err(failed)?;
    let message = told(&command, before.as_ref(), session.client.lattice());
    out.reply(&Changed::new(message, args.key, before, now))
}

fn told(command: &DeleteTrustCommand, before: Option<&TrustEntry>, lattice: &LatticeName) -> String {
    let DeleteTrustCommand { key, forget } = command;
    let what = named(key, before.and_then(|entry| entry.account.as_ref()));
    match (forget, before) {
        (false, Some(before)) if before.standing() == Standing::Revoked => {
            format!("nothing changed: {what} has been revoked{}", since(before))
        }
        (false, before) => {
            let rest = match before {
                Some(_) => String::new(),
                None => {
                    "; the lattice had not named it, and hosts whose flags do refuse it now, too".to_owned()
                }
            };
            format!(
                "{what} is revoked in lattice {lattice}: what it signed starts nowhere any more, and what runs goes on{rest}"
            )
        }
        (true, None) => format!("nothing changed: lattice {lattice} says nothing of {key}"),
        (true, Some(_)) => format!(
            "lattice {lattice} says nothing of {key} any more: what it signed starts on hosts whose flags name it, and on no \
             others"
        ),
    }
}
