//! What a link may be configured with.

use std::collections::BTreeMap;

use lattice_contracts::config::{Config, ConfigError, bad_value, check_keys, flag, list, number};
use lattice_core::LatticeName;

const KEYS: &[&str] = &["bucket", "buckets", "create", "replicas"];
/// What a guest calls the bucket that it does not name.
pub(crate) const DEFAULT: &str = "default";
/// Buckets of the lattice, and of v1 hosts: the state of others is out of a guest's reach.
const RESERVED: &[&str] = &["LATTICE_", "LATTICEDATA_", "CONFIGDATA_"];
const BUCKETS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;

/// A link's configuration, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkConfig {
    /// A guest's name for a bucket to JetStream's.
    pub(crate) buckets: BTreeMap<String, String>,
    pub(crate) create: bool,
    pub(crate) replicas: usize,
}

impl LinkConfig {
    pub(crate) fn read(config: &Config, lattice: &LatticeName) -> Result<Self, ConfigError> {
        check_keys(config, KEYS)?;
        let mut buckets = BTreeMap::new();
        for part in list(config.get("buckets").map_or("", |text| text.as_str())) {
            let (name, bucket) = part.split_once('=').unwrap_or((part, part));
            let (name, bucket) = (name.trim(), legal("buckets", bucket.trim())?);
            if name.is_empty() || buckets.insert(name.to_owned(), bucket).is_some() {
                return Err(bad_value("buckets", part, "name each bucket once, as name or name=bucket"));
            }
        }
        if buckets.len() > BUCKETS_MAX {
            return Err(bad_value("buckets", "", format!("at most {BUCKETS_MAX} buckets are possible")));
        }
        match config.get("bucket") {
            Some(bucket) => drop(buckets.insert(DEFAULT.to_owned(), legal("bucket", bucket.trim())?)),
            None if buckets.is_empty() => {
                drop(buckets.insert(DEFAULT.to_owned(), format!("KEYVALUE_{lattice}")));
            }
            None => {}
        }
        let replicas = number(config, "replicas", 1, 1)?;
        let replicas = usize::try_from(replicas).ok().filter(|replicas| *replicas <= 5);
        let replicas =
            replicas.ok_or_else(|| bad_value("replicas", "", "at most 5 servers keep a bucket"))?;
        Ok(Self { buckets, create: flag(config, "create", true)?, replicas })
    }
}

fn legal(key: &'static str, bucket: &str) -> Result<String, ConfigError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if bucket.is_empty() || bucket.len() > NAME_BYTES_MAX || !bucket.bytes().all(fits) {
        let why = format!("a bucket's name is 1 to {NAME_BYTES_MAX} letters, digits, - and _");
        return Err(bad_value(key, bucket, why));
    }
    let upper = bucket.to_ascii_uppercase();
    match RESERVED.iter().find(|prefix| upper.starts_with(**prefix)) {
        Some(prefix) => {
            let why = format!("names that start with {prefix} hold the state of lattices; choose another");
            Err(bad_value(key, bucket, why))
        }
        None => Ok(bucket.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<LinkConfig, ConfigError> {
        let config = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        LinkConfig::read(&config, &LatticeName::new("shop").unwrap())
    }

    #[test]
    fn which_buckets_a_guest_may_open() {
        for (pairs, want) in [
            (&[][..], &[("default", "KEYVALUE_shop")][..]),
            (&[("bucket", "mine")], &[("default", "mine")]),
            (&[("buckets", "a, b=other")], &[("a", "a"), ("b", "other")]),
            (&[("bucket", "mine"), ("buckets", "a")], &[("a", "a"), ("default", "mine")]),
        ] {
            let buckets = read(pairs).unwrap().buckets;
            let got: Vec<_> = buckets.iter().map(|(name, bucket)| (name.as_str(), bucket.as_str())).collect();
            assert_eq!(got, want);
        }
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (key, value, says) in [
            ("buket", "a", "did you mean bucket?"),
            ("bucket", "LATTICE_default", "hold the state of lattices"),
            ("bucket", "Latticedata_x", "hold the state of lattices"),
            ("buckets", "a=CONFIGDATA_x", "hold the state of lattices"),
            ("bucket", "a.b", "letters, digits"),
            ("bucket", "", "letters, digits"),
            ("buckets", "a,a", "each bucket once"),
            ("buckets", "=b", "each bucket once"),
            ("create", "1", "true or false"),
            ("replicas", "6", "at most 5"),
        ] {
            let error = read(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(says), "{key}={value}: {error}");
        }
    }
}
