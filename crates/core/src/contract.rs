//! Contracts: what a link carries. A contract is a WIT package without its version, as `wasi:keyvalue`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A WIT package, `namespace:package`. Written as that text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contract {
    namespace: String,
    package: String,
}

/// Why a text is not a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Not `namespace:package`.
    #[error("{text:?} is not a contract; write namespace:package, as in wasi:keyvalue")]
    NotAPackage {
        /// The text as given.
        text: String,
    },
    /// A part is not a WIT identifier.
    #[error("{part:?} in contract {text:?} is not a WIT name (lower-case words joined by `-`)")]
    NotAName {
        /// The text as given.
        text: String,
        /// The part that is wrong.
        part: String,
    },
}

impl Contract {
    /// Takes a namespace and a package, both kebab-case WIT names.
    ///
    /// # Errors
    /// [`ContractError::NotAName`] names the part that is not one.
    pub fn new(namespace: &str, package: &str) -> Result<Self, ContractError> {
        for part in [namespace, package] {
            let fits = !part.is_empty()
                && part.len() <= 64
                && part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if !fits {
                let text = format!("{namespace}:{package}");
                return Err(ContractError::NotAName { text, part: part.to_owned() });
            }
        }
        Ok(Self { namespace: namespace.to_owned(), package: package.to_owned() })
    }

    /// The namespace: `wasi` in `wasi:keyvalue`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The package: `keyvalue` in `wasi:keyvalue`.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }

    /// True if this is `namespace:package`.
    #[must_use]
    pub fn is(&self, namespace: &str, package: &str) -> bool {
        self.namespace == namespace && self.package == package
    }

    /// `wasi:http`.
    #[must_use]
    pub fn http() -> Self {
        Self { namespace: "wasi".into(), package: "http".into() }
    }

    /// `wasi:keyvalue`.
    #[must_use]
    pub fn keyvalue() -> Self {
        Self { namespace: "wasi".into(), package: "keyvalue".into() }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.package)
    }
}

impl FromStr for Contract {
    type Err = ContractError;
    fn from_str(text: &str) -> Result<Self, ContractError> {
        let (namespace, package) =
            text.split_once(':').ok_or_else(|| ContractError::NotAPackage { text: text.to_owned() })?;
        Self::new(namespace, package)
    }
}

impl Serialize for Contract {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Contract {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which end of a link calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The provider calls the actor, as an HTTP server does.
    ToActor,
    /// The actor calls the provider, as with key-value.
    ToProvider,
}

/// What the lattice knows of a contract.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// WIT namespace.
    pub namespace: &'static str,
    /// WIT package.
    pub package: &'static str,
    /// Interfaces and who calls them.
    pub interfaces: &'static [(&'static str, Direction)],
    /// False where the host itself serves the contract and no link is needed.
    pub linked: bool,
}

/// The contracts the lattice knows. One row each; everything that asks "is this a contract" asks here.
pub const KNOWN: &[Known] = &[
    Known {
        namespace: "wasi",
        package: "http",
        interfaces: &[("incoming-handler", Direction::ToActor), ("outgoing-handler", Direction::ToProvider)],
        linked: true,
    },
    Known {
        namespace: "wasi",
        package: "keyvalue",
        interfaces: &[
            ("store", Direction::ToProvider),
            ("atomics", Direction::ToProvider),
            ("batch", Direction::ToProvider),
        ],
        linked: true,
    },
    Known {
        namespace: "wasi",
        package: "config",
        interfaces: &[("store", Direction::ToProvider), ("runtime", Direction::ToProvider)],
        linked: false,
    },
    Known {
        namespace: "wasi",
        package: "logging",
        interfaces: &[("logging", Direction::ToProvider)],
        linked: false,
    },
    Known {
        namespace: "wasmcloud",
        package: "secrets",
        interfaces: &[("store", Direction::ToProvider), ("reveal", Direction::ToProvider)],
        linked: false,
    },
];

/// The row of [`KNOWN`] for a contract.
#[must_use]
pub fn known(contract: &Contract) -> Option<&'static Known> {
    KNOWN.iter().find(|row| contract.is(row.namespace, row.package))
}

/// How a link's configuration key of 2021 is written today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigKey {
    /// The key of 2021, as `PORT`.
    pub old: &'static str,
    /// Today's key, as `address`.
    pub new: &'static str,
    /// Put before the value: `PORT: 8080` listens on every address, as it did.
    pub prefix: &'static str,
}

/// A contract id of 2021, and what it is today.
#[derive(Debug, Clone, Copy)]
pub struct Alias2021 {
    /// The id, as `wasmcloud:httpserver`.
    pub id: &'static str,
    /// Today's namespace and package.
    pub contract: (&'static str, &'static str),
    /// Who calls; 2021 links always named the actor first.
    pub direction: Direction,
    /// Configuration keys that changed their name.
    pub keys: &'static [ConfigKey],
}

const ALIASES: &[Alias2021] = &[
    Alias2021 {
        id: "wasmcloud:httpserver",
        contract: ("wasi", "http"),
        direction: Direction::ToActor,
        keys: &[
            ConfigKey { old: "PORT", new: "address", prefix: "0.0.0.0:" },
            ConfigKey { old: "BIND", new: "address", prefix: "" },
        ],
    },
    Alias2021 {
        id: "wasmcloud:httpclient",
        contract: ("wasi", "http"),
        direction: Direction::ToProvider,
        keys: &[],
    },
    Alias2021 {
        id: "wasmcloud:keyvalue",
        contract: ("wasi", "keyvalue"),
        direction: Direction::ToProvider,
        keys: &[],
    },
    Alias2021 {
        id: "wasmcloud:logging",
        contract: ("wasi", "logging"),
        direction: Direction::ToProvider,
        keys: &[],
    },
    Alias2021 {
        id: "wasmcloud:builtin:logging",
        contract: ("wasi", "logging"),
        direction: Direction::ToProvider,
        keys: &[],
    },
];

/// Looks up a contract id of 2021.
#[must_use]
pub fn alias_2021(id: &str) -> Option<&'static Alias2021> {
    ALIASES.iter().find(|alias| alias.id == id)
}

impl Alias2021 {
    /// Today's contract.
    #[must_use]
    pub fn contract(&self) -> Contract {
        Contract { namespace: self.contract.0.into(), package: self.contract.1.into() }
    }

    /// Rewrites configuration of 2021 to today's keys; keys without a new name stay as they are.
    #[must_use]
    pub fn translate(&self, values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        values
            .iter()
            .map(|(key, value)| match self.keys.iter().find(|row| row.old == key) {
                Some(row) => (row.new.to_owned(), format!("{}{value}", row.prefix)),
                None => (key.clone(), value.clone()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_are_packages() {
        assert_eq!("wasi:keyvalue".parse::<Contract>().unwrap(), Contract::keyvalue());
        for bad in ["wasi", "wasi:", ":http", "wasi:http@0.2.0", "wasi:key value", "1:2"] {
            assert!(bad.parse::<Contract>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_of_2021_have_a_contract_a_direction_and_today_s_keys() {
        let alias = alias_2021("wasmcloud:httpserver").unwrap();
        assert_eq!(alias.contract(), Contract::http());
        assert_eq!(alias.direction, Direction::ToActor);
        let values = BTreeMap::from([("PORT".to_owned(), "8080".to_owned())]);
        assert_eq!(alias.translate(&values)["address"], "0.0.0.0:8080");
        for alias in ALIASES {
            assert!(known(&alias.contract()).is_some(), "{} has no row in KNOWN", alias.id);
        }
    }
}
