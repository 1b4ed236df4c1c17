//! Ours: who may command what in a lattice.

use lattice_core::{Grant, HostId, UserKey};
use serde::{Deserialize, Serialize};

/// Body of `role.put`: what a key may command, in place of what it might before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutRoleCommand {
    /// The key.
    pub key: UserKey,
    /// Its role, and how far that reaches.
    #[serde(flatten)]
    pub grant: Grant,
}

/// Body of `role.del`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRoleCommand {
    /// The key.
    pub key: UserKey,
}

/// What the lattice says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEntry {
    /// The key.
    pub key: UserKey,
    /// Its role, and how far that reaches.
    #[serde(flatten)]
    pub grant: Grant,
    /// Whether it counts on the host that answers: an admin whom that host knows said so. Missing reads as false.
    #[serde(default)]
    pub counts: bool,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// When, RFC 3339; empty where it is not known.
    #[serde(default)]
    pub at: String,
    /// The host that took the command; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<HostId>,
}

/// The answer to `role.put` and `role.del`: what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChange {
    /// What the lattice said before; none where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RoleEntry>,
    /// What it says now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<RoleEntry>,
    /// Keys whose role or trust counts no more, because it was this key that had given it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}
