//! One fact, as it stands in the bucket.

use lattice_core::{FactKey, HostFact, HostId, Link};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;

/// Which of two versions of a fact is newer: the greater number, and between equal ones the greater writer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Counts the changes of this fact.
    pub number: u64,
    /// The host that made the change.
    pub writer: String,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {}", self.number, self.writer)
    }
}

/// The value of a key: `{"version", "writer", "at", "deleted"?, "data"}`.
///
/// `version` and `writer` are required; a missing `at` reads as empty, a missing `deleted` as false, missing `data` as
/// null; unknown fields are ignored. `data` is kept as it is, with what later versions may have put there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Counts the changes of this fact.
    pub version: u64,
    /// The host that made the change.
    pub writer: String,
    /// When, RFC 3339, for people: clocks decide nothing.
    #[serde(default)]
    pub at: String,
    /// True for a tombstone: the fact was deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// What is known: a link, a configuration, claims; null in a tombstone.
    #[serde(default)]
    pub data: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Fact {
    /// A fact of now; without data a tombstone.
    pub(crate) fn now(number: u64, writer: &HostId, data: Option<Value>) -> Self {
        Self {
            version: number,
            writer: writer.to_string(),
            at: clock::now_rfc3339(),
            deleted: data.is_none(),
            data: data.unwrap_or(Value::Null),
        }
    }

    /// This fact's version.
    #[must_use]
    pub fn version(&self) -> Version {
        Version { number: self.version, writer: self.writer.clone() }
    }

    /// True if this one replaces `other`.
    pub(crate) fn is_newer_than(&self, other: &Fact) -> bool {
        (self.version, &self.writer) > (other.version, &other.writer)
    }

    /// Reads what stands under `key`; the text says what is wrong with it.
    pub(crate) fn read(key: &FactKey, value: &[u8]) -> Result<Self, String> {
        let fact: Fact = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        if !fact.deleted {
            check_data(key, &fact.data)?;
        }
        Ok(fact)
    }
}

/// Data has the shape that its key promises, and a link is the one that the key names.
pub(crate) fn check_data(key: &FactKey, data: &Value) -> Result<(), String> {
    match key {
        FactKey::Link(of_key) => {
            let link = Link::deserialize(data).map_err(|error| format!("this is no link: {error}"))?;
            let of_data = link.check().map_err(|error| error.to_string())?;
            if of_data != *of_key {
                return Err(format!("the key names the link {of_key}, the value {of_data}"));
            }
            Ok(())
        }
        FactKey::Config(_) => {
            let flat = data.as_object().is_some_and(|map| map.values().all(Value::is_string));
            if flat { Ok(()) } else { Err("a configuration is a map of strings to strings".to_owned()) }
        }
        FactKey::Claims(_) if !data.is_object() => Err("claims are a map".to_owned()),
        FactKey::Host(_) => {
            HostFact::deserialize(data).map(drop).map_err(|error| format!("this is no host: {error}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> FactKey {
        FactKey::parse(text).unwrap()
    }

    #[test]
    fn a_fact_as_it_is_written() {
        let writer = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let mut fact = Fact::now(3, &writer, Some(json!({"port": "80"})));
        fact.at = "2026-01-01T00:00:00Z".into();
        insta::assert_json_snapshot!(fact, @r#"
        {
          "version": 3,
          "writer": "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "at": "2026-01-01T00:00:00Z",
          "data": {
            "port": "80"
          }
        }
        "#);
        let mut tombstone = Fact::now(4, &writer, None);
        tombstone.at = String::new();
        let text = serde_json::to_string(&tombstone).unwrap();
        assert!(text.contains(r#""deleted":true,"data":null"#), "{text}");
    }

    #[test]
    fn missing_and_unknown_fields() {
        let fact = Fact::read(&key("config.a"), br#"{"version":1,"writer":"w","data":{},"more":1}"#).unwrap();
        assert_eq!((fact.at.as_str(), fact.deleted), ("", false));
        assert!(
            Fact::read(&key("config.a"), br#"{"version":2,"writer":"w","deleted":true}"#).unwrap().deleted
        );
        for bad in [
            &b""[..],
            b"null",
            b"{}",
            br#"{"version":-1,"writer":"w","data":{}}"#,
            br#"{"version":1,"writer":"w"}"#,
            br#"{"version":1,"writer":"w","data":{"a":1}}"#,
            b"\xff\xfe",
        ] {
            assert!(Fact::read(&key("config.a"), bad).is_err());
        }
    }

    #[test]
    fn a_link_under_a_key_of_another_is_refused() {
        let link = json!({"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http"});
        let value = json!({"version":1,"writer":"w","data":link}).to_string();
        assert!(Fact::read(&key("link.a.b.wasi.http.default"), value.as_bytes()).is_ok());
        let error = Fact::read(&key("link.a.c.wasi.http.default"), value.as_bytes()).unwrap_err();
        assert!(error.contains("the key names"), "{error}");
    }
}
