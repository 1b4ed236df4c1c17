//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as whoever gets them from the wire does,
//! and panics where a rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

pub use crate::{
    invocation::fuzzing::{call, header},
    remote::{fuzzing::frames, http::fuzzing::http_message, keyvalue::fuzzing::keyvalue},
    state::fuzzing::{fact, snapshot},
};

/// An answer of JetStream, of which only the error matters.
pub fn jetstream(data: &[u8]) {
    if let Some(error) = crate::jetstream_api::error_in(data) {
        let _ = (error.is_conflict(), error.to_string());
    }
}

/// Bytes, taken apart from the front into what a test needs.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number in as many bytes as the first one says: small ones are as likely as those at the end of the range.
    pub(crate) fn number(&mut self) -> u64 {
        let bytes = match self.byte().unwrap_or(0) % 4 {
            0 => 1,
            1 => 2,
            2 => 3,
            _ => 8,
        };
        (0..bytes).fold(0, |number, _| (number << 8) | u64::from(self.byte().unwrap_or(0)))
    }

    /// The rest.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let targets: [(&str, fn(&[u8])); 8] = [
            ("call", super::call),
            ("fact", super::fact),
            ("frames", super::frames),
            ("header", super::header),
            ("http_message", super::http_message),
            ("jetstream", super::jetstream),
            ("keyvalue", super::keyvalue),
            ("snapshot", super::snapshot),
        ];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            let count = inputs.inspect(|input| target(input)).count();
            assert!(count > 0, "{} is empty", folder.display());
        }
    }
}
