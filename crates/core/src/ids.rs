//! Names of things. Each is a newtype over checked text, so that a link name never stands where a host id belongs.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind of name a text was meant to be; used in error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdKind {
    /// A lattice's name.
    Lattice,
    /// A host's `N…` key.
    Host,
    /// An actor's id.
    Actor,
    /// A provider's id.
    Provider,
    /// The id of an actor or a provider.
    Entity,
    /// A link's name.
    Link,
    /// A configuration's name.
    Config,
    /// An account's `A…` key.
    Account,
    /// A user's `U…` key.
    User,
    /// A curve `X…` key.
    Curve,
    /// A secret's name.
    Secret,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdKind::Lattice => "lattice name",
            IdKind::Host => "host id",
            IdKind::Actor => "actor id",
            IdKind::Provider => "provider id",
            IdKind::Entity => "actor or provider id",
            IdKind::Link => "link name",
            IdKind::Config => "config name",
            IdKind::Account => "account key",
            IdKind::User => "user key",
            IdKind::Curve => "curve key",
            IdKind::Secret => "secret name",
        })
    }
}

/// Why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("the {kind} cannot be empty")]
    Empty {
        /// What the text was meant to be.
        kind: IdKind,
    },
    /// The text is longer than names of that kind may be.
    #[error("{kind} of {len} characters is too long (at most {max})")]
    TooLong {
        /// What the text was meant to be.
        kind: IdKind,
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The text holds a character that names of that kind may not hold.
    #[error("{kind} {text:?} holds {found:?}; allowed are letters, digits, `_` and `-`")]
    Character {
        /// What the text was meant to be.
        kind: IdKind,
        /// The text, cut to 128 characters.
        text: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The name is somebody's who may do more than what runs may.
    #[error(
        "{text} cannot be the {kind}: `wash`, `host` and the keys of hosts (N…) are not for what runs; choose another"
    )]
    Reserved {
        /// What the text was meant to be.
        kind: IdKind,
        /// The text.
        text: String,
    },
    /// The text is not an `N…` key.
    #[error("{text:?} is not a host id; a host id is 56 characters and starts with N")]
    NotAHostKey {
        /// The text, cut to 128 characters.
        text: String,
    },
    /// The text is not a public key of the wanted kind. It is not repeated: it may be a secret that was pasted by mistake.
    #[error("{begins:?}... is no {kind}; one has 56 characters and starts with {letter}")]
    NotAKey {
        /// What the text was meant to be.
        kind: IdKind,
        /// What such keys start with.
        letter: char,
        /// The first three characters.
        begins: String,
    },
}

fn check(kind: IdKind, text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > max {
        return Err(IdError::TooLong { kind, len: text.len(), max });
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        Some(found) => Err(IdError::Character { kind, text: text.to_owned(), found }),
        None => Ok(()),
    }
}

/// Sources that call by their role, without a link: tools of operators, and hosts themselves.
pub const RESERVED_IDS: [&str; 2] = ["wash", "host"];

/// What runs is called neither by a name that calls without a link, nor as a host is: it would get that one's rights.
fn check_runner(kind: IdKind, text: &str) -> Result<(), IdError> {
    check(kind, text, 128)?;
    match RESERVED_IDS.contains(&text) || has_shape_of_key(text, 'N') {
        true => Err(IdError::Reserved { kind, text: text.to_owned() }),
        false => Ok(()),
    }
}

fn has_shape_of_key(text: &str, letter: char) -> bool {
    text.len() == 56
        && text.starts_with(letter)
        && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
}

fn check_host(text: &str) -> Result<(), IdError> {
    match has_shape_of_key(text, 'N') {
        true => Ok(()),
        false => Err(IdError::NotAHostKey { text: text.chars().take(128).collect() }),
    }
}

fn check_key(kind: IdKind, letter: char, text: &str) -> Result<(), IdError> {
    match has_shape_of_key(text, letter) {
        true => Ok(()),
        false => Err(IdError::NotAKey { kind, letter, begins: text.chars().take(3).collect() }),
    }
}

/// v1 takes any config name that fits into a subject; so do we, escaping what a subject cannot hold.
fn check_config(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind: IdKind::Config });
    }
    if text.len() > 128 {
        return Err(IdError::TooLong { kind: IdKind::Config, len: text.len(), max: 128 });
    }
    match text.chars().find(|c| c.is_control() || c.is_whitespace() || matches!(c, '*' | '>')) {
        Some(found) => Err(IdError::Character { kind: IdKind::Config, text: text.to_owned(), found }),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` if it is a legal name of this kind.
            ///
            /// # Errors
            /// [`IdError`] says what is wrong with it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                let check: fn(&str) -> Result<(), IdError> = $check;
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The name of a lattice: `[A-Za-z0-9_-]{1,64}`.
    LatticeName,
    |text| check(IdKind::Lattice, text, 64)
);
id!(
    /// A host's public `N…` key: 56 characters of base32. Only the shape is checked here; `claims` checks the key.
    HostId,
    check_host
);
id!(
    /// An actor's id: `[A-Za-z0-9_-]{1,128}`, chosen, or the `M…` key of its claims.
    ActorId,
    |text| check_runner(IdKind::Actor, text)
);
id!(
    /// A provider's id: `[A-Za-z0-9_-]{1,128}`, chosen, or the `V…` key of its claims.
    ProviderId,
    |text| check_runner(IdKind::Provider, text)
);
id!(
    /// The id of an actor or a provider, where either may stand: the ends of a link.
    EntityId,
    |text| check(IdKind::Entity, text, 128)
);
id!(
    /// The name that tells links between the same two ends and contract apart; `default` when none is given.
    LinkName,
    |text| check(IdKind::Link, text, 128)
);
id!(
    /// The public `A…` key of an account, or of a key that signs for one. Only the shape is checked here.
    AccountKey,
    |text| check_key(IdKind::Account, 'A', text)
);
id!(
    /// The public `U…` key of a person or a program that commands. Only the shape is checked here.
    UserKey,
    |text| check_key(IdKind::User, 'U', text)
);
id!(
    /// The public `X…` key to which bytes are sealed. Only the shape is checked here.
    CurveKey,
    |text| check_key(IdKind::Curve, 'X', text)
);
id!(
    /// The name of a secret: `[A-Za-z0-9_-]{1,128}`.
    SecretName,
    |text| check(IdKind::Secret, text, 128)
);
id!(
    /// The name of a configuration: whatever v1 takes, without blanks, control characters, `*` and `>`.
    ConfigName,
    check_config
);

impl Default for LinkName {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}
impl Default for LatticeName {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

impl EntityId {
    /// Takes a part of a label or path, which may hold anything, and makes a legal id of it: every other character
    /// becomes `-`, and the text is cut to 128 bytes. `None` if nothing is left.
    #[must_use]
    pub fn from_loose(text: &str) -> Option<Self> {
        let tame: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' })
            .take(128)
            .collect();
        Self::new(tame).ok()
    }
}

impl From<ActorId> for EntityId {
    fn from(id: ActorId) -> Self {
        Self(id.0)
    }
}
impl From<ProviderId> for EntityId {
    fn from(id: ProviderId) -> Self {
        Self(id.0)
    }
}
impl From<EntityId> for ActorId {
    fn from(id: EntityId) -> Self {
        Self(id.0)
    }
}
impl From<EntityId> for ProviderId {
    fn from(id: EntityId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_has_no_name_of_somebody_with_more_rights() {
        let host = format!("N{}", "A".repeat(55));
        for name in ["wash", "host", host.as_str()] {
            for error in [ActorId::new(name).unwrap_err(), ProviderId::new(name).unwrap_err()] {
                assert!(matches!(error, IdError::Reserved { .. }), "{error}");
            }
            EntityId::new(name).expect("who calls may have it");
        }
        for name in ["Wash", "hosts", &format!("M{}", "A".repeat(55)), &format!("V{}", "A".repeat(55))] {
            assert!(ActorId::new(name).is_ok() && ProviderId::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_are_taken_and_refused() {
        for good in ["a", "default", "http-hello_2", &"x".repeat(64)] {
            assert!(LatticeName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "a b", "*", ">", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(LatticeName::new(bad).is_err(), "{bad}");
        }
        assert!(ActorId::new("x".repeat(128)).is_ok());
        assert!(ActorId::new("x".repeat(129)).is_err());
        assert!(ConfigName::new("my.app/config:1").is_ok());
        assert!(ConfigName::new("a b").is_err());
    }

    #[test]
    fn host_ids_have_the_shape_of_a_server_key() {
        let key = format!("N{}", "A".repeat(55));
        assert!(HostId::new(&key).is_ok());
        assert!(HostId::new(key.to_lowercase()).is_err());
        assert!(HostId::new(&key[1..]).is_err());
        assert!(HostId::new(format!("M{}", "A".repeat(55))).is_err());
    }

    #[test]
    fn keys_have_their_shape_and_a_seed_is_not_repeated() {
        let key = format!("A{}", "B".repeat(55));
        assert!(AccountKey::new(&key).is_ok() && UserKey::new(&key).is_err());
        let seed = format!("SU{}", "ABCDEFGH".repeat(7));
        let said = UserKey::new(&seed).unwrap_err().to_string();
        assert_eq!(said, r#""SUA"... is no user key; one has 56 characters and starts with U"#);
    }

    #[test]
    fn loose_names_are_tamed() {
        assert_eq!(
            EntityId::from_loose("hello world.wasm").map(|i| i.to_string()),
            Some("hello-world-wasm".into())
        );
        assert_eq!(EntityId::from_loose(""), None);
    }
}
