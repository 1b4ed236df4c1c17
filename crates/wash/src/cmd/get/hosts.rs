//! `wash get hosts`.

use lattice_control_interface::Host;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed, short_keys, uptime},
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Hosts {
    hosts: Vec<Host>,
    #[serde(skip)]
    lattice: String,
}

/// Two spaces stand between columns.
const GAPS: usize = 2 * 4;

impl Reply for Hosts {
    fn text(&self) -> String {
        if self.hosts.is_empty() {
            return format!("no host answers in lattice {}; start one with `wash up`", self.lattice);
        }
        let cells = |host: &Host| {
            let state = host.state.clone().unwrap_or_else(|| "ready".to_owned());
            let version = host.version.clone().unwrap_or_default();
            [host.id.to_string(), host.friendly_name.clone(), uptime(host.uptime_seconds), version, state]
        };
        let rows: Vec<_> = self.hosts.iter().map(cells).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let needed = GAPS + (0..5).map(width).sum::<usize>();
        let short = |[id, rest @ ..]: [String; 5]| {
            let [name, uptime, version, state] = rest;
            [short_keys(&id, needed), name, uptime, version, state]
        };
        let columns = [
            ("host", Align::Left),
            ("name", Align::Left),
            ("uptime", Align::Right),
            ("version", Align::Left),
            ("state", Align::Left),
        ];
        let mut text = table(&columns, rows.into_iter().map(short));
        for host in self.hosts.iter().filter(|host| !host.notices.is_empty()) {
            text += &format!("\n{}: {}", host.friendly_name, host.notices.join("; "));
        }
        text
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    // None is an answer here: who asks which hosts there are wants to know.
    let hosts = session.client.get_hosts(session.collect()).await.map_err(failed)?;
    out.reply(&Hosts { hosts, lattice: session.client.lattice().to_string() })
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
        insta::assert_snapshot!(Hosts { hosts, lattice: "default".into() }.text(), @"
        HOST                                                      NAME          UPTIME  VERSION  STATE
        NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  calm-otter-1   5m 6s  0.1.0    ready
        NBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB  warm-reef-22   5m 6s  0.1.0    ready
        warm-reef-22: unsigned actors are allowed
        ");
    }
}
