//! What claims say about each kind of entity: the `wascap` object of a token.
//!
//! Field names are the wire's. Fields that only older tokens carry (`caps`, `capid`) are read and never written; unknown
//! fields are ignored; a missing optional field reads as absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keys::KeyKind;

/// What every kind of metadata tells about its entity.
pub trait Metadata {
    /// The kind of key that such claims are about (`sub`).
    const SUBJECT: KeyKind;
    /// The kinds of key that may issue them (`iss`).
    const ISSUERS: &'static [KeyKind];

    /// The name for people, if one was given.
    fn name(&self) -> Option<&str>;
}

/// Claims about an actor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorMetadata {
    /// A name for people, without version or key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Upper-case hex SHA-256 of the wasm without claims sections; see [`crate::canonical_hash`].
    pub hash: String,
    /// Free words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// A number that grows with each release.
    #[serde(rename = "rev", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// A version for people.
    #[serde(rename = "ver", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A name that calls may use in place of the key; see [`normalize_call_alias`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// Whether the module is a provider in wasm; always written, never used today.
    #[serde(rename = "prov", default)]
    pub provider: bool,
    /// The capabilities that actors of 2021 had to be signed for. Today links decide; never written.
    #[serde(default, skip_serializing)]
    pub caps: Option<Vec<String>>,
}

/// Claims about a capability provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub vendor: String,
    /// A number that grows with each release.
    #[serde(rename = "rev", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// A version for people.
    #[serde(rename = "ver", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Target (`x86_64-linux`) or `world.wasm` → upper-case hex SHA-256 of that file.
    #[serde(default)]
    pub target_hashes: BTreeMap<String, String>,
    /// A JSON schema of its link configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// The contract id (`wasmcloud:keyvalue`) that providers of 2021 were signed for. Never written.
    #[serde(default, skip_serializing)]
    pub capid: Option<String>,
}

/// Claims about an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMetadata {
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Further keys that sign for this account.
    #[serde(default)]
    pub valid_signers: Option<Vec<String>>,
}

/// Claims about an operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorMetadata {
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Further keys that sign for this operator.
    #[serde(default)]
    pub valid_signers: Option<Vec<String>>,
}

/// Claims about a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMetadata {
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Further keys that sign for this cluster.
    #[serde(default)]
    pub valid_signers: Option<Vec<String>>,
}

/// Claims about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMetadata {
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The host's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

macro_rules! metadata {
    ($type:ty, $subject:ident, [$($issuer:ident),+]) => {
        impl Metadata for $type {
            const SUBJECT: KeyKind = KeyKind::$subject;
            const ISSUERS: &'static [KeyKind] = &[$(KeyKind::$issuer),+];

            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
        }
    };
}

metadata!(ActorMetadata, Module, [Account]);
metadata!(ProviderMetadata, Provider, [Account]);
metadata!(AccountMetadata, Account, [Operator, Account]);
metadata!(OperatorMetadata, Operator, [Operator]);
metadata!(ClusterMetadata, Cluster, [Operator, Account, Cluster]);
metadata!(HostMetadata, Host, [Operator, Account, Cluster, Host]);

/// A call alias as it is compared and written: lower case, no characters outside ASCII, blanks around it gone, and space,
/// `-` and `.` turned into `_`. Idempotent.
pub fn normalize_call_alias(alias: &str) -> String {
    alias
        .to_lowercase()
        .trim()
        .chars()
        .filter(char::is_ascii)
        .map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_aliases_are_normalised_as_v1_does() {
        for (given, expected) in [
            ("Echo", "echo"),
            (" wasmCloud Echo-Two.b ", "wasmcloud_echo_two_b"),
            ("a/b", "a/b"),
            ("grüße", "gre"),
            ("", ""),
        ] {
            assert_eq!(normalize_call_alias(given), expected, "{given:?}");
            assert_eq!(normalize_call_alias(expected), expected);
        }
    }

    #[test]
    fn old_fields_are_read_and_not_written() {
        let actor: ActorMetadata =
            serde_json::from_str(r#"{"hash":"AB","caps":["wasmcloud:keyvalue"],"new_field":1}"#).unwrap();
        assert_eq!(actor.caps.as_deref(), Some(&["wasmcloud:keyvalue".to_owned()][..]));
        assert_eq!(serde_json::to_string(&actor).unwrap(), r#"{"hash":"AB","prov":false}"#);
        let provider: ProviderMetadata =
            serde_json::from_str(r#"{"name":"redis","capid":"wasmcloud:keyvalue","target_hashes":{}}"#)
                .unwrap();
        assert_eq!(provider.capid.as_deref(), Some("wasmcloud:keyvalue"));
        assert!(!serde_json::to_string(&provider).unwrap().contains("capid"));
    }
}
