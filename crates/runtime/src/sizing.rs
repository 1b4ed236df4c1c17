//! How large a pool of instances this machine has room for. The choice is pure; what is asked of the machine is not much.

use std::fmt;

use crate::config::{PoolChoice, RuntimeConfig};

const GIB: u64 = 1024 * 1024 * 1024;
/// Mappings a slot needs at most: memory with its guards, two tables, a stack with its guard.
const MAPPINGS_PER_SLOT: u64 = 8;
/// Address space a slot needs besides its linear memory: its share of tables, and a stack.
const SLOT_EXTRA_BYTES: u64 = 4 * 1024 * 1024;
/// Guard behind a reservation of 4 GiB: what the engine takes by itself.
pub(crate) const GUARD_BYTES: u64 = 32 * 1024 * 1024;
/// Guard behind a slot with explicit bounds checks.
pub(crate) const SMALL_GUARD_BYTES: u64 = 64 * 1024;
/// Small pools that are tried before giving up on pooling.
const SMALL_POOLS: [u32; 3] = [250, 64, 16];

/// One way to give guests memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolStrategy {
    /// A pool whose slots reserve 4 GiB each, so that guest code needs no bounds checks.
    Reserved {
        /// Instances.
        slots: u32,
    },
    /// A pool whose slots have the size of the memory limit; guest code checks bounds.
    Bounded {
        /// Instances.
        slots: u32,
        /// Bytes of a slot.
        slot_bytes: u64,
    },
    /// No pool: memory is mapped for each instance, and moved when it grows.
    OnDemand,
}

impl PoolStrategy {
    /// How many instances it holds; `None` where nothing but memory bounds them.
    pub(crate) fn slots(self) -> Option<u32> {
        match self {
            PoolStrategy::Reserved { slots } | PoolStrategy::Bounded { slots, .. } => Some(slots),
            PoolStrategy::OnDemand => None,
        }
    }

    /// Address space it takes, in bytes.
    fn address_space(self) -> u64 {
        let (slots, slot) = match self {
            PoolStrategy::Reserved { slots } => (slots, 4 * GIB + GUARD_BYTES),
            PoolStrategy::Bounded { slots, slot_bytes } => (slots, slot_bytes + SMALL_GUARD_BYTES),
            PoolStrategy::OnDemand => return 0,
        };
        u64::from(slots).saturating_mul(slot.saturating_add(SLOT_EXTRA_BYTES))
    }

    fn mappings(self) -> u64 {
        match self {
            PoolStrategy::Reserved { slots } | PoolStrategy::Bounded { slots, .. } => {
                u64::from(slots) * MAPPINGS_PER_SLOT
            }
            PoolStrategy::OnDemand => 0,
        }
    }
}

impl fmt::Display for PoolStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024 * 1024;
        match self {
            PoolStrategy::Reserved { slots } => write!(f, "{slots} slots of 4 GiB"),
            PoolStrategy::Bounded { slots, slot_bytes } => {
                write!(f, "{slots} slots of {} MiB with bounds checks", slot_bytes / MIB)
            }
            PoolStrategy::OnDemand => f.write_str("on demand"),
        }
    }
}

/// What the machine allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Address space still free for this process, in bytes; `None` where nothing limits it.
    pub(crate) address_space: Option<u64>,
    /// Mappings a process may have; `None` where that is unknown.
    pub(crate) mappings: Option<u64>,
}

impl Machine {
    /// Asks the machine.
    pub(crate) fn look() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
        let taken = std::fs::read_to_string("/proc/self/status").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("VmSize:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
        });
        let mappings =
            std::fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|t| t.trim().parse().ok());
        Self { address_space: limit.map(|limit| limit.saturating_sub(taken.unwrap_or(0))), mappings }
    }

    /// Why `strategy` does not fit, if it does not. A quarter of the address space, and half of the mappings, stay free for
    /// compiled code, threads and everything else.
    fn refuses(&self, strategy: PoolStrategy) -> Option<String> {
        let (needs, allowed) = (strategy.address_space(), self.address_space.map(|all| all / 4 * 3));
        if let Some(allowed) = allowed.filter(|allowed| needs > *allowed) {
            let (needs, allowed) = (needs.div_ceil(GIB), allowed / GIB);
            return Some(format!("{strategy} need {needs} GiB of address space, {allowed} GiB may be used"));
        }
        let (needs, allowed) = (strategy.mappings(), self.mappings.map(|all| all / 2));
        allowed.filter(|allowed| needs > *allowed).map(|allowed| {
            format!("{strategy} need {needs} mappings, {allowed} may be used (vm.max_map_count)")
        })
    }
}

/// The strategies to try, best first, each with why the better ones were left out. On demand is always the last.
pub(crate) fn candidates(config: &RuntimeConfig, machine: &Machine) -> Vec<(PoolStrategy, Option<String>)> {
    let slot_bytes = config.memory_bytes_max.next_multiple_of(64 * 1024);
    let bounded = |slots| PoolStrategy::Bounded { slots, slot_bytes };
    let smaller = SMALL_POOLS.iter().filter(|slots| **slots < config.slots).map(|slots| bounded(*slots));
    let all: Vec<_> = match config.pool {
        PoolChoice::Auto => [PoolStrategy::Reserved { slots: config.slots }, bounded(config.slots)]
            .into_iter()
            .chain(smaller)
            .collect(),
        PoolChoice::Bounded => [bounded(config.slots)].into_iter().chain(smaller).collect(),
        PoolChoice::OnDemand => Vec::new(),
    };
    let mut why = None;
    let mut fitting = Vec::new();
    for strategy in all {
        match machine.refuses(strategy) {
            Some(reason) => why = why.or(Some(reason)),
            None => fitting.push((strategy, why.clone())),
        }
    }
    fitting.push((PoolStrategy::OnDemand, why));
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(address_space: Option<u64>, mappings: Option<u64>) -> (String, Option<String>) {
        let machine = Machine { address_space, mappings };
        let (strategy, why) = candidates(&RuntimeConfig::default(), &machine).remove(0);
        (strategy.to_string(), why)
    }

    #[test]
    fn the_pool_shrinks_with_the_machine() {
        assert_eq!(first(None, None), ("1000 slots of 4 GiB".into(), None));
        assert_eq!(first(None, Some(65_530)).0, "1000 slots of 4 GiB");
        let (strategy, why) = first(Some(400 * GIB), Some(65_530));
        assert_eq!(strategy, "1000 slots of 256 MiB with bounds checks");
        assert!(why.is_some_and(|why| why.contains("address space")));
        assert_eq!(first(Some(100 * GIB), None).0, "250 slots of 256 MiB with bounds checks");
        assert_eq!(first(Some(8 * GIB), None).0, "16 slots of 256 MiB with bounds checks");
        let (strategy, why) = first(Some(2 * GIB), None);
        assert_eq!(strategy, "on demand");
        assert!(why.is_some());
        let (strategy, why) = first(None, Some(8_000));
        assert_eq!(strategy, "250 slots of 256 MiB with bounds checks");
        assert!(why.is_some_and(|why| why.contains("vm.max_map_count")));
    }

    #[test]
    fn what_was_chosen_by_hand_is_tried_alone() {
        let machine = Machine { address_space: None, mappings: None };
        let config = RuntimeConfig { pool: PoolChoice::OnDemand, ..RuntimeConfig::default() };
        assert_eq!(candidates(&config, &machine), [(PoolStrategy::OnDemand, None)]);
    }

    #[test]
    fn this_machine_can_be_asked() {
        assert!(!candidates(&RuntimeConfig::default(), &Machine::look()).is_empty());
    }
}
