//! `wash secret list`.

use lattice_control_interface::{Host, SecretEntry};
use lattice_core::HostId;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed, short_keys},
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
    secrets: Vec<SecretEntry>,
    /// Names of those that answer.
    #[serde(skip)]
    hosts: Vec<Host>,
}

impl Listed {
    /// A host by its name, and one that does not answer by its key.
    fn host(&self, id: &HostId) -> String {
        let known = self.hosts.iter().find(|host| host.id == *id).map(|host| host.friendly_name.clone());
        known.unwrap_or_else(|| format!("{} (away)", short_keys(id.as_str(), usize::MAX)))
    }

    fn names(&self, hosts: &[HostId]) -> String {
        match hosts {
            [] => "-".to_owned(),
            hosts => hosts.iter().map(|id| self.host(id)).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Reply for Listed {
    fn text(&self) -> String {
        if self.secrets.is_empty() {
            return format!(
                "there are no secrets in lattice {}; put one: wash secret put NAME",
                self.lattice
            );
        }
        let waits = self.secrets.iter().any(|secret| !secret.waiting.is_empty());
        let cells = |secret: &SecretEntry| {
            let waiting = waits.then(|| self.names(&secret.waiting));
            let revision = secret.revision.to_string();
            [
                secret.name.to_string(),
                secret.kind.clone(),
                revision,
                seconds(&secret.at),
                self.names(&secret.hosts),
            ]
            .into_iter()
            .chain(waiting)
            .collect::<Vec<_>>()
        };
        let waiting = waits.then_some(("waiting", Align::Left));
        let columns: Vec<_> = [
            ("secret", Align::Left),
            ("kind", Align::Left),
            ("revision", Align::Right),
            ("since", Align::Left),
            ("hosts", Align::Left),
        ]
        .into_iter()
        .chain(waiting)
        .collect();
        table(&columns, self.secrets.iter().map(cells))
    }
}

/// A time without parts of a second, which tell people nothing.
fn seconds(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(whole, _)| format!("{whole}Z"))
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let secrets = session.client.list_secrets().await.map_err(failed)?;
    let hosts = session.client.get_hosts(session.collect()).await.map_err(failed)?;
    out.reply(&Listed { lattice: session.client.lattice().to_string(), secrets, hosts })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_holders_and_nothing_else() {
        let id = |letter: &str| format!("N{}", letter.repeat(55));
        let host = |letter: &str, name: &str| -> Host {
            serde_json::from_value(json!({ "id": id(letter), "friendly_name": name })).unwrap()
        };
        let secret = |name: &str, hosts: &[&str], waiting: &[&str]| -> SecretEntry {
            let ids = |letters: &[&str]| letters.iter().map(|letter| id(letter)).collect::<Vec<_>>();
            let at = "2026-11-21T01:17:37Z";
            let entry = json!({ "name": name, "kind": "text", "revision": 2, "at": at, "hosts": ids(hosts), "waiting": ids(waiting) });
            serde_json::from_value(entry).unwrap()
        };
        let hosts = vec![host("A", "calm-otter-1"), host("B", "warm-reef-22")];
        let secrets = vec![secret("api-token", &["A", "B"], &[]), secret("key", &["A"], &["B"])];
        let listed = Listed { lattice: "default".into(), secrets, hosts };
        insta::assert_snapshot!(listed.text(), @"
        SECRET     KIND  REVISION  SINCE                 HOSTS                       WAITING
        api-token  text         2  2026-11-21T01:17:37Z  calm-otter-1, warm-reef-22  -
        key        text         2  2026-11-21T01:17:37Z  calm-otter-1                warm-reef-22
        ");
        let away = Listed { hosts: Vec::new(), secrets: vec![secret("key", &["A"], &[])], ..listed };
        assert_eq!(seconds("2026-11-21T01:17:37.932Z"), "2026-11-21T01:17:37Z");
        assert!(away.text().contains("(away)") && !away.text().contains("WAITING"), "{}", away.text());
        let none = Listed { lattice: "x".into(), secrets: Vec::new(), hosts: Vec::new() };
        assert!(none.text().contains("wash secret put NAME"));
    }
}
