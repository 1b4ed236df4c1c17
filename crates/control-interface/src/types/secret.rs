//! Ours: secrets of a lattice. Nothing here ever holds one in the clear.

use lattice_core::{HostId, SealedSecret, SecretName, UserKey};
use serde::{Deserialize, Serialize};

/// Body of `secret.put`: a secret, sealed to the hosts that are to have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutSecretCommand {
    /// The secret's name.
    pub name: SecretName,
    /// `text` or `bytes`, for people: what is sealed says it, too.
    #[serde(default)]
    pub kind: String,
    /// The value.
    #[serde(flatten)]
    pub sealed: SealedSecret,
}

/// Body of `secret.del`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteSecretCommand {
    /// The secret's name.
    pub name: SecretName,
}

/// What everybody may know of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretEntry {
    /// Its name.
    pub name: SecretName,
    /// `text` or `bytes`; empty where it is not known.
    #[serde(default)]
    pub kind: String,
    /// Counts the values that the name has had.
    #[serde(default)]
    pub revision: u64,
    /// When the value was put, RFC 3339; empty where it is not known.
    #[serde(default)]
    pub at: String,
    /// Who put it; none where the command was not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// The hosts that can open it: those among them that are away, too.
    #[serde(default)]
    pub hosts: Vec<HostId>,
    /// Hosts of the lattice that cannot open it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<HostId>,
}

/// The answer to `secret.put` and `secret.del`: what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretChange {
    /// What there was before; none where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SecretEntry>,
    /// What there is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<SecretEntry>,
}
