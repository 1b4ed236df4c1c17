//! Links: source may call target under a contract, with configuration for each end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ConfigName, Contract, Distance, EntityId, LinkName, SecretName};

/// A link, in the JSON of the v1 control protocol.
///
/// Missing `name` reads as `default`, missing lists as empty (those of secrets are ours), a missing `distance` (ours) as `prefer-local`; unknown
/// fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who calls.
    #[serde(rename = "source_id")]
    pub source: EntityId,
    /// Who is called.
    pub target: EntityId,
    /// Tells links between the same ends and of the same contract apart.
    #[serde(default)]
    pub name: LinkName,
    /// Namespace of the contract.
    pub wit_namespace: String,
    /// Package of the contract.
    pub wit_package: String,
    /// Interfaces that the link grants; empty grants all.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// Configurations for the source, merged left to right.
    #[serde(default)]
    pub source_config: Vec<ConfigName>,
    /// Configurations for the target, merged left to right.
    #[serde(default)]
    pub target_config: Vec<ConfigName>,
    /// Ours: secrets that the source gets with the link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_secrets: Vec<SecretName>,
    /// Ours: secrets that the target gets with the link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_secrets: Vec<SecretName>,
    /// How far calls over the link may go.
    #[serde(default, skip_serializing_if = "Distance::is_default")]
    pub distance: Distance,
}

/// What makes two links the same fact: source, target, contract and name.
///
/// v1 finds the target of a call by (source, contract, name), so two keys that differ in the target alone may not stand
/// side by side unless their interfaces do not overlap: see [`Link::conflicts_with`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// Who calls.
    pub source: EntityId,
    /// Who is called.
    pub target: EntityId,
    /// What the link carries.
    pub contract: Contract,
    /// The link's name.
    pub name: LinkName,
}

impl fmt::Display for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({}", self.source, self.target, self.contract)?;
        if self.name != LinkName::default() {
            write!(f, ", link {}", self.name)?;
        }
        f.write_str(")")
    }
}

/// Why a link is not accepted into the lattice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkRejection {
    /// The contract's parts are not WIT names.
    #[error(transparent)]
    Contract(#[from] crate::ContractError),
    /// An interface is not a WIT name.
    #[error("{interface:?} is not the name of an interface of {contract}")]
    Interface {
        /// The link's contract.
        contract: Contract,
        /// The name as given.
        interface: String,
    },
    /// Source and target are the same.
    #[error("{id} cannot be linked to itself")]
    Itself {
        /// Both ends.
        id: EntityId,
    },
}

impl Link {
    /// The contract the link carries.
    ///
    /// # Errors
    /// If namespace or package is not a WIT name (the fields come from the wire).
    pub fn contract(&self) -> Result<Contract, crate::ContractError> {
        Contract::new(&self.wit_namespace, &self.wit_package)
    }

    /// The link's identity.
    ///
    /// # Errors
    /// As [`Link::contract`].
    pub fn key(&self) -> Result<LinkKey, crate::ContractError> {
        let contract = self.contract()?;
        let (source, target, name) = (self.source.clone(), self.target.clone(), self.name.clone());
        Ok(LinkKey { source, target, contract, name })
    }

    /// Checks what the wire types do not: names of contract and interfaces, distinct ends.
    ///
    /// # Errors
    /// [`LinkRejection`] says which.
    pub fn check(&self) -> Result<LinkKey, LinkRejection> {
        let key = self.key()?;
        if self.source == self.target {
            return Err(LinkRejection::Itself { id: self.source.clone() });
        }
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.len() <= 64
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        match self.interfaces.iter().find(|name| !is_name(name)) {
            Some(interface) => {
                Err(LinkRejection::Interface { contract: key.contract, interface: interface.clone() })
            }
            None => Ok(key),
        }
    }

    /// True if the link grants `interface`.
    #[must_use]
    pub fn grants(&self, interface: &str) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|name| name == interface)
    }

    /// True if `self` and `other` would send the same call of the same source to different targets: same source,
    /// contract and name, another target, and an interface in common (v1, `link.put`).
    ///
    /// A provider may serve many actors under one link name (an HTTP server does), so this speaks only of sources that
    /// pick their target by contract and name; the caller knows which those are.
    #[must_use]
    pub fn conflicts_with(&self, other: &Link) -> bool {
        let same_call = self.source == other.source
            && self.name == other.name
            && self.wit_namespace == other.wit_namespace
            && self.wit_package == other.wit_package;
        let overlap = self.interfaces.is_empty()
            || other.interfaces.is_empty()
            || self.interfaces.iter().any(|name| other.interfaces.contains(name));
        same_call && self.target != other.target && overlap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(json: &str) -> Link {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn v1_json_with_and_without_its_optional_fields() {
        let short =
            link(r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http","more":1}"#);
        assert_eq!(short.name, LinkName::default());
        assert!(short.grants("anything"));
        assert_eq!(short.distance, Distance::PreferLocal);
        insta::assert_json_snapshot!(short, @r#"
        {
          "source_id": "a",
          "target": "b",
          "name": "default",
          "wit_namespace": "wasi",
          "wit_package": "http",
          "interfaces": [],
          "source_config": [],
          "target_config": []
        }
        "#);
    }

    #[test]
    fn a_distance_is_written_only_where_it_says_something() {
        let near = link(
            r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http","distance":"local"}"#,
        );
        assert_eq!(near.distance, Distance::Local);
        assert_eq!(serde_json::to_value(&near).unwrap()["distance"], "local");
        let unknown =
            r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http","distance":"x"}"#;
        assert!(serde_json::from_str::<Link>(unknown).is_err(), "nobody may guess how far a call may go");
    }

    #[test]
    fn links_that_would_pull_one_call_two_ways_conflict() {
        let a = link(
            r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"]}"#,
        );
        let mut b = a.clone();
        assert!(!a.conflicts_with(&b), "the same link is an update");
        b.target = EntityId::new("c").unwrap();
        assert!(a.conflicts_with(&b));
        b.interfaces = vec!["atomics".into()];
        assert!(!a.conflicts_with(&b));
        b.interfaces.clear();
        assert!(a.conflicts_with(&b));
    }

    #[test]
    fn what_is_refused() {
        let good = link(r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"keyvalue"}"#);
        assert!(good.check().is_ok());
        assert!(Link { target: good.source.clone(), ..good.clone() }.check().is_err());
        assert!(Link { wit_package: "key value".into(), ..good.clone() }.check().is_err());
        assert!(Link { interfaces: vec!["sto re".into()], ..good }.check().is_err());
    }
}
