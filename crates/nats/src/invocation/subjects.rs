//! Subjects of calls that came lately. The same few come over and over, and finding one costs less than reading it.

use std::{collections::HashMap, sync::Arc};

use lattice_core::{CallSubject, SubjectError};

/// How many are remembered. A host has far fewer links to its actors times their functions.
const KNOWN_MAX: usize = 1024;

/// What subjects say, as it was read before.
#[derive(Default)]
pub(crate) struct Subjects {
    /// By copies: what a message holds keeps the buffer that it was read into.
    known: HashMap<Box<str>, Arc<CallSubject>>,
}

impl Subjects {
    /// Reads a subject, or remembers it.
    ///
    /// # Errors
    /// As [`CallSubject::parse`]; what does not read is not remembered.
    pub(crate) fn read(&mut self, subject: &str) -> Result<Arc<CallSubject>, SubjectError> {
        if let Some(known) = self.known.get(subject) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(CallSubject::parse(subject)?);
        if self.known.len() >= KNOWN_MAX {
            // Whoever invents subjects without end makes this as slow as reading each.
            self.known.clear();
        }
        self.known.insert(subject.into(), Arc::clone(&read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_read() {
        let mut subjects = Subjects::default();
        for round in 0..2 {
            for number in 0..2 * KNOWN_MAX {
                let subject = format!("wasmbus.call.default.web.greeter.demo.f{number}");
                let read = subjects.read(&subject).unwrap();
                assert_eq!(*read, CallSubject::parse(&subject).unwrap(), "in round {round}");
                assert!(Arc::ptr_eq(&read, &subjects.read(&subject).unwrap()), "it is remembered");
                assert!(subjects.known.len() <= KNOWN_MAX);
            }
            assert!(subjects.read("wasmbus.call.default").is_err());
        }
    }
}
