//! `wash secret del`.

use lattice_control_interface::{DeleteSecretCommand, SecretChange};
use lattice_core::SecretName;

use super::Said;
use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every box goes, on every host. Actors and links that need the secret are shown as pending. Whoever has read it still knows it: where
that matters, make the value worthless where it came from.")]
pub(super) struct Args {
    /// The secret's name
    name: SecretName,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let command = DeleteSecretCommand { name: args.name.clone() };
    let SecretChange { before, now } = session.client.delete_secret(&command).await.map_err(failed)?;
    let message = match &before {
        Some(_) => format!("secret {} is deleted", args.name),
        None => format!("nothing changed: there is no secret {}", args.name),
    };
    out.reply(&Said { message, name: args.name, before, now })
}
