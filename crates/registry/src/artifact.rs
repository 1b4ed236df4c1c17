//! What a fetch gives.

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use lattice_core::ImageRef;
use sha2::{Digest, Sha256};

/// What a file is good for, told by its layer's media type or, where that leaves it open, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// WebAssembly, a component or a module.
    Actor,
    /// A provider archive.
    Provider,
}

impl Kind {
    /// By content: `\0asm`, gzip, or tar. Nothing for anything else.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Kind> {
        let tar = bytes.get(257..262) == Some(b"ustar");
        if bytes.starts_with(b"\0asm") {
            Some(Kind::Actor)
        } else if bytes.starts_with(&[0x1f, 0x8b]) || tar {
            Some(Kind::Provider)
        } else {
            None
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Actor => "actor",
            Kind::Provider => "provider",
        })
    }
}

/// Where the bytes came from this time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Downloaded.
    Registry,
    /// The cache; the registry confirmed the tag, or the reference has a digest and needs no confirming.
    Cache,
    /// The cache, while the registry did not answer: the tag may mean something newer by now.
    CacheUnconfirmed {
        /// Why the registry did not answer.
        reason: String,
    },
    /// A file.
    File(PathBuf),
}

/// An actor or provider archive whose digest was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Artifact {
    /// The file.
    pub bytes: Bytes,
    /// `sha256:` and the hash of `bytes`.
    pub digest: String,
    /// The digest of the registry's manifest; what a lockfile keeps. None for files.
    pub manifest_digest: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The reference as it was resolved: with the manifest's digest, or with the absolute path.
    pub resolved: ImageRef,
    /// Where the bytes came from.
    pub source: Source,
}

impl Artifact {
    /// Whether no bytes of it were downloaded this time.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        matches!(self.source, Source::Cache | Source::CacheUnconfirmed { .. })
    }
}

/// `sha256:` and the hash, as OCI writes digests.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// Whether this is `sha256:` and 64 lower-case hex digits: the only digests used here, also as file names.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_content() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, kind) in [
            (&b"\0asm\x0d\0\x01\0"[..], Some(Kind::Actor)),
            (&[0x1f, 0x8b, 8][..], Some(Kind::Provider)),
            (&tar[..], Some(Kind::Provider)),
            (b"(module)", None),
            (b"", None),
        ] {
            assert_eq!(Kind::sniff(bytes), kind);
        }
    }

    #[test]
    fn digests_are_told_from_paths() {
        assert!(is_digest(&digest_of(b"")));
        for text in ["sha256:", "sha256:../../../etc/passwd", "sha512:00", ""] {
            assert!(!is_digest(text), "{text}");
        }
        assert!(!is_digest(&digest_of(b"").to_uppercase()));
    }
}
