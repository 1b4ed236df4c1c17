//! The cache as the host uses it: opened without ever failing the host, asked for code, given code.

use std::{io, path::PathBuf, sync::Arc};

use wasmtime::{Engine, Module, component::Component};

use crate::{
    code::{Code, Kind, revive},
    entry::{ENTRY_BYTES_MAX, Identity, Reject, open, seal},
    folder::{Folder, Unusable, make_private},
    key::Key,
};

/// Where the cache lies and how large it may be.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// The folder of the entries; made (mode 0700) if missing. Must belong to the user who runs this, and to nobody else.
    pub dir: PathBuf,
    /// The key's file, outside `dir`; made (mode 0600) if missing.
    pub key_file: PathBuf,
    /// How many bytes of entries are kept; beyond that the longest unused go first.
    pub max_bytes: u64,
}

/// Whether there is a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Code is kept in this folder.
    Ready {
        /// The folder.
        dir: PathBuf,
    },
    /// Nothing is kept, and why.
    Unused(Unusable),
}

/// What became of code that was given to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stored {
    /// It is kept.
    Written {
        /// The size of its entry.
        bytes: u64,
    },
    /// There is no cache; see [`CodeCache::status`].
    Unused,
    /// It alone is larger than the cache may be.
    TooLarge {
        /// The size that its entry would have.
        bytes: u64,
    },
}

/// Why code could not be kept. The code itself is fine: go on with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The engine could not write its code.
    #[error("compiled code cannot be written by the engine: {reason}")]
    Serialize {
        /// Its words.
        reason: String,
    },
    /// The file system refused, for example since it is full.
    #[error("compiled code cannot be kept in the cache")]
    Io(#[from] io::Error),
}

struct Ready {
    folder: Folder,
    key: Key,
    config: CacheConfig,
}

/// A cache of compiled code. Cheap to clone; many threads and processes may use one folder at once.
#[derive(Clone)]
pub struct CodeCache {
    inner: Result<Arc<Ready>, Unusable>,
}

impl CodeCache {
    /// Opens the cache. What cannot be used is not used, and [`CodeCache::status`] says why.
    pub fn open(config: CacheConfig) -> CodeCache {
        CodeCache { inner: Ready::open(config).map(Arc::new) }
    }

    /// Whether there is a cache, and if not, why.
    pub fn status(&self) -> Status {
        match &self.inner {
            Ok(ready) => Status::Ready { dir: ready.config.dir.clone() },
            Err(reason) => Status::Unused(reason.clone()),
        }
    }

    /// The component compiled from the wasm with this SHA-256 for this engine, if it is kept. `engine_name` keeps engines
    /// apart that compile alike but are not meant to share code.
    pub fn load(&self, engine: &Engine, engine_name: &str, wasm_sha256: &[u8; 32]) -> Option<Component> {
        match self.get(engine, engine_name, Kind::Component, wasm_sha256)? {
            Code::Component(component) => Some(component),
            Code::Module(_) => None,
        }
    }

    /// As [`CodeCache::load`], for a core module.
    pub fn load_module(&self, engine: &Engine, engine_name: &str, wasm_sha256: &[u8; 32]) -> Option<Module> {
        match self.get(engine, engine_name, Kind::Module, wasm_sha256)? {
            Code::Module(module) => Some(module),
            Code::Component(_) => None,
        }
    }

    /// Keeps a component. It must be the one compiled from the wasm with this SHA-256: the caller is believed.
    ///
    /// # Errors
    /// The engine or the file system refused; the component is usable all the same.
    pub fn store(
        &self,
        engine: &Engine,
        engine_name: &str,
        wasm_sha256: &[u8; 32],
        component: &Component,
    ) -> Result<Stored, StoreError> {
        self.put(engine, engine_name, Kind::Component, wasm_sha256, || component.serialize())
    }

    /// As [`CodeCache::store`], for a core module.
    ///
    /// # Errors
    /// As there.
    pub fn store_module(
        &self,
        engine: &Engine,
        engine_name: &str,
        wasm_sha256: &[u8; 32],
        module: &Module,
    ) -> Result<Stored, StoreError> {
        self.put(engine, engine_name, Kind::Module, wasm_sha256, || module.serialize())
    }

    fn get(&self, engine: &Engine, engine_name: &str, kind: Kind, wasm: &[u8; 32]) -> Option<Code> {
        let ready = self.inner.as_ref().ok()?;
        let identity = Identity::new(engine, engine_name, kind, wasm);
        match ready.get(engine, kind, &identity) {
            Ok(code) => code,
            Err(reject) => {
                tracing::warn!(entry = identity.file_name(), %reject, "cached code not used; compiling anew");
                None
            }
        }
    }

    fn put(
        &self,
        engine: &Engine,
        engine_name: &str,
        kind: Kind,
        wasm: &[u8; 32],
        serialize: impl FnOnce() -> wasmtime::Result<Vec<u8>>,
    ) -> Result<Stored, StoreError> {
        let Ok(ready) = &self.inner else { return Ok(Stored::Unused) };
        let code = serialize().map_err(|error| StoreError::Serialize { reason: format!("{error:#}") })?;
        let identity = Identity::new(engine, engine_name, kind, wasm);
        let entry = seal(&ready.key, &identity, &code);
        let bytes = entry.len() as u64;
        if bytes > ready.config.max_bytes || code.len() as u64 > ENTRY_BYTES_MAX {
            return Ok(Stored::TooLarge { bytes });
        }
        ready.folder.write(&identity.file_name(), &entry)?;
        ready.folder.evict(ready.config.max_bytes)?;
        Ok(Stored::Written { bytes })
    }
}

impl Ready {
    fn open(config: CacheConfig) -> Result<Ready, Unusable> {
        let folder = Folder::open(&config.dir)?;
        config.check_key_outside()?;
        let key = Key::open(&config.key_file)?;
        Ok(Ready { folder, key, config })
    }

    fn get(&self, engine: &Engine, kind: Kind, identity: &Identity) -> Result<Option<Code>, Reject> {
        let Some(bytes) = self.folder.read(&identity.file_name())? else { return Ok(None) };
        let verified = open(&self.key, identity, &bytes)?;
        revive(engine, kind, &verified).map(Some)
    }
}

impl CacheConfig {
    /// Whoever may write entries must not thereby learn the key: it may not lie in the folder, by whatever path.
    fn check_key_outside(&self) -> Result<(), Unusable> {
        let io = |error: io::Error| Unusable::io("key file", &self.key_file, &error);
        let parent = match self.key_file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        make_private(&parent).map_err(io)?;
        let inside = parent.canonicalize().map_err(io)?.starts_with(self.dir.canonicalize().map_err(io)?);
        if inside { Err(Unusable::KeyInside { path: self.key_file.clone() }) } else { Ok(()) }
    }
}

impl std::fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CodeCache").field(&self.status()).finish()
    }
}
