//! `wash role add`.

use lattice_control_interface::{PutRoleCommand, RoleChange, RoleEntry};
use lattice_core::{Grant, LatticeName, Role, UserKey};

use super::reach;
use crate::{
    failure::Outcome,
    lattice::{Changed, ConnectionArgs, Pair, failed},
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A viewer looks. An operator changes what runs, and how it is linked and configured; --hosts and --names limit that. An admin also says
whom to trust and who may do what. The first admins are named where hosts start: wasmcloud --admin KEY. Only admins give roles.

Examples:
  wash role add KEY operator
  wash role add KEY operator --hosts site=plant
  wash role add KEY operator --names 'shop-*' --names http")]
pub(super) struct Args {
    /// The public key (U…) of a person or program; wash keys gen user makes one
    key: UserKey,
    /// admin, operator or viewer
    role: Role,
    /// Only hosts that have this label; several have to hold together
    #[arg(long, value_name = "LABEL=VALUE")]
    hosts: Vec<Pair>,
    /// Only what is of such names: actors, providers, configurations, secrets; `*` stands for any characters; may be
    /// repeated
    #[arg(long, value_name = "PATTERN")]
    names: Vec<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let hosts = args.hosts.into_iter().map(Into::into).collect();
    let grant = Grant { hosts, names: args.names, ..Grant::of(args.role) };
    let command = PutRoleCommand { key: args.key.clone(), grant };
    let RoleChange { before, now, .. } = session.client.put_role(&command).await.map_err(failed)?;
    let message = told(&command, before.as_ref(), session.client.lattice());
    out.reply(&Changed::new(message, args.key, before, now))
}

fn told(command: &PutRoleCommand, before: Option<&RoleEntry>, lattice: &LatticeName) -> String {
    let PutRoleCommand { key, grant } = command;
    match before {
        Some(before) if before.counts && before.grant == *grant => {
            format!("nothing changed: {key} is {} in lattice {lattice} already", reach(grant))
        }
        Some(before) => {
            format!("{key} is {} in lattice {lattice}; before, it was {}", reach(grant), reach(&before.grant))
        }
        None => format!("{key} is {} in lattice {lattice}", reach(grant)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_changed() {
        let key = UserKey::new(format!("U{}", "B".repeat(55))).unwrap();
        let grant = Grant {
            hosts: [("site".to_owned(), "plant".to_owned())].into(),
            names: vec!["shop-*".to_owned(), "http".to_owned()],
            ..Grant::of(Role::Operator)
        };
        let command = PutRoleCommand { key: key.clone(), grant: grant.clone() };
        let entry = |grant: Grant| RoleEntry {
            key: key.clone(),
            grant,
            counts: true,
            by: None,
            at: String::new(),
            through: None,
        };
        let said = |before: Option<RoleEntry>| {
            told(&command, before.as_ref(), &LatticeName::default()).replace(key.as_str(), "UB")
        };
        let reach = "operator on hosts with site=plant of what is named shop-*, http";
        assert_eq!(said(None), format!("UB is {reach} in lattice default"));
        assert_eq!(
            said(Some(entry(grant))),
            format!("nothing changed: UB is {reach} in lattice default already")
        );
        assert_eq!(
            said(Some(entry(Grant::of(Role::Viewer)))),
            format!("UB is {reach} in lattice default; before, it was viewer")
        );
    }
}
