//! What the provider and its links may be configured with.

use std::collections::BTreeMap;

use lattice_contracts::config::{Config, ConfigError, bad_value, check_keys, list, number};

const LINK_KEYS: &[&str] = &["bucket", "buckets"];
const OWN_KEYS: &[&str] = &["bytes_max", "entries_max", "value_bytes_max"];
/// What a guest calls the bucket that it does not name.
pub(crate) const DEFAULT: &str = "default";
const BUCKETS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) entries: usize,
    pub(crate) value_bytes: usize,
}

impl Limits {
    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        check_keys(config, OWN_KEYS)?;
        let size = |key, default| {
            let number = number(config, key, default, 1)?;
            let text = config.get(key).map_or("", String::as_str);
            usize::try_from(number).map_err(|_| bad_value(key, text, "this machine has no such memory"))
        };
        Ok(Self {
            bytes: size("bytes_max", 64 << 20)?,
            entries: size("entries_max", 100_000)?,
            value_bytes: size("value_bytes_max", 1 << 20)?,
        })
    }
}

/// The stores that a link opens: a guest's name to ours.
pub(crate) fn buckets(config: &Config) -> Result<BTreeMap<String, String>, ConfigError> {
    check_keys(config, LINK_KEYS)?;
    let mut buckets = BTreeMap::new();
    for name in list(config.get("buckets").map_or("", String::as_str)) {
        if buckets.insert(name.to_owned(), legal("buckets", name)?).is_some() {
            return Err(bad_value("buckets", name, "name each bucket once"));
        }
    }
    if buckets.len() > BUCKETS_MAX {
        return Err(bad_value("buckets", "", format!("at most {BUCKETS_MAX} buckets are possible")));
    }
    let usual = config.get("bucket").map_or(DEFAULT, |name| name.trim());
    buckets.insert(DEFAULT.to_owned(), legal("bucket", usual)?);
    Ok(buckets)
}

fn legal(key: &'static str, bucket: &str) -> Result<String, ConfigError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if bucket.is_empty() || bucket.len() > NAME_BYTES_MAX || !bucket.bytes().all(fits) {
        let why = format!("a bucket's name is 1 to {NAME_BYTES_MAX} letters, digits, - and _");
        return Err(bad_value(key, bucket, why));
    }
    Ok(bucket.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn which_stores_a_guest_may_open() {
        for (pairs, want) in [
            (&[][..], &[("default", "default")][..]),
            (&[("bucket", "mine")], &[("default", "mine")]),
            (&[("buckets", "a, b")], &[("a", "a"), ("b", "b"), ("default", "default")]),
        ] {
            let buckets = buckets(&config(pairs)).unwrap();
            let got: Vec<_> = buckets.iter().map(|(name, store)| (name.as_str(), store.as_str())).collect();
            assert_eq!(got, want);
        }
        for (key, value, says) in
            [("buket", "a", "did you mean bucket?"), ("bucket", "a b", "letters"), ("buckets", "a,a", "once")]
        {
            let error = buckets(&config(&[(key, value)])).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn how_much_is_kept() {
        let limits = Limits::read(&config(&[("entries_max", "3")])).unwrap();
        assert_eq!((limits.entries, limits.value_bytes), (3, 1 << 20));
        for (key, value) in [("entries_max", "0"), ("bytes_max", "much"), ("bytes", "1")] {
            assert!(Limits::read(&config(&[(key, value)])).is_err(), "{key}");
        }
    }
}
