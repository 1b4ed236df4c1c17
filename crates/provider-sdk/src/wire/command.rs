//! What a host says while a provider runs, beside links ([`LinkDefinition`](super::LinkDefinition)) and configuration (a map).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tells the provider to end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    /// Which host says so; a provider of another one goes on.
    #[serde(default)]
    pub host_id: String,
    /// How long calls in flight may take to end, in milliseconds. Ours; a quarter of a second where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// New credentials, sealed from the host's curve key to the provider's. Ours.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The process that they are for: an older one under the same id cannot use them, nor this one those of an older.
    pub instance_id: String,
    /// Counts: only greater ones replace what there is, so that old ones that are sent again change nothing.
    pub number: u64,
    /// The token.
    pub jwt: String,
    /// The seed of its key.
    pub seed: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} of {}, hidden)", self.number, self.instance_id)
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::LinkDefinition;

    use super::*;

    #[test]
    fn commands_as_they_are_written_and_what_is_missing() {
        let key = lattice_core::LinkKey {
            source: "counter".parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: lattice_core::Contract::keyvalue(),
            name: lattice_core::LinkName::default(),
        };
        let put = LinkDefinition::of(&key, 3);
        insta::assert_snapshot!(serde_json::to_string(&put).unwrap(), @r#"{"source_id":"counter","target":"kv","name":"default","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":[],"source_config":{},"target_config":{},"source_secrets":null,"target_secrets":null,"generation":3}"#);
        assert_eq!(
            serde_json::from_str::<LinkDefinition>(&serde_json::to_string(&put).unwrap()).unwrap(),
            put
        );
        let stop = Shutdown { host_id: "N".to_owned(), within_ms: Some(10) };
        insta::assert_snapshot!(serde_json::to_string(&stop).unwrap(), @r#"{"host_id":"N","within_ms":10}"#);
        let credentials =
            Credentials { instance_id: "i".into(), number: 2, jwt: "a.b.c".into(), seed: "SU".into() };
        insta::assert_snapshot!(serde_json::to_string(&credentials).unwrap(), @r#"{"instance_id":"i","number":2,"jwt":"a.b.c","seed":"SU"}"#);
        assert!(!format!("{credentials:?}").contains("a.b.c"));
        let least = r#"{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http"}"#;
        let least: LinkDefinition = serde_json::from_str(least).unwrap();
        assert_eq!((least.generation, least.name.as_str()), (0, "default"));
    }
}
