//! Labels of hosts: what placement constraints are compared with.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

/// A set of `key=value` pairs. On the wire a JSON object of strings; missing reads as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(pub BTreeMap<String, String>);

/// Why a label is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// No `=` in the text.
    #[error("label {text:?} has no `=`; write KEY=VALUE")]
    NoEquals {
        /// The text as given.
        text: String,
    },
    /// Nothing before the `=`.
    #[error("label {text:?} has no key before `=`")]
    NoKey {
        /// The text as given.
        text: String,
    },
    /// `hostcore.*` labels tell what the host itself found out.
    #[error("label {key:?} is set by the host itself; choose a key that does not start with `hostcore.`")]
    Reserved {
        /// The key as given.
        key: String,
    },
}

impl Labels {
    /// The labels every host has: `hostcore.arch`, `hostcore.os`, `hostcore.osfamily`.
    #[must_use]
    pub fn hostcore() -> Self {
        Self(BTreeMap::from([
            ("hostcore.arch".to_owned(), std::env::consts::ARCH.to_owned()),
            ("hostcore.os".to_owned(), std::env::consts::OS.to_owned()),
            ("hostcore.osfamily".to_owned(), std::env::consts::FAMILY.to_owned()),
        ]))
    }

    /// True if every pair of `constraints` is among these labels.
    #[must_use]
    pub fn satisfy(&self, constraints: &BTreeMap<String, String>) -> bool {
        constraints.iter().all(|(key, value)| self.0.get(key) == Some(value))
    }

    /// Sets a label that an operator may set.
    ///
    /// # Errors
    /// [`LabelError::Reserved`] for `hostcore.*` (in any case), [`LabelError::NoKey`] for an empty key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), LabelError> {
        check_key(key)?;
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Removes a label that an operator may set; `false` if there was none.
    ///
    /// # Errors
    /// [`LabelError::Reserved`] for `hostcore.*`.
    pub fn remove(&mut self, key: &str) -> Result<bool, LabelError> {
        check_key(key)?;
        Ok(self.0.remove(key).is_some())
    }
}

fn check_key(key: &str) -> Result<(), LabelError> {
    if key.is_empty() {
        return Err(LabelError::NoKey { text: key.to_owned() });
    }
    if key.to_ascii_lowercase().starts_with("hostcore.") {
        return Err(LabelError::Reserved { key: key.to_owned() });
    }
    Ok(())
}

/// One `KEY=VALUE`; only the first `=` splits, so values may hold more of them.
impl FromStr for Labels {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| LabelError::NoEquals { text: text.to_owned() })?;
        let mut labels = Labels::default();
        labels.set(key, value)?;
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_equals_splits() {
        let labels: Labels = "zone=a=b".parse().unwrap();
        assert_eq!(labels.0["zone"], "a=b");
        assert!("zone".parse::<Labels>().is_err());
        assert!("HostCore.os=plan9".parse::<Labels>().is_err());
    }
}
