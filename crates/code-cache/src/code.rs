//! What the engine has to do with an entry: its digest in the identity, and the one place where verified bytes become code.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module, component::Component};

use crate::entry::{DIGEST_BYTES, Identity, Reject, Verified};

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
    /// The code of that kind which `engine` compiles from the wasm with this SHA-256.
    pub(crate) fn new(engine: &Engine, engine_name: &str, kind: Kind, wasm: &[u8; DIGEST_BYTES]) -> Identity {
        let mut hasher = Sha256Hasher(Sha256::new());
        // Two engines of one host may compile alike and still not be meant to share code; a module is no component.
        engine_name.hash(&mut hasher);
        kind.name().hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Identity { engine: hasher.0.finalize().into(), wasm: *wasm }
    }
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
    // A `Verified` exists only if `entry::open` found a valid HMAC-SHA256 under our key over all of it, header included; the key is
    // readable by this user only, and `seal` is called with nothing but the result of `serialize` (`cache::store`). The kind is
    // part of the engine digest that `open` compared. The bytes are in our memory, so no file can change them after the check.
    // That the code fits this engine and processor `deserialize` itself checks.
    let code = unsafe {
        match kind {
            Kind::Component => Component::deserialize(engine, verified.code()).map(Code::Component),
            Kind::Module => Module::deserialize(engine, verified.code()).map(Code::Module),
        }
    };
    code.map_err(|error| Reject::Engine { reason: format!("{error:#}") })
}
