//! One cache entry: its bytes, and how they are verified. Nothing here knows the engine.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::key::Key;

/// The largest code that is stored or read.
pub const ENTRY_BYTES_MAX: u64 = 512 * 1024 * 1024;

const MAGIC: &[u8; 16] = b"lattice code v1\n";
pub(crate) const DIGEST_BYTES: usize = 32;
const LENGTH_AT: usize = MAGIC.len() + 2 * DIGEST_BYTES;
pub(crate) const HEADER_BYTES: usize = LENGTH_AT + 8;
pub(crate) const MAC_BYTES: usize = 32;

/// Which code is meant: compiled from which wasm, by and for which engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) engine: [u8; DIGEST_BYTES],
    pub(crate) wasm: [u8; DIGEST_BYTES],
}

impl Identity {
    /// The entry's file name. It identifies, but proves nothing: the header inside is authenticated.
    pub(crate) fn file_name(&self) -> String {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        format!("{}-{}.code", hex(&self.wasm), hex(&self.engine[..16]))
    }
}

/// Why the bytes of an entry were not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// It is a link, a folder or another thing that is no plain file of ours.
    #[error("the cache entry is not a plain file of this user")]
    NotOurFile,
    /// Its length is not what its header says, or beyond every limit.
    #[error("the cache entry is cut short or too long")]
    Length,
    /// It is no entry of this version.
    #[error("the file is not a cache entry")]
    Magic,
    /// It was not written with our key, or was changed since.
    #[error("the cache entry was not written by this host, or was changed since")]
    Forged,
    /// It is genuine and holds code for another engine.
    #[error("the cache entry is for another engine")]
    OtherEngine,
    /// It is genuine and holds code of another wasm.
    #[error("the cache entry is of another wasm")]
    OtherWasm,
    /// The engine does not take the code, for example since the processor is another one.
    #[error("the engine refused the cached code: {reason}")]
    Engine {
        /// Its words.
        reason: String,
    },
    /// The file could not be read.
    #[error("the cache entry could not be read: {reason}")]
    Io {
        /// The system's words.
        reason: String,
    },
}

/// Code that [`open`] found to be written with our key, for one identity. Only `open` makes one.
#[derive(Debug)]
pub(crate) struct Verified<'a> {
    code: &'a [u8],
}

impl<'a> Verified<'a> {
    /// The code.
    pub(crate) fn code(&self) -> &'a [u8] {
        self.code
    }
}

fn mac(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.bytes()).expect("HMAC takes keys of any length")
}

/// The bytes of an entry.
pub(crate) fn seal(key: &Key, identity: &Identity, code: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + code.len() + MAC_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&identity.engine);
    bytes.extend_from_slice(&identity.wasm);
    bytes.extend_from_slice(&(code.len() as u64).to_le_bytes());
    bytes.extend_from_slice(code);
    let tag = mac(key).chain_update(&bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag);
    bytes
}

/// Verifies the bytes of an entry. Nothing that they say is believed before the HMAC over all of them is.
pub(crate) fn open<'a>(key: &Key, identity: &Identity, bytes: &'a [u8]) -> Result<Verified<'a>, Reject> {
    if bytes.len() < HEADER_BYTES + MAC_BYTES {
        return Err(Reject::Length);
    }
    let (signed, tag) = bytes.split_at(bytes.len() - MAC_BYTES);
    let (header, code) = signed.split_at(HEADER_BYTES);
    if !header.starts_with(MAGIC) {
        return Err(Reject::Magic);
    }
    let length: [u8; 8] = header[LENGTH_AT..].try_into().expect("the header ends with eight bytes of length");
    if u64::from_le_bytes(length) != code.len() as u64 {
        return Err(Reject::Length);
    }
    // Compares in constant time.
    mac(key).chain_update(signed).verify_slice(tag).map_err(|_| Reject::Forged)?;
    if header[MAGIC.len()..MAGIC.len() + DIGEST_BYTES] != identity.engine {
        return Err(Reject::OtherEngine);
    }
    if header[MAGIC.len() + DIGEST_BYTES..LENGTH_AT] != identity.wasm {
        return Err(Reject::OtherWasm);
    }
    Ok(Verified { code })
}
