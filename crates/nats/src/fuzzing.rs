//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as whoever gets them from the wire does,
//! and panics where a rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use crate::{ConnectOptions, connect::parse_servers, state::fuzzing::bucket_answer, violation::Violation};

pub use crate::{
    invocation::fuzzing::{call, header},
    remote::{fuzzing::frames, http::fuzzing::http_message, keyvalue::fuzzing::keyvalue},
    state::fuzzing::{fact, snapshot},
};

/// An answer of JetStream: its error, and what the state of the lattice reads in it.
///
/// # Panics
/// If it is two things at once.
pub fn jetstream(data: &[u8]) {
    bucket_answer(data);
    if let Some(error) = crate::jetstream_api::error_in(data) {
        let _ = (error.is_conflict(), error.to_string());
    }
}

/// Lines, each of which is an error as a server words it, and addresses of servers as people write them, passwords and all.
///
/// # Panics
/// If a refusal names a subject that the server did not, or words break out of a message, or what stands before the host of an
/// address is shown.
pub fn server(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Some(violation) = Violation::parse(line) {
            assert!(line.contains(&violation.subject));
            assert!(!violation.to_string().contains(char::is_control), "{violation}");
        }
        let options = ConnectOptions::to(line);
        assert!(!options.shown().contains('@'), "{:?}", options.shown());
        let _ = options.effective_credentials().kind();
        if let Err(error) = parse_servers(&options) {
            assert!(!error.to_string().contains('@'), "{error}");
        }
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
        let targets: [(&str, fn(&[u8])); 9] = [
            ("call", super::call),
            ("fact", super::fact),
            ("frames", super::frames),
            ("header", super::header),
            ("http_message", super::http_message),
            ("jetstream", super::jetstream),
            ("keyvalue", super::keyvalue),
            ("nats_server", super::server),
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
