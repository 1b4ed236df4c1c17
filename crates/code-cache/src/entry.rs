//! One cache entry: its bytes, how they are verified, and the one place where verified bytes become code.

use std::hash::{Hash, Hasher};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module, component::Component};

use crate::key::Key;

/// The largest code that is stored or read.
pub const ENTRY_BYTES_MAX: u64 = 512 * 1024 * 1024;

const MAGIC: &[u8; 16] = b"lattice code v1\n";
const DIGEST_BYTES: usize = 32;
const LENGTH_AT: usize = MAGIC.len() + 2 * DIGEST_BYTES;
pub(crate) const HEADER_BYTES: usize = LENGTH_AT + 8;
pub(crate) const MAC_BYTES: usize = 32;

/// What the code of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Component,
    Module,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Component => "component",
            Kind::Module => "module",
        }
    }
}

/// Which code is meant: compiled from which wasm, by and for which engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) engine: [u8; DIGEST_BYTES],
    pub(crate) wasm: [u8; DIGEST_BYTES],
}

/// Feeds what wasmtime hashes about an engine into SHA-256, whose result is the same in every process.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"))
    }
}

impl Identity {
    pub(crate) fn new(engine: &Engine, engine_name: &str, kind: Kind, wasm: &[u8; DIGEST_BYTES]) -> Identity {
        let mut hasher = Sha256Hasher(Sha256::new());
        // Two engines of one host may compile alike and still not be meant to share code; a module is no component.
        engine_name.hash(&mut hasher);
        kind.name().hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Identity { engine: hasher.0.finalize().into(), wasm: *wasm }
    }

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

/// Code that is ready to be instantiated.
pub(crate) enum Code {
    Component(Component),
    Module(Module),
}

#[expect(
    unsafe_code,
    reason = "compiled code can only be taken back on trust; the trust is established by `open`"
)]
pub(crate) fn revive(engine: &Engine, kind: Kind, verified: &Verified<'_>) -> Result<Code, Reject> {
    // SAFETY: `deserialize` asks that the bytes come from `serialize` of the same kind of code and were not modified since.
    // A `Verified` exists only if `open` found a valid HMAC-SHA256 under our key over all of it, header included; the key is
    // readable by this user only, and `seal` is called with nothing but the result of `serialize` (`cache::store`). The kind is
    // part of the engine digest that `open` compared. The bytes are in our memory, so no file can change them after the check.
    // That the code fits this engine and processor `deserialize` itself checks.
    let code = unsafe {
        match kind {
            Kind::Component => Component::deserialize(engine, verified.code).map(Code::Component),
            Kind::Module => Module::deserialize(engine, verified.code).map(Code::Module),
        }
    };
    code.map_err(|error| Reject::Engine { reason: format!("{error:#}") })
}
