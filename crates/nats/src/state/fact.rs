//! One fact, as it stands in the bucket.

use std::time::Duration;

use lattice_core::{FactKey, HostFact, HostId, Link, RoleFact, SecretFact, TrustFact};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::WallClock;

/// How long a tombstone stays: who was away for longer than this may bring a deleted fact back.
pub(super) const TOMBSTONE_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

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
/// null. Unknown fields are kept, in `data` as beside it, wherever a fact is stored or written back as it was; whoever
/// changes a fact writes what it knows.
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
    /// What a later version wrote beside these.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Fact {
    /// A fact of now, by `clock`; without data a tombstone.
    pub(crate) fn now(number: u64, writer: &HostId, clock: WallClock, data: Option<Value>) -> Self {
        Self {
            version: number,
            writer: writer.to_string(),
            at: clock.now_rfc3339(),
            deleted: data.is_none(),
            data: data.unwrap_or(Value::Null),
            more: Map::new(),
        }
    }

    /// This fact's version.
    #[must_use]
    pub fn version(&self) -> Version {
        Version { number: self.version, writer: self.writer.clone() }
    }

    /// True if this one replaces `other`.
    ///
    /// Two different facts of one version and writer are those of a host that forgot what it wrote (its disk and the bucket
    /// were both set back). Which of them stays is then decided by what they hold, so that it is the same everywhere.
    pub(crate) fn is_newer_than(&self, other: &Fact) -> bool {
        let order = (self.version, &self.writer, &self.at).cmp(&(other.version, &other.writer, &other.at));
        order.then_with(|| self.content_order(other)).is_gt()
    }

    fn content_order(&self, other: &Fact) -> std::cmp::Ordering {
        if self == other {
            return std::cmp::Ordering::Equal;
        }
        let content =
            |fact: &Fact| (fact.deleted, fact.data.to_string(), Value::from(fact.more.clone()).to_string());
        content(self).cmp(&content(other))
    }

    /// How long the bucket keeps it; none is for ever.
    pub(super) fn kept(&self) -> Option<Duration> {
        self.deleted.then_some(TOMBSTONE_KEPT)
    }

    /// Reads what stands under `key`; the text says what is wrong with it.
    pub(crate) fn read(key: &FactKey, value: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(value)
            .map_err(|error| error.to_string())
            .and_then(|fact: Fact| fact.checked(key))
    }

    /// As [`Fact::read`], of a value that is JSON already.
    pub(super) fn of_value(key: &FactKey, value: Value) -> Result<Self, String> {
        serde_json::from_value(value)
            .map_err(|error| error.to_string())
            .and_then(|fact: Fact| fact.checked(key))
    }

    fn checked(self, key: &FactKey) -> Result<Self, String> {
        if !self.deleted {
            check_data(key, &self.data)?;
        }
        Ok(self)
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
        FactKey::Trust(_) => TrustFact::deserialize(data)
            .map(drop)
            .map_err(|error| format!("this says nothing of a key: {error}")),
        FactKey::Role(_) => {
            RoleFact::deserialize(data).map(drop).map_err(|error| format!("this is no role: {error}"))
        }
        FactKey::Secret(_) => {
            let secret = SecretFact::deserialize(data)
                .map_err(|error| format!("this is no sealed secret: {error}"))?;
            secret.sealed.check().map_err(|error| error.to_string())
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
        let mut fact = Fact::now(3, &writer, WallClock::default(), Some(json!({"port": "80"})));
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
        let mut tombstone = Fact::now(4, &writer, WallClock::default(), None);
        tombstone.at = String::new();
        let text = serde_json::to_string(&tombstone).unwrap();
        assert!(text.contains(r#""deleted":true,"data":null"#), "{text}");
    }

    #[test]
    fn missing_and_unknown_fields() {
        let written = br#"{"version":1,"writer":"w","data":{},"later":{"a":1}}"#;
        let fact = Fact::read(&key("config.a"), written).unwrap();
        assert_eq!((fact.at.as_str(), fact.deleted), ("", false));
        assert!(
            serde_json::to_string(&fact).unwrap().contains(r#""later":{"a":1}"#),
            "what is unknown is kept"
        );
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
    fn of_two_facts_one_is_newer_whichever_is_asked() {
        let of = |text: &str| Fact::read(&key("config.a"), text.as_bytes()).unwrap();
        let rising = [
            of(r#"{"version":1,"writer":"b","at":"9","data":{}}"#),
            of(r#"{"version":2,"writer":"a","at":"1","data":{}}"#),
            // By their text, where nothing else tells them apart.
            of(r#"{"version":2,"writer":"b","at":"1","data":{"x":"1"}}"#),
            of(r#"{"version":2,"writer":"b","at":"1","data":{}}"#),
            of(r#"{"version":2,"writer":"b","at":"1","deleted":true}"#),
            of(r#"{"version":2,"writer":"b","at":"2","data":{}}"#),
        ];
        for (i, one) in rising.iter().enumerate() {
            for (j, other) in rising.iter().enumerate() {
                assert_eq!(one.is_newer_than(other), i > j, "{i} {j}");
            }
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
