//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as the provider does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use lattice_contracts::config::Config;
use lattice_core::LatticeName;

use crate::{
    config::LinkConfig,
    entry::{read_ack, read_description, read_entry},
    key::{escape, read_back},
};

/// An answer of JetStream.
pub fn jetstream(data: &[u8]) {
    let errors = [read_entry(data).err(), read_ack(data).err(), read_description(data).err()];
    for error in errors.into_iter().flatten() {
        let _ = (error.is_conflict(), error.is_too_large(), error.is_no_stream(), error.to_string());
    }
}

/// A link's configuration as lines `key=value`; each line is a key of the store, too.
///
/// # Panics
/// If a bucket was accepted that holds the state of a lattice, or a key does not come back as it was.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let config: Config = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if let Ok(link) = LinkConfig::read(&config, &LatticeName::default()) {
        let is_state = |bucket: &String| bucket.to_ascii_uppercase().starts_with("LATTICE_");
        assert!(!link.buckets.is_empty() && !link.buckets.values().any(is_state));
        assert!((1..=5).contains(&link.replicas));
    }
    for key in text.lines() {
        if let Ok(escaped) = escape(key) {
            assert_eq!(read_back(&escaped), key);
        }
        let _ = read_back(key);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let targets: [(&str, fn(&[u8])); 2] = [("jetstream", super::jetstream), ("config", super::config)];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            let count = inputs.inspect(|input| target(input)).count();
            assert!(count > 0, "{} is empty", folder.display());
        }
    }
}
