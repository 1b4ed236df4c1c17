//! Keys of the lattice's facts: one key per fact in the bucket `LATTICE_{lattice}`, built and parsed here alone.
//!
//! A key of a kind that this version does not know is kept as it is: whoever merges or stores facts carries what later
//! versions wrote, and reads nothing into it.

use std::fmt;

use crate::{
    AccountKey, ConfigName, Contract, HostId, LatticeName, LinkKey, LinkName, SecretName, UserKey,
    escape_key, every::every, unescape,
};

/// Kinds of facts: the first part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FactKind {
    /// A link.
    Link,
    /// A named configuration.
    Config,
    /// Claims of an actor or provider that was started.
    Claims,
    /// A host and what runs on it.
    Host,
    /// Whether an account's signature counts.
    Trust,
    /// What a person may command.
    Role,
    /// A secret, sealed.
    Secret,
    /// A lease: who does something that one alone should do. It expires by itself, and is neither stored nor merged.
    Lease,
    /// A kind of a later version.
    Other,
}

impl FactKind {
    every! { "Every kind." FactKind: Link, Config, Claims, Host, Trust, Role, Secret, Lease, Other, }

    /// The first part of the key; of a kind that this version does not know, nothing.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FactKind::Link => "link",
            FactKind::Config => "config",
            FactKind::Claims => "claims",
            FactKind::Host => "host",
            FactKind::Trust => "trust",
            FactKind::Role => "role",
            FactKind::Secret => "secret",
            FactKind::Lease => "lease",
            FactKind::Other => "",
        }
    }
}

/// Longest key of an unknown kind, in bytes.
const OTHER_BYTES_MAX: usize = 1024;

/// The key of one fact, typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FactKey {
    /// `link.{source}.{target}.{namespace}.{package}.{name}`
    Link(LinkKey),
    /// `config.{name}`
    Config(ConfigName),
    /// `claims.{subject key}`
    Claims(String),
    /// `host.{host}`
    Host(HostId),
    /// `trust.{account or signing key}`
    Trust(AccountKey),
    /// `role.{user key}`
    Role(UserKey),
    /// `secret.{name}`
    Secret(SecretName),
    /// `lease.{name}`
    Lease(String),
    /// The whole key of a fact whose kind this version does not know.
    Other(String),
}

/// Why a text is not the key of a fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} is not the key of a fact: {why}")]
pub struct FactKeyError {
    /// The key as read.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl FactKey {
    /// The bucket that holds the facts of `lattice`.
    #[must_use]
    pub fn bucket(lattice: &LatticeName) -> String {
        format!("LATTICE_{lattice}")
    }

    /// The kind of fact.
    #[must_use]
    pub fn kind(&self) -> FactKind {
        match self {
            FactKey::Link(_) => FactKind::Link,
            FactKey::Config(_) => FactKind::Config,
            FactKey::Claims(_) => FactKind::Claims,
            FactKey::Host(_) => FactKind::Host,
            FactKey::Trust(_) => FactKind::Trust,
            FactKey::Role(_) => FactKind::Role,
            FactKey::Secret(_) => FactKind::Secret,
            FactKey::Lease(_) => FactKind::Lease,
            FactKey::Other(_) => FactKind::Other,
        }
    }

    /// True for what stays until it is changed; false for what expires by itself, which is neither stored nor merged.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(self, FactKey::Lease(_))
    }

    /// Reads a key back.
    ///
    /// # Errors
    /// [`FactKeyError`] for a wrong number of parts, a part that no name of ours escapes to, or a second spelling of a key.
    pub fn parse(key: &str) -> Result<Self, FactKeyError> {
        let fail = |why: String| FactKeyError { key: key.chars().take(512).collect(), why };
        let (kind, rest) = key.split_once('.').ok_or_else(|| fail("it has one part alone".into()))?;
        if !["link", "config", "claims", "host", "trust", "role", "secret", "lease"].contains(&kind) {
            let is_key = is_foreign(kind, rest) && key.len() <= OTHER_BYTES_MAX;
            return is_key.then(|| Self::Other(key.to_owned())).ok_or_else(|| fail("it is malformed".into()));
        }
        let parts = rest.split('.');
        let parts: Option<Vec<String>> = parts.map(unescape).collect();
        let parts = parts.ok_or_else(|| fail("a part is not escaped as ours are".into()))?;
        let read = match (kind, parts.as_slice()) {
            ("link", [source, target, namespace, package, name]) => FactKey::Link(LinkKey {
                source: source.parse().map_err(|e: crate::IdError| fail(e.to_string()))?,
                target: target.parse().map_err(|e: crate::IdError| fail(e.to_string()))?,
                contract: Contract::new(namespace, package).map_err(|e| fail(e.to_string()))?,
                name: LinkName::new(name).map_err(|e| fail(e.to_string()))?,
            }),
            ("config", [name]) => FactKey::Config(ConfigName::new(name).map_err(|e| fail(e.to_string()))?),
            ("claims", [subject]) if !subject.is_empty() => FactKey::Claims(subject.clone()),
            ("host", [id]) => FactKey::Host(HostId::new(id).map_err(|e| fail(e.to_string()))?),
            ("trust", [key]) => FactKey::Trust(AccountKey::new(key).map_err(|e| fail(e.to_string()))?),
            ("role", [key]) => FactKey::Role(UserKey::new(key).map_err(|e| fail(e.to_string()))?),
            ("secret", [name]) => FactKey::Secret(SecretName::new(name).map_err(|e| fail(e.to_string()))?),
            ("lease", [name]) if !name.is_empty() => FactKey::Lease(name.clone()),
            _ => return Err(fail("wrong number of parts".into())),
        };
        // Else one fact could stand under two keys, as `a=2Eb` and `a=2eb`.
        if read.to_string() != key {
            return Err(fail("a part is not escaped as ours are".into()));
        }
        Ok(read)
    }
}

/// True if a later version may have made this key: what JetStream takes, without what a subject is split or matched by.
fn is_foreign(kind: &str, rest: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'=' | b'/'))
    };
    kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && is_part(kind)
        && rest.split('.').all(is_part)
}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let FactKey::Other(whole) = self {
            return f.write_str(whole);
        }
        f.write_str(self.kind().as_str())?;
        let mut part = |text: &str| write!(f, ".{}", escape_key(text));
        match self {
            FactKey::Link(key) => {
                part(key.source.as_str())?;
                part(key.target.as_str())?;
                part(key.contract.namespace())?;
                part(key.contract.package())?;
                part(key.name.as_str())
            }
            FactKey::Config(name) => part(name.as_str()),
            FactKey::Claims(subject) => part(subject),
            FactKey::Host(id) => part(id.as_str()),
            FactKey::Trust(key) => part(key.as_str()),
            FactKey::Role(key) => part(key.as_str()),
            FactKey::Secret(name) => part(name.as_str()),
            FactKey::Lease(name) => part(name),
            FactKey::Other(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::EntityId;

    #[test]
    fn keys_as_they_stand_in_the_bucket() {
        let key = LinkKey {
            source: EntityId::new("http").unwrap(),
            target: EntityId::new("hello").unwrap(),
            contract: Contract::http(),
            name: LinkName::default(),
        };
        assert_eq!(FactKey::Link(key).to_string(), "link.http.hello.wasi.http.default");
        assert_eq!(FactKey::Config(ConfigName::new("a.b:c").unwrap()).to_string(), "config.a=2Eb=3Ac");
        let host = format!("host.N{}", "A".repeat(55));
        let id = HostId::new(&host["host.".len()..]).unwrap();
        assert_eq!(FactKey::Host(id.clone()).to_string(), host);
        assert_eq!(FactKey::parse(&host), Ok(FactKey::Host(id)));
        let (trust, role) = (format!("trust.A{}", "B".repeat(55)), format!("role.U{}", "B".repeat(55)));
        let secret = "secret.api-token".to_owned();
        for (text, kind) in [(trust, FactKind::Trust), (role, FactKind::Role), (secret, FactKind::Secret)] {
            let key = FactKey::parse(&text).unwrap();
            assert_eq!((key.kind(), key.to_string(), key.is_lasting()), (kind, text, true));
        }
        for bad in [
            "",
            "link",
            "link.a.b",
            "config.a.b",
            "config.=ZZ",
            "link.a=2E.b.wasi.http.default",
            "config.a=2eb",
            "config.=41",
            "lease.",
            "rumour",
            "rumour.",
            "rumour..x",
            "rumour.>",
            "Rumour.x",
            ".x",
            "host.x",
            "trust.x",
            "trust.",
            "role.x",
            "secret.",
            "secret.a.b",
            "secret.a=2Eb",
        ] {
            assert!(FactKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_carried_and_a_lease_does_not_last() {
        let key = FactKey::parse("rumour.a=2Eb.c").unwrap();
        assert_eq!(
            (key.to_string().as_str(), key.kind(), key.is_lasting()),
            ("rumour.a=2Eb.c", FactKind::Other, true)
        );
        assert!(FactKey::parse(&format!("rumour.{}", "x".repeat(OTHER_BYTES_MAX))).is_err());
        let lease = FactKey::parse("lease.merge").unwrap();
        assert_eq!((lease.to_string().as_str(), lease.is_lasting()), ("lease.merge", false));
    }

    proptest! {
        #[test]
        fn every_legal_name_survives(
            source in "[A-Za-z0-9_-]{1,128}",
            target in "[A-Za-z0-9_-]{1,128}",
            name in "[A-Za-z0-9_-]{1,128}",
            config in "[!-)+-=?-~äöü]{1,40}",
        ) {
            let link = FactKey::Link(LinkKey {
                source: EntityId::new(source).unwrap(),
                target: EntityId::new(target).unwrap(),
                contract: Contract::keyvalue(),
                name: LinkName::new(name).unwrap(),
            });
            prop_assert_eq!(FactKey::parse(&link.to_string()).unwrap(), link);
            let config = FactKey::Config(ConfigName::new(config).unwrap());
            let text = config.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/_=.".contains(&b)), "{}", text);
            prop_assert_eq!(FactKey::parse(&text).unwrap(), config);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = FactKey::parse(&text);
        }
    }
}
