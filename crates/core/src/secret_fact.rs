//! A secret as the lattice keeps it: the fact under `secret.{name}`, which holds no plaintext.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CurveKey, HostId, SECRET_BYTES_MAX, UserKey};

/// The most hosts to which one secret is sealed.
pub const SECRET_READERS_MAX: usize = 2048;

/// The longest box around a value, as Base64: version, nonce, tag, names and what Base64 adds.
const VALUE_CHARS_MAX: usize = (SECRET_BYTES_MAX + 512) * 4 / 3;
/// The longest box around a seed, as Base64.
const SEED_CHARS_MAX: usize = 256;

/// A value that some hosts can open. Each value has a key pair of its own, made for it alone: the value is sealed to that
/// key once, and the key's seed to each host. So a further host costs a line, and whoever adds one never touches the value.
///
/// Every box is one of two curve keys (`xkv1`, Base64), with the value's own key as sender: a box that was not made by
/// somebody who had the seed does not open.
///
/// `key` and `value` are required; missing `readers` read as none; unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// The public half of the value's own key.
    pub key: CurveKey,
    /// The value, sealed to that key.
    pub value: String,
    /// By host: the seed of that key, sealed to the host.
    #[serde(default)]
    pub readers: BTreeMap<HostId, SealedFor>,
}

/// The seed of a value's key, sealed to one host. Both fields are required; unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFor {
    /// The host's key to which it was sealed; a host that has another one by now cannot open it.
    pub xkey: CurveKey,
    /// The box.
    pub seed: String,
}

/// What is wrong with a sealed secret, from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// Nobody could open it.
    #[error("it is sealed to no host")]
    Nobody,
    /// More than [`SECRET_READERS_MAX`].
    #[error("it is sealed to {count} hosts; the most is {SECRET_READERS_MAX}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A box is longer than any of ours.
    #[error("a box is too long; a secret has at most {SECRET_BYTES_MAX} bytes")]
    TooLong,
}

impl SealedSecret {
    /// Checks what can be seen from outside: bounds, and that there is a reader.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn check(&self) -> Result<(), SealedError> {
        match self.readers.len() {
            0 => return Err(SealedError::Nobody),
            count if count > SECRET_READERS_MAX => return Err(SealedError::TooMany { count }),
            _ => {}
        }
        let long = self.value.len() > VALUE_CHARS_MAX
            || self.readers.values().any(|reader| reader.seed.len() > SEED_CHARS_MAX);
        if long { Err(SealedError::TooLong) } else { Ok(()) }
    }

    /// Whether it is sealed to the key that a host has now.
    #[must_use]
    pub fn is_for(&self, host: &HostId, xkey: &CurveKey) -> bool {
        self.readers.get(host).is_some_and(|reader| reader.xkey == *xkey)
    }
}

/// A secret, sealed, with what everybody may know of it. A missing `revision` reads as 0, missing texts as empty; unknown
/// fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFact {
    /// Counts the values that the name has had. Sealing to a further host leaves it as it is.
    #[serde(default)]
    pub revision: u64,
    /// `text` or `bytes`, as whoever put it says: what is sealed says it again, and that counts.
    #[serde(default)]
    pub kind: String,
    /// When the value was put, RFC 3339.
    #[serde(default)]
    pub at: String,
    /// Who put it; none where the command was not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// The value.
    #[serde(flatten)]
    pub sealed: SealedSecret,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact() -> SecretFact {
        let key = |letter: char, of: &str| format!("{letter}{}", of.repeat(55));
        let reader = SealedFor { xkey: CurveKey::new(key('X', "D")).unwrap(), seed: "c2VlZA==".into() };
        SecretFact {
            revision: 2,
            kind: "text".into(),
            at: "2026-01-01T00:00:00Z".into(),
            by: None,
            sealed: SealedSecret {
                key: CurveKey::new(key('X', "B")).unwrap(),
                value: "dmFsdWU=".into(),
                readers: [(HostId::new(key('N', "C")).unwrap(), reader)].into(),
            },
        }
    }

    #[test]
    fn a_fact_as_it_is_written_and_of_another_version() {
        insta::assert_json_snapshot!(fact(), @r#"
        {
          "revision": 2,
          "kind": "text",
          "at": "2026-01-01T00:00:00Z",
          "key": "XBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
          "value": "dmFsdWU=",
          "readers": {
            "NCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC": {
              "xkey": "XDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD",
              "seed": "c2VlZA=="
            }
          }
        }
        "#);
        let text = format!(r#"{{"key":"X{}","value":"","more":1}}"#, "B".repeat(55));
        let read: SecretFact = serde_json::from_str(&text).unwrap();
        assert_eq!((read.revision, read.kind.as_str(), read.sealed.readers.len()), (0, "", 0));
        assert!(serde_json::from_str::<SecretFact>("{}").is_err(), "without a key there is no secret");
    }

    #[test]
    fn bounds_are_seen_from_outside() {
        let good = fact().sealed;
        assert_eq!(good.check(), Ok(()));
        let (host, reader) = good.readers.iter().next().unwrap();
        assert!(good.is_for(host, &reader.xkey) && !good.is_for(host, &good.key));
        assert_eq!(
            SealedSecret { readers: BTreeMap::new(), ..good.clone() }.check(),
            Err(SealedError::Nobody)
        );
        let value = "A".repeat(VALUE_CHARS_MAX + 1);
        assert_eq!(SealedSecret { value, ..good.clone() }.check(), Err(SealedError::TooLong));
        let long = SealedFor { seed: "A".repeat(SEED_CHARS_MAX + 1), ..reader.clone() };
        let readers = [(host.clone(), long)].into();
        assert_eq!(SealedSecret { readers, ..good }.check(), Err(SealedError::TooLong));
    }
}
