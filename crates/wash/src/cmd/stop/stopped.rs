//! What is told of an actor or provider that was stopped.

use lattice_core::HostId;
use serde::Serialize;

use crate::output::Reply;

/// v1's fields, of which `what` is one by a name of its own, and ours: all the hosts.
#[derive(Debug, Serialize)]
pub(super) struct Stopped<W> {
    result: String,
    #[serde(flatten)]
    what: W,
    host_id: Option<HostId>,
    hosts: Vec<HostId>,
}

impl<W> Stopped<W> {
    /// `done` says of whom and what, as `actor a stopped`.
    pub(super) fn new(done: &str, what: W, hosts: Vec<HostId>) -> Self {
        let result = format!("{done} on {}", list(&hosts));
        Self { result, what, host_id: hosts.first().cloned(), hosts }
    }
}

impl<W: Serialize> Reply for Stopped<W> {
    fn text(&self) -> String {
        self.result.clone()
    }
}

/// Hosts for people.
fn list(hosts: &[HostId]) -> String {
    let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    format!("host{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_v1_tells_it_and_with_all_hosts() {
        #[derive(Serialize)]
        struct What {
            provider_id: &'static str,
        }
        let host = |letter: &str| HostId::new(format!("N{}", letter.repeat(55))).unwrap();
        let told = |hosts| Stopped::new("provider kv stopped", What { provider_id: "kv" }, hosts);
        let both = told(vec![host("A"), host("B")]);
        let (a, b) = (host("A"), host("B"));
        assert_eq!(both.text(), format!("provider kv stopped on hosts {a}, {b}"));
        let json = serde_json::to_string(&both).unwrap();
        let result = both.text();
        assert_eq!(
            json,
            format!(r#"{{"result":"{result}","provider_id":"kv","host_id":"{a}","hosts":["{a}","{b}"]}}"#)
        );
        assert_eq!(told(vec![host("A")]).text(), format!("provider kv stopped on host {a}"));
    }
}
