//! `wash role del`.

use lattice_control_interface::{DeleteRoleCommand, RoleChange};
use lattice_core::UserKey;

use super::reach;
use crate::{
    failure::Outcome,
    lattice::{Changed, ConnectionArgs, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "What an admin gave to others counts no more when it is no admin; the answer names it."
)]
pub(super) struct Args {
    /// The public key (U…)
    key: UserKey,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let command = DeleteRoleCommand { key: args.key.clone() };
    let RoleChange { before, now, lost } = session.client.delete_role(&command).await.map_err(failed)?;
    let lattice = session.client.lattice();
    let mut message = match &before {
        None => format!("nothing changed: {} has no role in lattice {lattice}", args.key),
        Some(before) => {
            format!("{} has no role in lattice {lattice} any more; it was {}", args.key, reach(&before.grant))
        }
    };
    if !lost.is_empty() {
        message += &format!(
            "\nwhat it had given counts no more: {}; give it again where it should: wash role add, wash trust add",
            lost.join(", ")
        );
    }
    out.reply(&Changed::new(message, args.key, before, now).with_lost(lost))
}
