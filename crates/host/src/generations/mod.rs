//! Hosts of wasmCloud 1.x under the same lattice name: told apart, and met or not.
//!
//! Either generation answers the control subjects that one host of a group takes, and each keeps links, configurations and
//! claims in buckets of its own. Together they would tear the lattice's state in two, so a host of ours does not join them
//! unless an operator says how. One of 1.x that comes later is noticed (`watch`), and makes every host of ours degraded.

mod neighbours;
mod watch;

use std::time::Duration;

use lattice_control_interface::{Client, Collect, Host};
use lattice_core::LatticeName;
use lattice_nats::Connection;

pub(crate) use watch::Watch;

/// How long hosts may take to answer; a moment after the last one, all have.
const COLLECT: Collect =
    Collect { window: Duration::from_secs(1), quiet: Some(Duration::from_millis(150)), expected: None };

/// Why this host does not join.
#[derive(Debug, thiserror::Error)]
#[error(
    "lattice {lattice} has hosts of wasmCloud 1.x: {names}; they keep its links and configurations where this host does not \
     look. Choose another lattice with --lattice NAME, or join all the same with --beside-v1: then links, configurations \
     and claims are left to them, and this host does only what it is told by its own id"
)]
pub(crate) struct MeetsV1 {
    lattice: LatticeName,
    names: String,
}

/// Looks who is there. A lattice that cannot be asked now has nobody to be torn from.
pub(crate) async fn look(
    connection: &Connection,
    lattice: &LatticeName,
    beside_v1: bool,
) -> Result<Option<String>, MeetsV1> {
    let client = Client::new(connection.clone(), lattice.clone(), COLLECT.window);
    let hosts = client.get_hosts(COLLECT).await.unwrap_or_default();
    let names = names_of_v1(&hosts);
    match (names.is_empty(), beside_v1) {
        (true, false) => Ok(None),
        (true, true) => Ok(Some(
            "joined beside hosts of wasmCloud 1.x (--beside-v1), though none is there now: links, configurations and \
             claims are not served"
                .to_owned(),
        )),
        (false, true) => Ok(Some(format!(
            "beside hosts of wasmCloud 1.x (--beside-v1): {names}; links, configurations and claims are left to them"
        ))),
        (false, false) => Err(MeetsV1 { lattice: lattice.clone(), names }),
    }
}

/// Hosts of 1.x tell no state.
fn names_of_v1(hosts: &[Host]) -> String {
    let name = |host: &Host| format!("{} ({})", host.friendly_name, host.id);
    hosts.iter().filter(|host| host.state.is_none()).map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_our_marks_are_of_v1() {
        let host = |letter: &str, state: Option<&str>| -> Host {
            let id = format!("N{}", letter.repeat(55));
            serde_json::from_value(serde_json::json!({ "id": id, "friendly_name": letter, "state": state }))
                .unwrap()
        };
        let names = names_of_v1(&[host("A", Some("ready")), host("B", None), host("C", Some("degraded"))]);
        assert_eq!(names, format!("B (N{})", "B".repeat(55)));
    }
}
