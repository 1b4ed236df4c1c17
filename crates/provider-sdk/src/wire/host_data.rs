//! Who a provider process is and what it starts with: one line on its standard input.

use std::{collections::BTreeMap, fmt};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{LinkDefinition, SecretValue};

/// The longest line that is read, in bytes.
pub const HOST_DATA_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a host tells a provider process at its start. `env_values` and `link_definitions` are required, as in wasmCloud 1.x;
/// every other field that is missing reads as empty, `protocol` as none and `lifeline` as false. `Debug` shows no secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostData {
    /// The host (`N…`).
    #[serde(default)]
    pub host_id: String,
    /// The lattice's name.
    #[serde(default)]
    pub lattice_rpc_prefix: String,
    /// Always `default`; for providers of older versions.
    #[serde(default)]
    pub link_name: String,
    /// The token to log in with; empty for none.
    #[serde(default)]
    pub lattice_rpc_user_jwt: String,
    /// The seed of the key in the token; empty for none.
    #[serde(default)]
    pub lattice_rpc_user_seed: String,
    /// The NATS servers, several joined by commas; empty for the usual one of this machine.
    #[serde(default)]
    pub lattice_rpc_url: String,
    /// The provider's id.
    #[serde(default)]
    pub provider_key: String,
    /// Always empty; for providers of older versions.
    pub env_values: BTreeMap<String, String>,
    /// Tells this process from those that ran under the id before.
    #[serde(default)]
    pub instance_id: String,
    /// Its links.
    pub link_definitions: Vec<LinkDefinition>,
    /// Always empty; for providers of older versions.
    #[serde(default)]
    pub cluster_issuers: Vec<String>,
    /// The configuration it was started with.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// The secrets it was started with.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretValue>,
    /// The curve key (`X…`) by which the host seals.
    #[serde(default)]
    pub host_xkey_public_key: String,
    /// The seed (`SX…`) by which the provider opens.
    #[serde(default)]
    pub provider_xkey_private_key: String,
    /// How long a call may take where nobody says otherwise, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_rpc_timeout_ms: Option<u64>,
    /// Whether to log in JSON.
    #[serde(default)]
    pub structured_logging: bool,
    /// What to log, as `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Where to send traces and figures; not used yet.
    #[serde(default)]
    pub otel_config: Map<String, Value>,
    /// The version of our protocol that the host speaks. Ours; none is a host of wasmCloud 1.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Whether standard input stays open as long as the host lives. Ours.
    #[serde(default)]
    pub lifeline: bool,
    /// A file of certificates (PEM) to trust besides those of the system. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lattice_rpc_tls_ca_file: Option<String>,
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostDataError {
    /// Not base64.
    #[error("the first line of standard input is no base64: {0}; a host starts this program, and writes it")]
    Base64(#[from] data_encoding::DecodeError),
    /// Not the JSON of host data.
    #[error("the first line of standard input is no host data: {0}")]
    Json(#[from] serde_json::Error),
    /// Longer than [`HOST_DATA_BYTES_MAX`].
    #[error("the first line of standard input is longer than {HOST_DATA_BYTES_MAX} bytes")]
    TooLong,
}

impl HostData {
    /// The line as it is written: base64, carriage return, line feed.
    ///
    /// # Errors
    /// None of these types fails to be written; the error is serde's.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\r\n", BASE64.encode(&serde_json::to_vec(self)?)))
    }

    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// [`HostDataError`].
    pub fn read(line: &str) -> Result<Self, HostDataError> {
        if line.len() > HOST_DATA_BYTES_MAX {
            return Err(HostDataError::TooLong);
        }
        Ok(serde_json::from_slice(&BASE64.decode(line.trim_ascii().as_bytes())?)?)
    }
}

impl fmt::Debug for HostData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostData")
            .field("host_id", &self.host_id)
            .field("lattice_rpc_prefix", &self.lattice_rpc_prefix)
            .field("provider_key", &self.provider_key)
            .field("instance_id", &self.instance_id)
            .field("link_definitions", &self.link_definitions)
            .field("protocol", &self.protocol)
            .field("lifeline", &self.lifeline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole() -> HostData {
        let mut link = LinkDefinition::of(
            &lattice_core::LinkKey {
                source: "counter".parse().unwrap(),
                target: "kv".parse().unwrap(),
                contract: lattice_core::Contract::keyvalue(),
                name: lattice_core::LinkName::default(),
            },
            7,
        );
        link.target_config.insert("entries_max".to_owned(), "10".to_owned());
        HostData {
            host_id: "NHOST".to_owned(),
            lattice_rpc_prefix: "default".to_owned(),
            link_name: "default".to_owned(),
            lattice_rpc_user_jwt: "a.b.c".to_owned(),
            lattice_rpc_user_seed: "SUSEED".to_owned(),
            lattice_rpc_url: "nats://127.0.0.1:4222".to_owned(),
            provider_key: "kv".to_owned(),
            instance_id: "0000".to_owned(),
            link_definitions: vec![link],
            config: [("a".to_owned(), "b".to_owned())].into(),
            secrets: [
                ("text".to_owned(), SecretValue::String("s3cret".to_owned())),
                ("bytes".to_owned(), SecretValue::Bytes(vec![1, 2])),
            ]
            .into(),
            host_xkey_public_key: "XHOST".to_owned(),
            provider_xkey_private_key: "SXPROVIDER".to_owned(),
            default_rpc_timeout_ms: Some(2000),
            log_level: Some("info".to_owned()),
            protocol: Some(super::super::PROTOCOL),
            lifeline: true,
            ..HostData::default()
        }
    }

    #[test]
    fn host_data_as_it_is_written() {
        insta::assert_json_snapshot!(whole());
        let line = whole().line().unwrap();
        assert!(line.ends_with("\r\n") && !line[..line.len() - 2].contains(['\r', '\n']));
        assert_eq!(HostData::read(&line).unwrap(), whole());
        assert_eq!(HostData::read(line.trim_end()).unwrap(), whole());
    }

    #[test]
    fn what_a_v1_host_writes_is_read_and_what_is_required_is_missed() {
        let v1 = r#"{"host_id":"N","lattice_rpc_prefix":"default","link_name":"default","lattice_rpc_user_jwt":"",
            "lattice_rpc_user_seed":"","lattice_rpc_url":"nats://127.0.0.1:4222","provider_key":"kv","env_values":{},
            "instance_id":"i","link_definitions":[{"source_id":"a","target":"kv","name":"default","wit_namespace":"wasi",
            "wit_package":"keyvalue","interfaces":["store"],"source_config":{},"target_config":{},"source_secrets":null,
            "target_secrets":[1,2,3]}],"cluster_issuers":[],"config":{},"secrets":{},"host_xkey_public_key":"X",
            "provider_xkey_private_key":"SX","default_rpc_timeout_ms":2000,"structured_logging":false,"log_level":"info",
            "otel_config":{"enable_observability":false,"protocol":"Http","additional_ca_paths":[],"trace_level":"info"},
            "something_new":[1]}"#;
        let read = HostData::read(&BASE64.encode(v1.as_bytes())).unwrap();
        assert_eq!((read.protocol, read.lifeline), (None, false));
        assert_eq!(read.link_definitions[0].target_secrets.as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(read.link_definitions[0].generation, 0);
        let least = |json: &str| HostData::read(&BASE64.encode(json.as_bytes()));
        assert!(least(r#"{"env_values":{},"link_definitions":[]}"#).is_ok());
        assert!(least(r#"{"env_values":{}}"#).is_err() && least(r#"{"link_definitions":[]}"#).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", whole(), whole().secrets);
        for secret in ["SUSEED", "a.b.c", "SXPROVIDER", "s3cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = HostData::read(&String::from_utf8_lossy(&bytes));
            let _ = HostData::read(&BASE64.encode(&bytes));
        }
    }
}
