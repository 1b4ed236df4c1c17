//! A snapshot as bytes: one line that says what follows, then JSON.
//!
//! ```text
//! lattice-snapshot facts 1 312 3f0c…
//! {"lattice":"default",…}
//! ```
//!
//! The line holds kind, version, length of the rest in bytes, and a checksum (SHA-256, hex) over kind, version and rest.
//! What was cut off, grew, or has one wrong bit does not read. A later version is recognised before anything else is read
//! of it.

use data_encoding::HEXLOWER;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// First word of every snapshot.
const MAGIC: &str = "lattice-snapshot";

/// What a snapshot holds, and by which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotKind {
    /// One word.
    pub name: &'static str,
    /// Counts changes that an older program could not read. Unknown fields are ignored and missing ones have defaults, so
    /// a field more or less is no new version.
    pub version: u32,
}

/// Why bytes do not read as a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableSnapshot {
    /// A later version of this program wrote it.
    #[error("it has version {found}, and this program reads up to {known}: a later version wrote it")]
    Newer {
        /// Its version.
        found: u32,
        /// The latest one known here.
        known: u32,
    },
    /// It is damaged, or something else.
    #[error("it is damaged: {why}")]
    Corrupt {
        /// What is wrong.
        why: String,
    },
}

/// Writes `content` as a snapshot.
///
/// # Errors
/// serde's, if `content` cannot be JSON.
pub(super) fn encode<T: Serialize>(kind: SnapshotKind, content: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = serde_json::to_vec(content)?;
    body.push(b'\n');
    let SnapshotKind { name, version } = kind;
    let sum = checksum(name, version, &body);
    let mut bytes = format!("{MAGIC} {name} {version} {} {sum}\n", body.len()).into_bytes();
    bytes.append(&mut body);
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode<T: DeserializeOwned>(kind: SnapshotKind, bytes: &[u8]) -> Result<T, UnreadableSnapshot> {
    let corrupt = |why: String| UnreadableSnapshot::Corrupt { why };
    let end = bytes.iter().take(512).position(|byte| *byte == b'\n');
    let (head, rest) = bytes.split_at(end.ok_or_else(|| corrupt("it has no first line".into()))?);
    let body = rest.get(1..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| corrupt("its first line is no text".into()))?;
    let words: Vec<&str> = head.split(' ').collect();
    let [MAGIC, name, version, rest @ ..] = words.as_slice() else {
        return Err(corrupt("its first line is not that of a snapshot".into()));
    };
    if *name != kind.name {
        return Err(corrupt(format!("it holds {name:?} and not {:?}", kind.name)));
    }
    let version: u32 = version.parse().map_err(|_| corrupt(format!("{version:?} is no version")))?;
    if version > kind.version {
        return Err(UnreadableSnapshot::Newer { found: version, known: kind.version });
    }
    let [length, sum] = rest else { return Err(corrupt("its first line is incomplete".into())) };
    if *length != body.len().to_string() {
        return Err(corrupt(format!("{} bytes follow the first line, which promises {length}", body.len())));
    }
    if *sum != checksum(name, version, body) {
        return Err(corrupt("its checksum is another".into()));
    }
    serde_json::from_slice(body).map_err(|error| corrupt(error.to_string()))
}

fn checksum(name: &str, version: u32, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{name} {version}\n"));
    hash.update(body);
    HEXLOWER.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const KIND: SnapshotKind = SnapshotKind { name: "test", version: 2 };

    #[test]
    fn a_snapshot_as_it_is_written() {
        let bytes = encode(KIND, &json!({"a": 1})).unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes.clone()).unwrap(), @r#"
        lattice-snapshot test 2 8 bb43013456d28c01e9197c13bf5734c9e7ef47d021556160d6b372c331d3b29a
        {"a":1}
        "#);
        assert_eq!(decode::<Value>(KIND, &bytes), Ok(json!({"a": 1})));
    }

    #[test]
    fn versions() {
        let older = encode(SnapshotKind { version: 1, ..KIND }, &json!(1)).unwrap();
        assert_eq!(decode::<Value>(KIND, &older), Ok(json!(1)), "what is older reads");
        let newer = encode(SnapshotKind { version: 3, ..KIND }, &json!(1)).unwrap();
        assert_eq!(decode::<Value>(KIND, &newer), Err(UnreadableSnapshot::Newer { found: 3, known: 2 }));
        // Whatever it may look like beyond its version.
        let newer = b"lattice-snapshot test 9 who knows\nwhat";
        assert_eq!(decode::<Value>(KIND, newer), Err(UnreadableSnapshot::Newer { found: 9, known: 2 }));
        let other = encode(SnapshotKind { name: "other", version: 2 }, &json!(1)).unwrap();
        assert!(decode::<Value>(KIND, &other).unwrap_err().to_string().contains("other"));
    }

    proptest! {
        #[test]
        fn what_was_cut_off_or_grew_does_not_read(text in ".{0,64}", cut in any::<prop::sample::Index>(), more in ".{1,8}") {
            let bytes = encode(KIND, &text).unwrap();
            prop_assert_eq!(decode::<String>(KIND, &bytes), Ok(text));
            prop_assert!(decode::<String>(KIND, &bytes[..cut.index(bytes.len())]).is_err());
            prop_assert!(decode::<String>(KIND, &[&bytes, more.as_bytes()].concat()).is_err());
        }

        #[test]
        fn one_wrong_bit_does_not_read(text in ".{0,64}", at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = encode(KIND, &text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode::<String>(KIND, &bytes).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<Value>(KIND, &bytes).is_err());
        }
    }
}
