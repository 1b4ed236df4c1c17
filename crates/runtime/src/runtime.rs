//! The runtime: its engines, what they share, and the two steps to a running actor.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use lattice_code_cache::Status;

use crate::{
    Dispatch,
    actor::Actor,
    budget::{Budget, half_of_memory},
    component::Outside,
    config::{ActorSpec, RuntimeConfig},
    engine::{EngineKind, LinkedEngine, PoolReport},
    error::{PrepareError, RuntimeError, StartError},
    guest::GuestKit,
    pool::House,
    prepare::{Compiler, Prepared, look_at},
    ticker::Ticker,
};

/// Runs actors. One per process: its budget and pool are the host's.
pub struct Runtime {
    config: RuntimeConfig,
    main: Arc<LinkedEngine>,
    wasip3: Mutex<Option<Arc<LinkedEngine>>>,
    compiler: Compiler,
    budget: Arc<Budget>,
    house: Arc<House>,
    ticker: Ticker,
}

/// How a runtime stands: for the log, the inventory and status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeReport {
    /// The pool of the main engine.
    pub pool: PoolReport,
    /// Linear memory that all guests together may hold, in bytes.
    pub host_memory_bytes: u64,
    /// Linear memory that they hold now, in bytes.
    pub host_memory_used: u64,
    /// Whether components of WASI 0.3 are served.
    pub wasip3: bool,
    /// Whether compiled code is kept on disk.
    pub code_cache: bool,
}

impl Runtime {
    /// Makes the main engine, with the best pool this machine has room for, and starts counting time.
    ///
    /// # Errors
    /// [`RuntimeError`]: there is no room for any engine, or for one more thread.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let main = LinkedEngine::new(EngineKind::Main, &config)
            .map_err(|error| RuntimeError::Engine { reason: format!("{error:#}") })?;
        let ticker = Ticker::start().map_err(RuntimeError::Ticker)?;
        ticker.add(main.engine.clone());
        tracing::info!(pool = %main.pool.strategy, why = main.pool.why.as_deref(), "engine ready");
        // Idle instances leave half of the slots to those who work.
        let slots = main.pool.strategy.slots().unwrap_or(config.slots);
        let house = House::new((slots / 2).max(1));
        let bytes = config.host_memory_bytes.unwrap_or_else(half_of_memory);
        let budget = Arc::new(Budget::new(bytes, house.clone()));
        let compiler = Compiler::new(config.cache.clone());
        Ok(Self { config, main: Arc::new(main), wasip3: Mutex::new(None), compiler, budget, house, ticker })
    }

    /// How the runtime stands.
    #[must_use]
    pub fn describe(&self) -> RuntimeReport {
        RuntimeReport {
            pool: self.main.pool.clone(),
            host_memory_bytes: self.budget.bytes(),
            host_memory_used: self.budget.used(),
            wasip3: self.config.wasip3,
            code_cache: self
                .config
                .cache
                .as_ref()
                .is_some_and(|cache| matches!(cache.status(), Status::Ready { .. })),
        }
    }

    /// Looks at `wasm` and compiles it, both off the threads that serve calls, or finds its code in memory or in the cache.
    ///
    /// # Errors
    /// [`PrepareError`] says why the bytes cannot become an actor.
    ///
    /// # Cancellation
    /// Dropping the future leaves a compilation that has begun running to its end; its code is kept in the cache.
    pub async fn prepare(&self, wasm: Bytes) -> Result<Prepared, PrepareError> {
        let (outside, sha256) = look_at(wasm.clone()).await?;
        let engine = match EngineKind::for_outside(&outside) {
            EngineKind::Main => self.main.clone(),
            EngineKind::Wasip3 => self.wasip3(&outside)?,
        };
        self.compiler.compile(engine, wasm, outside, sha256).await
    }

    /// Starts an actor. What its imports need of links is asked of `dispatch` with each call, so links may come later.
    ///
    /// # Errors
    /// [`StartError`] names the imports that nobody serves, or the limit that is too high.
    pub fn start(
        &self,
        prepared: &Prepared,
        spec: ActorSpec,
        dispatch: Arc<dyn Dispatch>,
    ) -> Result<Arc<Actor>, StartError> {
        let asked = spec.limits.memory_bytes;
        if asked > self.config.memory_bytes_max {
            let (actor, max) = (spec.id, self.config.memory_bytes_max);
            return Err(StartError::Limit { actor, what: "memory limit in bytes", asked, max });
        }
        let limits = spec.limits.clone();
        let (budget, house, ticks) = (self.budget.clone(), self.house.clone(), self.ticker.ticks());
        let kit = GuestKit { spec, limits, dispatch, budget, house, ticks };
        Actor::start(prepared, kit).map(Arc::new)
    }

    /// The engine for WASI 0.3, made when first needed.
    fn wasip3(&self, outside: &Outside) -> Result<Arc<LinkedEngine>, PrepareError> {
        if !self.config.wasip3 {
            let interface = outside.wasip3().map(ToString::to_string).unwrap_or_default();
            return Err(PrepareError::Wasip3Off { interface });
        }
        let mut slot = self.wasip3.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*slot {
            return Ok(engine.clone());
        }
        let engine = LinkedEngine::new(EngineKind::Wasip3, &self.config)
            .map_err(|error| PrepareError::Engine { reason: format!("{error:#}") })?;
        self.ticker.add(engine.engine.clone());
        Ok(slot.insert(Arc::new(engine)).clone())
    }
}
