//! The engines and how they are set. The main one runs WASI 0.2; the one for WASI 0.3 is made when first needed.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, component::Linker,
};

use crate::{
    config::RuntimeConfig,
    guest::Guest,
    imports,
    sizing::{self, GUARD_BYTES, Machine, PoolStrategy, SMALL_GUARD_BYTES},
};

/// How the pool was chosen: for the log, the inventory and `describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolReport {
    /// What was chosen.
    pub strategy: PoolStrategy,
    /// Why nothing better was, if so.
    pub why: Option<String>,
}

/// Which of the engines; also the name under which the code cache keeps its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    /// WASI 0.2.
    Main,
    /// WASI 0.3, and with it the component model's own concurrency.
    Wasip3,
}

impl EngineKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            EngineKind::Main => "main",
            EngineKind::Wasip3 => "wasip3",
        }
    }
}

/// An engine with everything guests may import linked to it.
pub(crate) struct LinkedEngine {
    pub(crate) kind: EngineKind,
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) pool: PoolReport,
}

impl LinkedEngine {
    /// Makes the engine with the best pool that this machine takes.
    pub(crate) fn new(kind: EngineKind, config: &RuntimeConfig) -> wasmtime::Result<Self> {
        let (engine, pool) = make(kind, config, &Machine::look())?;
        let linker = imports::linker(kind, &engine)?;
        Ok(Self { kind, engine, linker, pool })
    }
}

fn make(
    kind: EngineKind,
    config: &RuntimeConfig,
    machine: &Machine,
) -> wasmtime::Result<(Engine, PoolReport)> {
    let mut refused: Option<String> = None;
    let mut last = None;
    for (strategy, why) in sizing::candidates(config, machine) {
        match Engine::new(&settings(kind, config, strategy)) {
            Ok(engine) => return Ok((engine, PoolReport { strategy, why: refused.or(why) })),
            // What the machine says is known only by asking: 39-bit kernels and some containers limit address space
            // without saying how much.
            Err(error) => {
                refused = refused.or(Some(format!("{strategy}: {error:#}")));
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| wasmtime::Error::msg("no allocation strategy to try")))
}

fn settings(kind: EngineKind, config: &RuntimeConfig, strategy: PoolStrategy) -> Config {
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .max_wasm_stack(config.stack_bytes)
        .async_stack_size(config.stack_bytes + 1536 * 1024)
        .memory_init_cow(true)
        // Without it every call pays for tasks and streams that WASI 0.2 does not have (tested: 0.44 to 0.49 of hyper).
        .concurrency_support(kind == EngineKind::Wasip3);
    if kind == EngineKind::Wasip3 {
        settings.wasm_component_model_async(true);
    }
    match strategy {
        PoolStrategy::Reserved { slots } => {
            settings.memory_guard_size(GUARD_BYTES);
            let slot_bytes = usize::try_from(4_u64 << 30).unwrap_or(usize::MAX);
            settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(slots, slot_bytes)));
        }
        PoolStrategy::Bounded { slots, slot_bytes } => {
            settings.memory_reservation(slot_bytes).memory_guard_size(SMALL_GUARD_BYTES);
            let slot_bytes = usize::try_from(slot_bytes).unwrap_or(usize::MAX);
            settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(slots, slot_bytes)));
        }
        PoolStrategy::OnDemand => {
            settings
                .allocation_strategy(InstanceAllocationStrategy::OnDemand)
                .memory_reservation(0)
                .memory_reservation_for_growth(1024 * 1024)
                .memory_guard_size(SMALL_GUARD_BYTES);
        }
    }
    settings
}

fn pooling(slots: u32, slot_bytes: usize) -> PoolingAllocationConfig {
    // A component of Rust's standard library has three core instances and two tables.
    let parts = slots.saturating_mul(4);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(parts)
        .total_memories(slots)
        .total_tables(parts)
        .total_stacks(slots)
        .max_memory_size(slot_bytes)
        .max_memories_per_module(16)
        .max_tables_per_module(16)
        .linear_memory_keep_resident(1024 * 1024)
        .table_keep_resident(64 * 1024)
        // Without it every drop pays madvise and TLB shoot-downs (tested: 0.19 to 0.44 of hyper). Falls back by itself.
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::Machine;

    /// Makes an engine for a machine that does not say what it allows; prints what came of it.
    #[test]
    #[ignore = "run by the test below, in a process with little address space"]
    fn falls_back() {
        let unknown = Machine { address_space: None, mappings: None };
        let (_, pool) = make(EngineKind::Main, &RuntimeConfig::default(), &unknown).unwrap();
        println!("pool: {} because {:?}", pool.strategy, pool.why);
    }

    #[test]
    fn a_machine_that_does_not_say_is_asked_until_it_says_yes() {
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg("ulimit -v 100000000; exec \"$0\" --ignored --exact engine::tests::falls_back --nocapture")
            .arg(std::env::current_exe().unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("pool: 250 slots of 256 MiB"),
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("because Some(\"1000 slots of 4 GiB: "), "{text}");
    }

    #[test]
    fn every_strategy_makes_an_engine() {
        let config = RuntimeConfig::default();
        for strategy in [
            PoolStrategy::Reserved { slots: 4 },
            PoolStrategy::Bounded { slots: 4, slot_bytes: 1 << 20 },
            PoolStrategy::OnDemand,
        ] {
            for kind in [EngineKind::Main, EngineKind::Wasip3] {
                Engine::new(&settings(kind, &config, strategy))
                    .unwrap_or_else(|e| panic!("{strategy}: {e:#}"));
            }
        }
    }
}
