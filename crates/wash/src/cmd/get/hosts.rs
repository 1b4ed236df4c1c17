//! `wash get hosts`.

use lattice_control_interface::{Host, LostHost};
use lattice_core::one_line;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, StateOf, failed, lost_of, own_labels, short_keys, uptime},
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Hosts {
    /// Those that answer.
    hosts: Vec<Host>,
    /// Those that do not, and of which one that does says that they are lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<LostHost>,
    #[serde(skip)]
    lattice: String,
}

/// Two spaces stand between columns.
const GAPS: usize = 2 * 5;

impl Hosts {
    fn rows(&self) -> Vec<[String; 6]> {
        let answering = self.hosts.iter().map(|host| {
            let state = StateOf::new(host.state.as_deref().or(Some("ready")), host.reason.as_deref()).text();
            let version = host.version.clone().unwrap_or_default();
            let up = uptime(host.uptime_seconds);
            [host.id.to_string(), host.friendly_name.clone(), up, version, own_labels(&host.labels), state]
        });
        let lost = self.lost.iter().map(|host| {
            let (version, labels) = (host.version.clone(), own_labels(&host.labels));
            [host.id.to_string(), host.friendly_name.clone(), "-".into(), version, labels, "lost".into()]
        });
        answering.chain(lost).collect()
    }
}

impl Reply for Hosts {
    fn text(&self) -> String {
        if self.hosts.is_empty() {
            return format!("no host answers in lattice {}; start one with `wash up`", self.lattice);
        }
        let rows = self.rows();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let needed = GAPS + (0..6).map(width).sum::<usize>();
        let with_labels = rows.iter().any(|row| !row[4].is_empty());
        let cells = |[id, name, uptime, version, labels, state]: [String; 6]| {
            let labels = with_labels.then_some(labels);
            [short_keys(&id, needed), name, uptime, version]
                .into_iter()
                .chain(labels)
                .chain([state])
                .collect()
        };
        let labels = with_labels.then_some(("labels", Align::Left));
        let columns: Vec<_> = [
            ("host", Align::Left),
            ("name", Align::Left),
            ("uptime", Align::Right),
            ("version", Align::Left),
        ]
        .into_iter()
        .chain(labels)
        .chain([("state", Align::Left)])
        .collect();
        let mut text = table(&columns, rows.into_iter().map(cells).collect::<Vec<Vec<String>>>());
        for host in self.hosts.iter().filter(|host| !host.notices.is_empty()) {
            let notices = format!("{}: {}", host.friendly_name, host.notices.join("; "));
            text += &format!("\n{}", one_line(&notices));
        }
        if !self.lost.is_empty() {
            text += "\na lost host that will not come back is forgotten with `wash host forget HOST`";
        }
        if let Some(host) = self.hosts.iter().find(|host| host.open == Some(true)) {
            let server = host.ctl_host.as_deref().unwrap_or("its server");
            text += &format!(
                "\nopen lattice: NATS at {server} asks nobody for credentials, so whoever reaches it steers the lattice"
            );
        }
        text
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    // None is an answer here: who asks which hosts there are wants to know.
    let mut hosts = session.client.get_hosts(session.collect()).await.map_err(failed)?;
    let lost = lost_of(&mut hosts);
    out.reply(&Hosts { hosts, lost, lattice: session.client.lattice().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_people() {
        let host = |letter: &str, name: &str, notices: &[&str]| -> Host {
            let id = format!("N{}", letter.repeat(55));
            let json = serde_json::json!({ "id": id, "friendly_name": name, "uptime_seconds": 306, "version": "0.1.0", "notices": notices });
            serde_json::from_value(json).unwrap()
        };
        let hosts =
            vec![host("A", "calm-otter-1", &[]), host("B", "warm-reef-22", &["unsigned actors are allowed"])];
        let plain = Hosts { hosts: hosts.clone(), lost: Vec::new(), lattice: "default".into() };
        insta::assert_snapshot!(plain.text(), @"
        HOST                                                      NAME          UPTIME  VERSION  STATE
        NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  calm-otter-1   5m 6s  0.1.0    ready
        NBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB  warm-reef-22   5m 6s  0.1.0    ready
        warm-reef-22: unsigned actors are allowed
        ");
        let mut hosts = hosts;
        hosts[0]
            .labels
            .0
            .extend([("hostcore.os".to_owned(), "linux".to_owned()), ("zone".to_owned(), "lab".to_owned())]);
        let gone = serde_json::json!({ "id": format!("N{}", "C".repeat(55)), "friendly_name": "cool-bay-3", "version": "0.1.0" });
        hosts[1].lost = vec![serde_json::from_value(gone).unwrap()];
        let lost = lost_of(&mut hosts);
        let all = Hosts { hosts, lost, lattice: "default".into() };
        insta::assert_snapshot!(all.text(), @"
        HOST                                                      NAME          UPTIME  VERSION  LABELS    STATE
        NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  calm-otter-1   5m 6s  0.1.0    zone=lab  ready
        NBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB  warm-reef-22   5m 6s  0.1.0              ready
        NCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC  cool-bay-3         -  0.1.0              lost
        warm-reef-22: unsigned actors are allowed
        a lost host that will not come back is forgotten with `wash host forget HOST`
        ");
        let mut open = all.hosts.clone();
        for host in &mut open {
            (host.open, host.ctl_host) = (Some(true), Some("nats://127.0.0.1:4222".to_owned()));
        }
        let open = Hosts { hosts: open, lost: Vec::new(), lattice: "default".into() };
        let said = "\nopen lattice: NATS at nats://127.0.0.1:4222 asks nobody for credentials, so whoever reaches it steers the lattice";
        assert!(
            open.text().ends_with(said) && open.text().matches("open lattice").count() == 1,
            "{}",
            open.text()
        );
        assert!(!all.text().contains("open lattice"));
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!((json["hosts"].as_array().unwrap().len(), json["lost"].as_array().unwrap().len()), (2, 1));
        assert!(json["hosts"][1].get("lost").is_none(), "{json}");
    }
}
