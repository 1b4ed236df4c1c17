//! `wash secret put`.

use std::{collections::BTreeMap, path::PathBuf};

use lattice_claims::seal_secret;
use lattice_control_interface::{Host, PutSecretCommand, SecretChange};
use lattice_core::{CurveKey, HostId, Secret, SecretContents, SecretKind, SecretName};

use super::{Said, hosts, value};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, all_hosts, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The value is sealed here, to the keys of the hosts that are there; what crosses NATS and is kept in the lattice only they can open.

Examples:
  wash secret put api-token                          asks for the value
  pass show api-token | wash secret put api-token
  wash secret put api-token --from-file token.txt")]
pub(super) struct Args {
    /// The secret's name
    name: SecretName,
    /// Read the value from this file, instead of standard input or a prompt
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Take the value as bytes, with the line end after it; without this, text is taken as text
    #[arg(long)]
    bytes: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Said where nobody asked for bytes.
const KEPT_AS_BYTES: &str = "; it is not UTF-8, so it is kept as bytes";
const WITH_LINE_END: &str = ", all of them: the line end at its end is part of it";

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let secret = value::read(args.name.as_str(), args.from_file.as_deref(), args.bytes)?;
    let session = args.connection.connect().await?;
    let there = all_hosts(&session).await?;
    let readers = readers(&there);
    if readers.is_empty() {
        return Err(Failure::say(
            Exit::Refused,
            "no host of the lattice has a key to which secrets can be sealed",
        )
        .help("secrets need a host of this version: start one with `wash up`"));
    }
    if there.iter().any(|host| host.open == Some(true)) {
        out.note(
            "note: the lattice is open: whoever reaches its NATS can join as a host, and a host that joins is given the secret",
        );
    }
    let lattice = session.client.lattice().clone();
    let kind = secret.kind().word().to_owned();
    let unasked = if args.bytes { String::new() } else { unasked(&secret) };
    let contents = SecretContents { lattice, name: args.name.clone(), secret };
    let sealed = seal_secret(&contents, &readers).map_err(Failure::refused)?;
    let command = PutSecretCommand { name: args.name.clone(), kind, sealed };
    let SecretChange { before, now } = session.client.put_secret(&command).await.map_err(failed)?;
    let told = told(&args.name, readers.len(), there.len() - readers.len(), before.is_some());
    let message = format!("{told}{unasked}");
    out.reply(&Said { message, name: args.name, before, now })
}

/// Hosts of wasmCloud 1.x, and those of ours from before there were secrets, have no key.
fn readers(there: &[Host]) -> BTreeMap<HostId, CurveKey> {
    there.iter().filter_map(|host| Some((host.id.clone(), host.xkey.clone()?))).collect()
}

/// What is said of a value that was not asked to be bytes.
fn unasked(secret: &Secret) -> String {
    match secret.kind() {
        SecretKind::Text => String::new(),
        SecretKind::Bytes if secret.expose().ends_with(b"\n") => format!("{KEPT_AS_BYTES}{WITH_LINE_END}"),
        SecretKind::Bytes => KEPT_AS_BYTES.to_owned(),
    }
}

fn told(name: &SecretName, readers: usize, without: usize, was_there: bool) -> String {
    let new = if was_there { " has a new value, which" } else { "" };
    let rest = match without {
        0 => String::new(),
        count => format!("; {} without a key cannot have it", hosts(count)),
    };
    format!("secret {name}{new} is sealed to {}{rest}", hosts(readers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_takes_for_bytes() {
        let said = |value: &[u8]| unasked(&Secret::bytes(value.to_vec()).unwrap());
        assert_eq!(said(b"\xff"), "; it is not UTF-8, so it is kept as bytes");
        assert_eq!(
            said(b"\xff\n"),
            "; it is not UTF-8, so it is kept as bytes, all of them: the line end at its end is part of it"
        );
        assert_eq!(unasked(&Secret::text("a".into()).unwrap()), "");
    }

    #[test]
    fn it_says_who_has_it() {
        let name = "token".parse().unwrap();
        assert_eq!(told(&name, 1, 0, false), "secret token is sealed to 1 host");
        assert_eq!(
            told(&name, 2, 1, true),
            "secret token has a new value, which is sealed to 2 hosts; 1 host without a key cannot have it"
        );
    }
}
