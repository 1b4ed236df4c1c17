//! Labels of hosts: what placement constraints are compared with.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest key that may be set, in characters.
const KEY_CHARS_MAX: usize = 128;
/// The longest value that may be set, in characters.
const VALUE_CHARS_MAX: usize = 1024;
/// The most labels of one host, its own included.
const LABELS_MAX: usize = 256;

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
    /// Keys are bounded: labels travel with every heartbeat.
    #[error("the key of label {begins:?}... has {chars} characters; at most {max} are possible", max = KEY_CHARS_MAX)]
    KeyTooLong {
        /// How the key begins.
        begins: String,
        /// How many characters it has.
        chars: usize,
    },
    /// Values are bounded for the same reason.
    #[error("the value of label {key:?} has {chars} characters; at most {max} are possible", max = VALUE_CHARS_MAX)]
    ValueTooLong {
        /// The key as given.
        key: String,
        /// How many characters the value has.
        chars: usize,
    },
    /// So is their number.
    #[error("label {key:?} would be one too many: there are {max} already; delete one first", max = LABELS_MAX)]
    TooMany {
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

    /// Sets a label that an operator may set: a key of at most 128 characters, a value of at most 1024, and at most 256
    /// labels, those of the host itself included.
    ///
    /// # Errors
    /// [`LabelError::Reserved`] for `hostcore.*` (in any case), [`LabelError::NoKey`] for an empty key,
    /// [`LabelError::KeyTooLong`], [`LabelError::ValueTooLong`], [`LabelError::TooMany`]. Nothing is changed then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), LabelError> {
        check_length(key, value)?;
        check_key(key)?;
        if self.0.len() >= LABELS_MAX && !self.0.contains_key(key) {
            return Err(LabelError::TooMany { key: key.to_owned() });
        }
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

fn check_length(key: &str, value: &str) -> Result<(), LabelError> {
    let chars = key.chars().count();
    if chars > KEY_CHARS_MAX {
        return Err(LabelError::KeyTooLong { begins: key.chars().take(32).collect(), chars });
    }
    let chars = value.chars().count();
    if chars > VALUE_CHARS_MAX {
        return Err(LabelError::ValueTooLong { key: key.to_owned(), chars });
    }
    Ok(())
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

    #[test]
    fn length_and_number_are_bounded() {
        let mut labels = Labels::hostcore();
        let (key, value) = ("ü".repeat(KEY_CHARS_MAX), "ü".repeat(VALUE_CHARS_MAX));
        labels.set(&key, &value).unwrap();
        let long = labels.set(&format!("{key}x"), "").unwrap_err();
        assert!(matches!(long, LabelError::KeyTooLong { chars: 129, .. }), "{long}");
        assert!(long.to_string().ends_with("has 129 characters; at most 128 are possible"), "{long}");
        let long = labels.set("zone", &format!("{value}x")).unwrap_err();
        assert_eq!(long, LabelError::ValueTooLong { key: "zone".into(), chars: 1025 });
        for n in labels.0.len()..LABELS_MAX {
            labels.set(&format!("label{n}"), "").unwrap();
        }
        let before = labels.clone();
        assert_eq!(labels.set("zone", "a"), Err(LabelError::TooMany { key: "zone".into() }));
        assert_eq!(labels, before);
        // What is there may change, and what goes makes room.
        labels.set(&key, "other").unwrap();
        assert!(labels.remove(&key).unwrap());
        labels.set("zone", "a").unwrap();
    }
}
