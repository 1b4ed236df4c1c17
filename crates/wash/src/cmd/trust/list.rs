//! `wash trust list`.

use lattice_control_interface::{HostInventory, TrustEntry};
use lattice_core::{AccountKey, Standing};
use serde::Serialize;

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
    trust: Vec<Row>,
}

/// One key, and one of those that name it.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    key: AccountKey,
    /// `trusted` or `revoked`, in effect: what the lattice revoked counts nowhere. `unconfirmed` counts nowhere, either: no admin said
    /// so.
    standing: String,
    /// The account that the key signs for.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountKey>,
    #[serde(flatten)]
    from: Source,
}

fn rows(said: Vec<TrustEntry>, hosts: &[HostInventory]) -> Vec<Row> {
    let revoked = |key: &AccountKey| {
        said.iter().any(|entry| entry.key == *key && entry.standing == Standing::Revoked.word())
    };
    let flag = |host: &HostInventory, key: &AccountKey| Row {
        key: key.clone(),
        standing: if revoked(key) { Standing::Revoked } else { Standing::Trusted }.word().to_owned(),
        account: None,
        from: Source::flag_of(host),
    };
    let flags: Vec<Row> =
        hosts.iter().flat_map(|host| host.trusts.iter().flatten().map(move |key| flag(host, key))).collect();
    let lattice = said.iter().map(|entry| Row {
        key: entry.key.clone(),
        standing: entry.standing.clone(),
        account: entry.account.clone(),
        from: Source::Lattice { by: entry.by.clone(), at: entry.at.clone(), through: entry.through.clone() },
    });
    let mut rows: Vec<Row> = lattice.collect();
    rows.extend(flags);
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

/// Columns that whole keys need.
const ROOM: usize = 190;

impl Reply for Listed {
    fn text(&self) -> String {
        if self.trust.is_empty() {
            return format!(
                "nobody is trusted in lattice {}, neither by it nor by its hosts; name somebody: wash trust add ACCOUNT",
                self.lattice
            );
        }
        let short = |key: &str| short_keys(key, ROOM);
        let cells = |row: &Row| {
            let what = match &row.account {
                Some(account) => format!("signs for {}", short(account.as_str())),
                None => "account".to_owned(),
            };
            let [from, by, at] = row.from.cells("unsigned", ROOM);
            [short(row.key.as_str()), what, row.standing.clone(), from, by, at]
        };
        let columns = ["key", "what", "standing", "from", "by", "since"].map(|name| (name, Align::Left));
        table(&columns, self.trust.iter().map(cells))
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let said = session.client.get_trust().await.map_err(failed)?;
    let hosts = all_inventories(&session).await?;
    out.reply(&Listed { lattice: session.client.lattice().to_string(), trust: rows(said, &hosts) })
}

#[cfg(test)]
mod tests {
    use lattice_core::UserKey;

    use super::*;
    use crate::lattice::by_letters;

    #[test]
    fn each_word_has_a_row_with_where_it_comes_from() {
        let key = |letter: &str| AccountKey::new(format!("A{}", letter.repeat(55))).unwrap();
        let entry = |of: &str, standing: &str, account: Option<AccountKey>, by: Option<&str>| TrustEntry {
            key: key(of),
            standing: standing.to_owned(),
            account,
            by: by.map(|letter| UserKey::new(format!("U{}", letter.repeat(55))).unwrap()),
            at: "2026-11-21T01:17:37Z".to_owned(),
            through: None,
        };
        let host = serde_json::json!({
            "host_id": format!("N{}", "A".repeat(55)), "friendly_name": "calm-otter-1",
            "trusts": [key("B"), key("D")],
        });
        let said = vec![entry("B", "revoked", None, Some("F")), entry("C", "trusted", Some(key("D")), None)];
        let listed =
            Listed { lattice: "default".into(), trust: rows(said, &[serde_json::from_value(host).unwrap()]) };
        insta::assert_snapshot!(by_letters(&listed.text()), @"
        KEY WHAT STANDING FROM BY SINCE
        AB account revoked lattice UF 2026-11-21T01:17:37Z
        AB account revoked flag of calm-otter-1 - -
        AC signs for AD trusted lattice unsigned 2026-11-21T01:17:37Z
        AD account trusted flag of calm-otter-1 - -
        ");
        let json = serde_json::to_value(&listed).unwrap();
        assert_eq!(
            (&json["trust"][0]["from"], &json["trust"][1]["from"]),
            (&"lattice".into(), &"flag".into())
        );
        assert_eq!(
            (&json["trust"][0]["standing"], &json["trust"][1]["host"]),
            (&"revoked".into(), &"calm-otter-1".into())
        );
        assert!(Listed { lattice: "x".into(), trust: Vec::new() }.text().contains("wash trust add ACCOUNT"));
    }
}
