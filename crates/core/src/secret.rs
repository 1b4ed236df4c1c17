//! Secrets in the clear: one type, which shows itself nowhere, and the bytes that are sealed.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{LatticeName, SecretName};

/// The longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// What stands wherever a secret would be shown.
const SHOWN: &str = "<secret>";

/// Whether a secret is text or any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// UTF-8.
    Text,
    /// Anything.
    Bytes,
}

impl SecretKind {
    /// The word in facts and commands.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SecretKind::Text => "text",
            SecretKind::Bytes => "bytes",
        }
    }
}

/// The text names no kind of secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no kind of secret; kinds are text and bytes")]
pub struct ParseSecretKindError {
    /// The text, cut to 64 characters.
    pub text: String,
}

impl std::str::FromStr for SecretKind {
    type Err = ParseSecretKindError;
    fn from_str(text: &str) -> Result<Self, ParseSecretKindError> {
        let found = [SecretKind::Text, SecretKind::Bytes].into_iter().find(|kind| kind.word() == text);
        found.ok_or_else(|| ParseSecretKindError { text: text.chars().take(64).collect() })
    }
}

/// More than [`SECRET_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret of {len} bytes is too long; the most is {SECRET_BYTES_MAX}")]
pub struct SecretTooLong {
    /// How long it is, in bytes.
    pub len: usize,
}

/// A secret in the clear: a text or bytes. Wiped from memory with its last clone.
///
/// `Debug`, `Display` and `Serialize` say `<secret>` and nothing else, not even how long it is; it is never deserialized.
/// What it holds, [`Secret::expose`] tells alone, so that every use can be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: SecretKind,
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

impl Secret {
    /// A secret text. Its memory is taken over, not copied.
    ///
    /// # Errors
    /// [`SecretTooLong`].
    pub fn text(text: String) -> Result<Self, SecretTooLong> {
        Self::new(SecretKind::Text, text.into_bytes())
    }

    /// Secret bytes. Their memory is taken over, not copied.
    ///
    /// # Errors
    /// [`SecretTooLong`].
    pub fn bytes(bytes: Vec<u8>) -> Result<Self, SecretTooLong> {
        Self::new(SecretKind::Bytes, bytes)
    }

    fn new(kind: SecretKind, bytes: Vec<u8>) -> Result<Self, SecretTooLong> {
        let bytes = Zeroizing::new(bytes);
        match bytes.len() {
            len if len > SECRET_BYTES_MAX => Err(SecretTooLong { len }),
            _ => Ok(Self { kind, bytes: Arc::new(bytes) }),
        }
    }

    /// Whether it is text.
    #[must_use]
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// What it holds.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// What it holds, where it is text.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        match self.kind {
            SecretKind::Text => std::str::from_utf8(&self.bytes).ok(),
            SecretKind::Bytes => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

/// What a box around a secret holds: the secret, and of which lattice and name it is, so that a box cannot be put under
/// another name by somebody who cannot open it.
///
/// Bytes: `1`, the kind (`0` text, `1` bytes), the lattice and the name, each behind one byte of length, and the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretContents {
    /// The lattice.
    pub lattice: LatticeName,
    /// The secret's name.
    pub name: SecretName,
    /// The secret.
    pub secret: Secret,
}

/// Bytes are not the contents of a box. They are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed is no secret: {why}")]
pub struct ContentsError {
    /// What is wrong with it.
    pub why: &'static str,
}

const VERSION: u8 = 1;

impl SecretContents {
    /// The bytes to seal.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (lattice, name, value) = (self.lattice.as_str(), self.name.as_str(), self.secret.expose());
        // The whole length at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 + lattice.len() + name.len() + value.len()));
        bytes.extend([VERSION, u8::from(self.secret.kind() == SecretKind::Bytes)]);
        for part in [lattice, name] {
            bytes.push(u8::try_from(part.len()).expect("names have at most 128 bytes"));
            bytes.extend(part.as_bytes());
        }
        bytes.extend(value);
        bytes
    }

    /// Reads what [`SecretContents::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`ContentsError`], also for a version or kind that is not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentsError> {
        let fail = |why| ContentsError { why };
        let [VERSION, kind, rest @ ..] = bytes else { return Err(fail("it is of another version")) };
        let (lattice, rest) = part(rest).ok_or(fail("it is cut short"))?;
        let (name, value) = part(rest).ok_or(fail("it is cut short"))?;
        let lattice = LatticeName::new(lattice).map_err(|_| fail("it names no lattice"))?;
        let name = SecretName::new(name).map_err(|_| fail("it names no secret"))?;
        let secret = match kind {
            0 if std::str::from_utf8(value).is_err() => return Err(fail("its text is not UTF-8")),
            0 => Secret::new(SecretKind::Text, value.to_vec()),
            1 => Secret::new(SecretKind::Bytes, value.to_vec()),
            _ => return Err(fail("it is of another kind")),
        };
        Ok(Self { lattice, name, secret: secret.map_err(|_| fail("it is too long"))? })
    }
}

fn part(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (part, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((std::str::from_utf8(part).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        #[derive(Debug, Serialize)]
        #[allow(dead_code, reason = "shown")]
        struct Around {
            secret: Secret,
            many: Vec<Secret>,
        }
        let marker = "hunter2-marker";
        let secrets =
            || [Secret::text(marker.to_owned()).unwrap(), Secret::bytes(marker.as_bytes().to_vec()).unwrap()];
        for secret in secrets() {
            let around = Around { secret: secret.clone(), many: secrets().to_vec() };
            let contents =
                SecretContents { lattice: LatticeName::default(), name: "a".parse().unwrap(), secret };
            let panic = std::panic::catch_unwind(|| {
                assert_eq!(contents.secret, Secret::text("other".to_owned()).unwrap());
            })
            .unwrap_err();
            let shown = [
                format!("{around:?} {around:#?} {contents:?} {}", contents.secret),
                serde_json::to_string(&around).unwrap(),
                serde_json::to_value(&around).unwrap().to_string(),
                panic.downcast_ref::<String>().unwrap().clone(),
            ];
            let bytes = format!("{:?}", marker.as_bytes());
            for text in &shown {
                assert!(text.contains(SHOWN), "{text}");
                assert!(!text.contains(marker) && !text.contains(&bytes[1..bytes.len() - 1]), "{text}");
            }
        }
        let long = Secret::bytes(vec![7; SECRET_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(long.to_string(), "a secret of 65537 bytes is too long; the most is 65536");
        assert!(Secret::bytes(vec![7; SECRET_BYTES_MAX]).is_ok());
    }

    #[test]
    fn kinds_by_their_words() {
        for kind in [SecretKind::Text, SecretKind::Bytes] {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        let error = "x\n".repeat(100).parse::<SecretKind>().unwrap_err();
        assert!(error.text.len() == 64 && !error.to_string().contains('\n'), "{error}");
        assert!("".parse::<SecretKind>().is_err());
    }

    #[test]
    fn what_is_no_contents_is_refused() {
        let secret = Secret::text("v".to_owned()).unwrap();
        let good = SecretContents { lattice: LatticeName::default(), name: "a".parse().unwrap(), secret };
        let bytes = good.to_bytes();
        assert_eq!(*bytes, b"\x01\x00\x07default\x01av");
        for (bad, says) in [
            (&b""[..], "another version"),
            (b"\x02\x00\x07default\x01av", "another version"),
            (b"\x01\x02\x07default\x01av", "another kind"),
            (b"\x01\x00\x07def", "cut short"),
            (b"\x01\x00\x07default", "cut short"),
            (b"\x01\x00\x07de.ault\x01av", "no lattice"),
            (b"\x01\x00\x07default\x01.v", "no secret"),
            (b"\x01\x00\x07default\x01a\xff", "not UTF-8"),
        ] {
            let error = SecretContents::from_bytes(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn contents_read_back(
            name in "[A-Za-z0-9_-]{1,128}", text in ".{0,64}", bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            for secret in [Secret::text(text).unwrap(), Secret::bytes(bytes).unwrap()] {
                let contents = SecretContents {
                    lattice: LatticeName::default(), name: name.parse().unwrap(), secret,
                };
                prop_assert_eq!(SecretContents::from_bytes(&contents.to_bytes()), Ok(contents));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(contents) = SecretContents::from_bytes(&bytes) {
                prop_assert_eq!(&*contents.to_bytes(), &bytes);
            }
        }
    }
}
