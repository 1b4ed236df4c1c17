//! What a provider process answers.

use lattice_contracts::Serves;
use lattice_core::{Direction, HostedLink, HostedState, KNOWN, LinkKey, State};
use serde::{Deserialize, Serialize};

use super::RefusalAnswer;

/// How a provider process is. wasmCloud 1.x writes `healthy` and `message`; the rest is ours, and empty where it is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// Whether it does its work; false where it is missing.
    #[serde(default)]
    pub healthy: bool,
    /// What it has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The version of our protocol that it speaks; none is a provider of wasmCloud 1.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Which process answers.
    #[serde(default)]
    pub instance_id: String,
    /// How it is as a whole; `starting` until it takes calls.
    #[serde(flatten)]
    pub state: HostedState,
    /// The interfaces that it takes part in.
    #[serde(default)]
    pub serves: Vec<ServedInterface>,
    /// Its links.
    #[serde(default)]
    pub links: Vec<LinkAnswer>,
    /// True if it has more links than stand here: of one that does not, nothing is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_links: bool,
    /// Whom it refused something since it was started; none where it is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalAnswer>,
    /// How many credentials it has had; 1 are those of its start. 0 where it has none.
    #[serde(default)]
    pub credentials: u64,
}

/// How one link fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAnswer {
    /// Which, and how.
    #[serde(flatten)]
    pub link: HostedLink,
    /// The version of it that the provider has; 0 for none.
    #[serde(default)]
    pub generation: u64,
}

impl LinkAnswer {
    /// Puts them together.
    #[must_use]
    pub fn new(key: &LinkKey, state: &State, generation: u64) -> Self {
        Self { link: HostedLink::new(key, state), generation }
    }
}

/// An interface that a provider takes part in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedInterface {
    /// WIT namespace.
    pub namespace: String,
    /// WIT package.
    pub package: String,
    /// WIT interface.
    pub interface: String,
    /// True if the provider calls actors; false where it is missing.
    #[serde(default)]
    pub calls_actors: bool,
}

impl From<&Serves> for ServedInterface {
    fn from(serves: &Serves) -> Self {
        Self {
            namespace: serves.namespace.to_owned(),
            package: serves.package.to_owned(),
            interface: serves.interface.to_owned(),
            calls_actors: serves.direction == Direction::ToActor,
        }
    }
}

impl ServedInterface {
    /// The same where the lattice knows such an interface; none for one that calls could not be carried for.
    #[must_use]
    pub fn known(&self) -> Option<Serves> {
        let wanted = if self.calls_actors { Direction::ToActor } else { Direction::ToProvider };
        let row = KNOWN.iter().find(|row| row.namespace == self.namespace && row.package == self.package)?;
        let found = row.interfaces.iter().find(|(name, way)| *name == self.interface && *way == wanted)?;
        let (interface, direction) = *found;
        Some(Serves { namespace: row.namespace, package: row.package, interface, direction })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_as_it_is_written_and_what_v1_writes() {
        let key = LinkKey {
            source: "counter".parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: lattice_core::Contract::keyvalue(),
            name: lattice_core::LinkName::default(),
        };
        let store = ServedInterface {
            namespace: "wasi".into(),
            package: "keyvalue".into(),
            interface: "store".into(),
            calls_actors: false,
        };
        let answer = HealthAnswer {
            healthy: true,
            protocol: Some(1),
            instance_id: "i".into(),
            state: (&State::Ready).into(),
            serves: vec![store.clone()],
            links: vec![LinkAnswer::new(&key, &State::Failed("full".into()), 7)],
            credentials: 1,
            ..HealthAnswer::default()
        };
        insta::assert_snapshot!(serde_json::to_string(&answer).unwrap(), @r#"{"healthy":true,"protocol":1,"instance_id":"i","state":"ready","serves":[{"namespace":"wasi","package":"keyvalue","interface":"store","calls_actors":false}],"links":[{"link":"link.counter.kv.wasi.keyvalue.default","state":"failed","reason":"full","generation":7}],"credentials":1}"#);
        let again: HealthAnswer = serde_json::from_slice(&serde_json::to_vec(&answer).unwrap()).unwrap();
        assert_eq!((again.links[0].link.key(), &again), (Some(key), &answer));
        let v1: HealthAnswer = serde_json::from_str(r#"{"healthy":true,"message":"ok"}"#).unwrap();
        assert!(v1.healthy && v1.protocol.is_none() && v1.state.state().is_none());
        assert_eq!(store.known().map(|known| known.interface), Some("store"));
        let wrong_way = ServedInterface { calls_actors: true, ..store };
        assert_eq!(wrong_way.known(), None);
    }
}
