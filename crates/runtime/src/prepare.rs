//! From bytes to compiled code: looked at, taken from the cache or compiled, once for the same bytes.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use bytes::Bytes;
use lattice_code_cache::CodeCache;
use lattice_core::Contract;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::component::Component;

use crate::{
    component::Outside,
    engine::{EngineKind, LinkedEngine},
    error::PrepareError,
    imports::linked::Foreign,
};

/// How many components are compiled at once; each compilation uses all processors by itself.
const COMPILATIONS_MAX: usize = 2;

/// An actor's code, compiled and ready to be started. Cheap to clone; the code lives as long as one of them.
#[derive(Clone)]
pub struct Prepared {
    /// Always filled; shared by everyone who prepared the same bytes.
    cell: Arc<Cell>,
}

impl Prepared {
    /// What it imports and exports.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.compiled().outside
    }

    /// The contracts and interfaces for which the actor needs a link as its source, each once: those the lattice knows, and
    /// those that other actors serve.
    #[must_use]
    pub fn needs_links(&self) -> Vec<(Contract, String)> {
        let linkable = self.foreign().linkable.iter();
        let foreign = linkable.map(|import| (import.contract.clone(), import.interface.interface.clone()));
        self.outside().needs_links().into_iter().chain(foreign).collect()
    }

    /// SHA-256 of the wasm bytes.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.compiled().sha256
    }

    /// Size of the wasm, in bytes.
    #[must_use]
    pub fn wasm_bytes(&self) -> u64 {
        self.compiled().wasm_bytes
    }

    /// True where the code came from the cache on disk.
    #[must_use]
    pub fn was_cached(&self) -> bool {
        self.compiled().was_cached
    }

    /// True if `self` and `other` share one compilation.
    #[must_use]
    pub fn shares_code_with(&self, other: &Prepared) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    pub(crate) fn component(&self) -> &Component {
        &self.compiled().component
    }

    pub(crate) fn foreign(&self) -> &Foreign {
        &self.compiled().foreign
    }

    pub(crate) fn engine(&self) -> &Arc<LinkedEngine> {
        &self.compiled().engine
    }

    fn compiled(&self) -> &Compiled {
        self.cell.get().expect("a Prepared is made only of a filled cell")
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("outside", self.outside()).finish_non_exhaustive()
    }
}

struct Compiled {
    engine: Arc<LinkedEngine>,
    component: Component,
    outside: Outside,
    foreign: Foreign,
    sha256: [u8; 32],
    wasm_bytes: u64,
    was_cached: bool,
}

type Cell = OnceCell<Compiled>;

/// Compiles, each set of bytes once.
pub(crate) struct Compiler {
    cache: Option<CodeCache>,
    cells: Mutex<HashMap<[u8; 32], Weak<Cell>>>,
    slots: Arc<Semaphore>,
}

impl Compiler {
    pub(crate) fn new(cache: Option<CodeCache>) -> Self {
        Self { cache, cells: Mutex::default(), slots: Arc::new(Semaphore::new(COMPILATIONS_MAX)) }
    }

    /// Compiles `wasm` for `engine`, or finds it compiled. `outside` and `sha256` are of the same bytes.
    pub(crate) async fn compile(
        &self,
        engine: Arc<LinkedEngine>,
        wasm: Bytes,
        outside: Outside,
        sha256: [u8; 32],
    ) -> Result<Prepared, PrepareError> {
        let cell = self.cell(sha256);
        // Who finds the same bytes being compiled waits for that one compilation.
        cell.get_or_try_init(|| self.run(engine, wasm, outside, sha256)).await?;
        Ok(Prepared { cell })
    }

    fn cell(&self, sha256: [u8; 32]) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.retain(|_, cell| cell.strong_count() > 0);
        if let Some(cell) = cells.get(&sha256).and_then(Weak::upgrade) {
            return cell;
        }
        let cell = Arc::new(Cell::new());
        cells.insert(sha256, Arc::downgrade(&cell));
        cell
    }

    async fn run(
        &self,
        engine: Arc<LinkedEngine>,
        wasm: Bytes,
        outside: Outside,
        sha256: [u8; 32],
    ) -> Result<Compiled, PrepareError> {
        let failed = |reason: String| PrepareError::Compile { reason };
        let slot = self.slots.clone().acquire_owned().await.map_err(|closed| failed(closed.to_string()))?;
        let cache = self.cache.clone();
        let compilation = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let name = engine.kind.name();
            let cached = cache.as_ref().and_then(|cache| cache.load(&engine.engine, name, &sha256));
            let was_cached = cached.is_some();
            let component = match cached {
                Some(component) => component,
                None => compile(&engine, &wasm, &sha256, cache.as_ref())?,
            };
            // The copy-on-write image is made now rather than in the first call.
            component
                .initialize_copy_on_write_image()
                .map_err(|error| PrepareError::Compile { reason: format!("{error:#}") })?;
            let wasm_bytes = wasm.len() as u64;
            let foreign = Foreign::new(engine.kind, &outside, &component);
            Ok(Compiled { engine, component, outside, foreign, sha256, wasm_bytes, was_cached })
        });
        // A panic of the compiler is contained here: the host goes on without this actor.
        compilation.await.map_err(|error| failed(format!("the compiler failed: {error}")))?
    }
}

/// The outside and the SHA-256 of `wasm`. Megabytes take a while to go through, so not on a thread that serves calls.
pub(crate) async fn look_at(wasm: Bytes) -> Result<(Outside, [u8; 32]), PrepareError> {
    let looking = tokio::task::spawn_blocking(move || {
        let outside = Outside::read(&wasm)?;
        Ok((outside, Sha256::digest(&wasm).into()))
    });
    looking.await.map_err(|error| PrepareError::Compile { reason: format!("its reader failed: {error}") })?
}

fn compile(
    engine: &LinkedEngine,
    wasm: &[u8],
    sha256: &[u8; 32],
    cache: Option<&CodeCache>,
) -> Result<Component, PrepareError> {
    let began = Instant::now();
    let component = Component::from_binary(&engine.engine, wasm)
        .map_err(|error| PrepareError::Invalid { reason: format!("{error:#}") })?;
    tracing::debug!(engine = engine.kind.name(), bytes = wasm.len(), took = ?began.elapsed(), "component compiled");
    if let Some(cache) = cache
        && let Err(error) = cache.store(&engine.engine, engine.kind.name(), sha256, &component)
    {
        tracing::warn!(%error, "compiled code is not kept; the next start compiles it again");
    }
    Ok(component)
}

impl EngineKind {
    /// The engine that runs what has this outside.
    pub(crate) fn for_outside(outside: &Outside) -> Self {
        if outside.wasip3().is_some() { EngineKind::Wasip3 } else { EngineKind::Main }
    }
}
