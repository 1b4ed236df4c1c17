//! Reading configuration: the map of texts that a provider or a link is configured with.
//!
//! A key nobody knows is refused, never ignored: a misspelt `adress` would otherwise listen somewhere else.

use std::{collections::BTreeMap, time::Duration};

/// Configuration as it reaches a provider: resolved, merged, all values text.
pub type Config = BTreeMap<String, String>;

/// Why a configuration cannot be used. The text is meant for the state of the provider or link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A key that is not known.
    #[error("unknown config key {key:?}; {hint}")]
    UnknownKey {
        /// The key as given, cut to 128 characters.
        key: String,
        /// The key that was probably meant, or all there are.
        hint: String,
    },
    /// A value that cannot be read.
    #[error("config {key}={value:?} is not usable: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value as given, cut to 128 characters.
        value: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
}

/// Checks that every key of `config` is one of `known`.
///
/// # Errors
/// [`ConfigError::UnknownKey`] for the first that is not, with the nearest known one.
pub fn check_keys(config: &Config, known: &[&'static str]) -> Result<(), ConfigError> {
    let Some(key) = config.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let key: String = key.chars().take(128).collect();
    let near = known.iter().map(|name| (distance(&key.to_ascii_lowercase(), name), *name)).min();
    let hint = match near {
        Some((far, name)) if far <= 1 + name.len() / 4 => format!("did you mean {name}?"),
        None => "none is taken here".to_owned(),
        Some(_) => format!("there are {}", known.join(", ")),
    };
    Err(ConfigError::UnknownKey { key, hint })
}

/// Makes the error for a value.
#[must_use]
pub fn bad_value(key: &'static str, value: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, value: value.chars().take(128).collect(), why: why.into() }
}

/// Reads a whole number of at least `least`; `default` where the key is missing.
///
/// # Errors
/// [`ConfigError::Value`] for anything else.
pub fn number(config: &Config, key: &'static str, default: u64, least: u64) -> Result<u64, ConfigError> {
    let Some(text) = config.get(key) else { return Ok(default) };
    match text.trim().parse::<u64>() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(bad_value(key, text, format!("write a whole number of at least {least}"))),
    }
}

/// Reads a time in milliseconds, from one to a day; `default` where the key is missing.
///
/// # Errors
/// [`ConfigError::Value`] for anything else.
pub fn millis(config: &Config, key: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    const DAY_MS: u64 = 86_400_000;
    let Some(text) = config.get(key) else { return Ok(default) };
    match text.trim().parse::<u64>() {
        Ok(number @ 1..=DAY_MS) => Ok(Duration::from_millis(number)),
        _ => Err(bad_value(key, text, format!("write milliseconds, from 1 to {DAY_MS}"))),
    }
}

/// Reads `true` or `false`; `default` where the key is missing.
///
/// # Errors
/// [`ConfigError::Value`] for anything else.
pub fn flag(config: &Config, key: &'static str, default: bool) -> Result<bool, ConfigError> {
    match config.get(key).map(|text| (text, text.trim())) {
        None => Ok(default),
        Some((_, "true")) => Ok(true),
        Some((_, "false")) => Ok(false),
        Some((text, _)) => Err(bad_value(key, text, "write true or false")),
    }
}

/// Splits a comma list; blanks around the parts and empty parts do not count.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// How many characters must be added, removed or changed to turn one text into the other. Keys are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_unknown_key_is_answered_with_what_was_meant() {
        let known = ["address", "hostname", "max_body_bytes"];
        for (key, says) in [
            ("adress", r#"unknown config key "adress"; did you mean address?"#),
            ("ADDRESS", "did you mean address?"),
            ("max_body_byte", "did you mean max_body_bytes?"),
            ("colour", "there are address, hostname, max_body_bytes"),
        ] {
            let error = check_keys(&config(&[(key, "")]), &known).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(check_keys(&config(&[("hostname", "a")]), &known), Ok(()));
    }

    #[test]
    fn values_are_read_or_refused() {
        let given =
            config(&[("n", " 5 "), ("bad", "-1"), ("yes", "true"), ("maybe", "1"), ("day", "86400001")]);
        assert_eq!(number(&given, "n", 1, 1), Ok(5));
        assert_eq!(number(&given, "missing", 1, 1), Ok(1));
        assert!(number(&given, "n", 1, 6).is_err());
        assert!(number(&given, "bad", 1, 0).is_err());
        assert_eq!(flag(&given, "yes", false), Ok(true));
        assert!(flag(&given, "maybe", false).is_err());
        assert_eq!(millis(&given, "n", Duration::ZERO), Ok(Duration::from_millis(5)));
        assert!(millis(&given, "day", Duration::ZERO).is_err());
        assert_eq!(list(" a, b ,,c").collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
