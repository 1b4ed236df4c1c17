//! A link as a provider process is given it: with the configuration itself, where the lattice's own has names.

use std::{collections::BTreeMap, fmt};

use lattice_core::{Contract, EntityId, LinkKey, LinkName};
use serde::{Deserialize, Serialize};

/// A link with its configuration. The ends, namespace and package are required; whatever else is missing reads as empty, the name
/// as `default`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDefinition {
    /// Who calls.
    pub source_id: EntityId,
    /// Who is called.
    pub target: EntityId,
    /// The link's name.
    #[serde(default)]
    pub name: LinkName,
    /// Namespace of the contract.
    pub wit_namespace: String,
    /// Package of the contract.
    pub wit_package: String,
    /// Interfaces it grants; empty grants all.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// Configuration of the source's end.
    #[serde(default)]
    pub source_config: BTreeMap<String, String>,
    /// Configuration of the target's end.
    #[serde(default)]
    pub target_config: BTreeMap<String, String>,
    /// Secrets of the source's end, sealed by the host's curve key to the provider's.
    #[serde(default)]
    pub source_secrets: Option<Vec<u8>>,
    /// Secrets of the target's end, sealed likewise.
    #[serde(default)]
    pub target_secrets: Option<Vec<u8>>,
    /// Which version of this link it is, as its host counts: a greater one replaces a smaller one. Ours; 0 where it is missing.
    #[serde(default)]
    pub generation: u64,
}

impl LinkDefinition {
    /// Which link it is.
    ///
    /// # Errors
    /// Its contract has no such name.
    pub fn key(&self) -> Result<LinkKey, lattice_core::ContractError> {
        Ok(LinkKey {
            source: self.source_id.clone(),
            target: self.target.clone(),
            contract: Contract::new(&self.wit_namespace, &self.wit_package)?,
            name: self.name.clone(),
        })
    }

    /// A link without configuration.
    #[must_use]
    pub fn of(key: &LinkKey, generation: u64) -> Self {
        Self {
            source_id: key.source.clone(),
            target: key.target.clone(),
            name: key.name.clone(),
            wit_namespace: key.contract.namespace().to_owned(),
            wit_package: key.contract.package().to_owned(),
            interfaces: Vec::new(),
            source_config: BTreeMap::new(),
            target_config: BTreeMap::new(),
            source_secrets: None,
            target_secrets: None,
            generation,
        }
    }
}

impl fmt::Debug for LinkDefinition {
    /// Without values of its configuration, which may be for nobody's eyes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkDefinition")
            .field("source_id", &self.source_id)
            .field("target", &self.target)
            .field("name", &self.name)
            .field("contract", &format_args!("{}:{}", self.wit_namespace, self.wit_package))
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
