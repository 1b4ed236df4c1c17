//! Ours: whose signatures count in a lattice.

use lattice_core::{AccountKey, HostId, Standing, UserKey};
use serde::{Deserialize, Serialize};

/// Body of `trust.put`: signatures of a key count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutTrustCommand {
    /// An account, or a key that signs for one.
    pub key: AccountKey,
    /// The account that the key signs for; none where the key is an account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountKey>,
}

/// Body of `trust.del`: signatures of a key count no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTrustCommand {
    /// An account, or a key that signs for one.
    pub key: AccountKey,
    /// Only takes the lattice's own word back, so that the flags of each host decide; missing reads as false: the key is
    /// revoked, on every host.
    #[serde(default)]
    pub forget: bool,
}

/// What the lattice says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustEntry {
    /// An account, or a key that signs for one.
    pub key: AccountKey,
    /// `trusted`, `revoked`, or `unconfirmed` where the host that answers knows admins, and none of them said so; a word that a
    /// reader does not know, and a missing one, is to be read as revoked.
    #[serde(default)]
    pub standing: String,
    /// The account that the key signs for; none where the key is an account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountKey>,
    /// Who said so; none where the command was not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// When, RFC 3339; empty where it is not known.
    #[serde(default)]
    pub at: String,
    /// The host that took the command; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<HostId>,
}

impl TrustEntry {
    /// Whether the key's signatures count, as far as the lattice's word goes.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of_word(&self.standing)
    }
}

/// The answer to `trust.put` and `trust.del`: what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustChange {
    /// What the lattice said before; none where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TrustEntry>,
    /// What it says now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<TrustEntry>,
}
