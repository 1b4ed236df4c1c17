//! Links; the link itself is [`lattice_core::Link`].

use lattice_core::{EntityId, LinkKey, LinkName, State};
use serde::{Deserialize, Serialize};

use super::state_of;

/// Body of `link.del`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteLinkCommand {
    /// Who calls.
    pub source_id: EntityId,
    /// The link's name; missing reads as `default`.
    #[serde(default)]
    pub name: LinkName,
    /// Namespace of the contract.
    pub wit_namespace: String,
    /// Package of the contract.
    pub wit_package: String,
    /// Ours: who is called; without it every link of the source with that contract and name goes, as v1 knows one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<EntityId>,
}

impl From<&LinkKey> for DeleteLinkCommand {
    fn from(key: &LinkKey) -> Self {
        Self {
            source_id: key.source.clone(),
            name: key.name.clone(),
            wit_namespace: key.contract.namespace().to_owned(),
            wit_package: key.contract.package().to_owned(),
            target: Some(key.target.clone()),
        }
    }
}

/// Ours: a link and its state on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Who calls.
    pub source_id: EntityId,
    /// Who is called.
    pub target: EntityId,
    /// The link's name; missing reads as `default`.
    #[serde(default)]
    pub name: LinkName,
    /// Namespace of the contract.
    pub wit_namespace: String,
    /// Package of the contract.
    pub wit_package: String,
    /// The word of its state; see [`LinkStatus::state`].
    pub state: String,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LinkStatus {
    /// Puts a link's identity and its state together.
    #[must_use]
    pub fn new(key: &LinkKey, state: &State) -> Self {
        Self {
            source_id: key.source.clone(),
            target: key.target.clone(),
            name: key.name.clone(),
            wit_namespace: key.contract.namespace().to_owned(),
            wit_package: key.contract.package().to_owned(),
            state: state.word().to_owned(),
            reason: state.reason().map(str::to_owned),
        }
    }

    /// The state; none when a later version has a word that we do not know.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        state_of(Some(&self.state), self.reason.as_deref())
    }
}
