//! A guest's keys, any UTF-8 text, as keys of JetStream, and back.

use lattice_contracts::keyvalue::KeyvalueError;
use lattice_core::{escape_key, unescape};

/// Escaped it may be three times as long, and stands in the first line of a NATS message, which has 4096 bytes.
const KEY_BYTES_MAX: usize = 1024;
/// The empty key: a lone `=`, which escaping never makes.
const EMPTY: &str = "=";

/// The key as JetStream has it.
pub(crate) fn escape(key: &str) -> Result<String, KeyvalueError> {
    match key.len() {
        0 => Ok(EMPTY.to_owned()),
        size if size > KEY_BYTES_MAX => {
            Err(KeyvalueError::TooLarge { what: "key", size, max: KEY_BYTES_MAX })
        }
        _ => Ok(escape_key(key)),
    }
}

/// The key as the guest wrote it; a key that somebody else wrote in a form of their own stays as it is.
pub(crate) fn read_back(key: &str) -> String {
    match key {
        EMPTY => String::new(),
        key => unescape(key).unwrap_or_else(|| key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_key_still_fits_a_subject() {
        assert!(escape(&"\u{0}".repeat(KEY_BYTES_MAX)).unwrap().len() < 3500);
        assert!(escape(&"a".repeat(KEY_BYTES_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn keys_come_back_as_they_were(key in any::<String>()) {
            if let Ok(escaped) = escape(&key) {
                prop_assert!(!escaped.is_empty());
                let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=');
                prop_assert!(escaped.bytes().all(legal));
                prop_assert_eq!(read_back(&escaped), key);
            }
        }
    }
}
