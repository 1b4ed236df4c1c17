//! States, as inventories tell them.

use std::time::Duration;

use lattice_control_interface::{HostInventory, LinkStatus};
use lattice_core::{HostId, Link, State};
use serde::Serialize;

use super::{Session, all_inventories};
use crate::failure::Outcome;

/// How often inventories are read while something settles.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A state and its reason, as JSON and as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StateOf {
    /// The word, or `unknown` from a host that tells none.
    pub(crate) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl StateOf {
    pub(crate) fn new(state: Option<&str>, reason: Option<&str>) -> StateOf {
        // v1 hosts list only what runs.
        StateOf { state: state.unwrap_or("unknown").to_owned(), reason: reason.map(str::to_owned) }
    }

    pub(crate) fn text(&self) -> String {
        match &self.reason {
            Some(reason) if !reason.is_empty() => format!("{}: {reason}", self.state),
            _ => self.state.clone(),
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.state == "failed"
    }

    /// Whether the state changes by itself in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.state.as_str(), "starting" | "stopping")
    }
}

impl From<&State> for StateOf {
    fn from(state: &State) -> Self {
        StateOf::new(Some(state.word()), state.reason())
    }
}

/// A link with its state on each host that it concerns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LinkRow {
    #[serde(flatten)]
    pub(crate) link: Link,
    /// Of all hosts together: ready where it is ready on any, else what stands most in its way. Hosts that run the
    /// link's provider know best; without them the others are asked.
    #[serde(flatten)]
    pub(crate) state: StateOf,
    /// On each host.
    pub(crate) hosts: Vec<OnHost>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OnHost {
    pub(crate) host_id: HostId,
    #[serde(flatten)]
    pub(crate) state: StateOf,
}

/// The links with their states. A link that no host speaks of has neither end running.
pub(crate) fn link_rows(links: Vec<Link>, inventories: &[HostInventory]) -> Vec<LinkRow> {
    let row = |link: Link| {
        let told = |inventory: &HostInventory| {
            let status = inventory.links.iter().flatten().find(|status| is(status, &link))?;
            let state = StateOf::new(Some(&status.state), status.reason.as_deref());
            let ends = [link.source.as_str(), link.target.as_str()];
            let has_provider =
                inventory.providers.iter().any(|provider| ends.contains(&provider.id.as_str()));
            Some((OnHost { host_id: inventory.host_id.clone(), state }, has_provider))
        };
        let told: Vec<(OnHost, bool)> = inventories.iter().filter_map(told).collect();
        let known = together(told.iter().filter(|(_, has_provider)| *has_provider).map(|(host, _)| host));
        let known = known.or_else(|| together(told.iter().map(|(host, _)| host)));
        let hosts = told.into_iter().map(|(host, _)| host).collect();
        let state = known.unwrap_or_else(|| {
            let reason = format!("neither {} nor {} runs", link.source, link.target);
            StateOf { state: "pending".to_owned(), reason: Some(reason) }
        });
        LinkRow { link, state, hosts }
    };
    let mut rows: Vec<LinkRow> = links.into_iter().map(row).collect();
    rows.sort_by(|a, b| {
        let key = |row: &LinkRow| (row.link.source.clone(), row.link.target.clone(), row.link.name.clone());
        key(a).cmp(&key(b))
    });
    rows
}

fn is(status: &LinkStatus, link: &Link) -> bool {
    status.source_id == link.source
        && status.target == link.target
        && status.name == link.name
        && status.wit_namespace == link.wit_namespace
        && status.wit_package == link.wit_package
}

fn together<'a>(hosts: impl Iterator<Item = &'a OnHost>) -> Option<StateOf> {
    let order = ["ready", "degraded", "failed", "starting", "stopping", "pending"];
    let rank = |state: &str| order.iter().position(|word| *word == state).unwrap_or(order.len());
    hosts.map(|host| &host.state).min_by_key(|state| rank(&state.state)).cloned()
}

impl LinkRow {
    /// `http -> hello`.
    pub(crate) fn ends(&self) -> String {
        format!("{} -> {}", self.link.source, self.link.target)
    }

    /// `wasi:http`, with interfaces where the link grants only some.
    pub(crate) fn contract(&self) -> String {
        let contract = format!("{}:{}", self.link.wit_namespace, self.link.wit_package);
        match self.link.interfaces.as_slice() {
            [] => contract,
            some => format!("{contract}/{{{}}}", some.join(",")),
        }
    }
}

/// Reads all inventories until `look` finds what it looks for settled, at most `patience`; then the last it found.
pub(crate) async fn until_settled<T>(
    session: &Session,
    patience: Duration,
    mut look: impl FnMut(&[HostInventory]) -> (T, bool),
) -> Outcome<T> {
    let until = tokio::time::Instant::now() + patience;
    loop {
        let (found, settled) = look(&all_inventories(session).await?);
        if settled || tokio::time::Instant::now() >= until {
            return Ok(found);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(letter: &str, state: &str, reason: &str) -> HostInventory {
        let id = format!("N{}", letter.repeat(55));
        serde_json::from_value(serde_json::json!({ "host_id": id, "links": [
            { "source_id": "http", "target": "hello", "wit_namespace": "wasi", "wit_package": "http", "state": state, "reason": reason },
        ]}))
        .unwrap()
    }

    fn link(source: &str) -> Link {
        let json = serde_json::json!({ "source_id": source, "target": "hello", "wit_namespace": "wasi", "wit_package": "http" });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_link_is_as_well_as_on_its_best_host() {
        let inventories =
            [inventory("A", "pending", "hello does not run on this host"), inventory("B", "ready", "")];
        let rows = link_rows(vec![link("http"), link("other")], &inventories);
        assert_eq!((rows[0].state.state.as_str(), rows[0].hosts.len()), ("ready", 2));
        assert_eq!(rows[1].state.text(), "pending: neither other nor hello runs");
        let json = serde_json::to_value(&rows[0]).unwrap();
        assert_eq!((&json["source_id"], &json["state"]), (&"http".into(), &"ready".into()));
        let rows =
            link_rows(vec![link("http")], &[inventory("A", "failed", "address 127.0.0.1:8080 in use")]);
        assert_eq!(rows[0].state.text(), "failed: address 127.0.0.1:8080 in use");
        assert!(rows[0].state.is_failed() && !rows[0].state.is_passing());
        // A host with the actor alone cannot know why the provider's host does not serve the link.
        let mut with_provider = inventory("A", "failed", "no such bucket");
        with_provider.providers.push(serde_json::from_value(serde_json::json!({ "id": "http" })).unwrap());
        let rows = link_rows(vec![link("http")], &[with_provider, inventory("B", "ready", "")]);
        assert_eq!((rows[0].state.text().as_str(), rows[0].hosts.len()), ("failed: no such bucket", 2));
    }
}
