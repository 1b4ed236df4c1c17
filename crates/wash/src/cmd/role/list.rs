//! `wash role list`.

use lattice_control_interface::{HostInventory, RoleEntry};
use lattice_core::{Grant, Role, UserKey};
use serde::Serialize;

use super::reach;
use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, Source, all_inventories, failed, short_keys},
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Listed {
    lattice: String,
    roles: Vec<Row>,
    /// Hosts that take commands without a signature, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsigned_hosts: Vec<String>,
}

/// One key, and one of those that name it.
#[derive(Debug, Serialize)]
struct Row {
    key: UserKey,
    #[serde(flatten)]
    grant: Grant,
    counts: bool,
    #[serde(flatten)]
    from: Source,
}

fn listed(lattice: String, said: Vec<RoleEntry>, hosts: &[HostInventory]) -> Listed {
    let mut roles: Vec<Row> = said
        .into_iter()
        .map(|entry| Row {
            key: entry.key,
            grant: entry.grant,
            counts: entry.counts,
            from: Source::Lattice { by: entry.by, at: entry.at, through: entry.through },
        })
        .collect();
    for host in hosts {
        roles.extend(host.admins.iter().flatten().map(|key| Row {
            key: key.clone(),
            grant: Grant::of(Role::Admin),
            counts: true,
            from: Source::flag_of(host),
        }));
    }
    roles.sort_by(|a, b| a.key.cmp(&b.key));
    let unsigned = hosts.iter().filter(|host| !host.signed_control);
    Listed { lattice, roles, unsigned_hosts: unsigned.map(|host| host.friendly_name.clone()).collect() }
}

/// Columns that whole keys need.
const ROOM: usize = 170;

impl Reply for Listed {
    fn text(&self) -> String {
        let mut text = match self.roles.as_slice() {
            [] => format!(
                "nobody has a role in lattice {}; the first admins are named where hosts start: wasmcloud --admin KEY",
                self.lattice
            ),
            roles => {
                let cells = |row: &Row| {
                    let role = match row.counts {
                        true => reach(&row.grant),
                        false => format!("{} (counts nowhere: no admin said so)", reach(&row.grant)),
                    };
                    let key = short_keys(row.key.as_str(), ROOM);
                    let [from, by, at] = row.from.cells("-", ROOM);
                    [key, role, from, by, at]
                };
                let columns = ["key", "role", "from", "by", "since"].map(|name| (name, Align::Left));
                table(&columns, roles.iter().map(cells))
            }
        };
        if !self.unsigned_hosts.is_empty() {
            text += &format!(
                "\nhosts that take commands which nobody signed: {} (wasmcloud --require-signed-control)",
                self.unsigned_hosts.join(", ")
            );
        }
        text
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let said = session.client.get_roles().await.map_err(failed)?;
    let hosts = all_inventories(&session).await?;
    out.reply(&listed(session.client.lattice().to_string(), said, &hosts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::by_letters;

    #[test]
    fn each_role_has_a_row_with_where_it_comes_from() {
        let key = |letter: &str| UserKey::new(format!("U{}", letter.repeat(55))).unwrap();
        let host = |name: &str, signed: bool| -> HostInventory {
            let json = serde_json::json!({
                "host_id": format!("N{}", "A".repeat(55)), "friendly_name": name, "admins": [key("B")],
                "signed_control": signed,
            });
            serde_json::from_value(json).unwrap()
        };
        let entry = |letter: &str, counts: bool| RoleEntry {
            key: key(letter),
            grant: Grant { names: vec!["shop-*".to_owned()], ..Grant::of(Role::Operator) },
            counts,
            by: Some(key("B")),
            at: "2026-11-21T01:17:37Z".to_owned(),
            through: None,
        };
        let hosts = [host("calm-otter-1", true), host("warm-reef-2", false)];
        let all = listed("default".into(), vec![entry("C", true), entry("D", false)], &hosts);
        insta::assert_snapshot!(by_letters(&all.text()), @"
        KEY ROLE FROM BY SINCE
        UB admin flag of calm-otter-1 - -
        UB admin flag of warm-reef-2 - -
        UC operator of what is named shop-* lattice UB 2026-11-21T01:17:37Z
        UD operator of what is named shop-* (counts nowhere: no admin said so) lattice UB 2026-11-21T01:17:37Z
        hosts that take commands which nobody signed: warm-reef-2 (wasmcloud --require-signed-control)
        ");
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(
            (&json["roles"][0]["from"], &json["roles"][2]["from"]),
            (&"flag".into(), &"lattice".into())
        );
        assert_eq!(
            (&json["roles"][3]["counts"], &json["unsigned_hosts"][0]),
            (&false.into(), &"warm-reef-2".into())
        );
        assert!(listed("x".into(), Vec::new(), &[]).text().contains("wasmcloud --admin KEY"));
    }
}
