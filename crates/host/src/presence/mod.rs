//! Presence: which other hosts live, by their beats (see `docs/hosts.md`).
//!
//! `ring` says who listens to whom, `machine` what follows from what is heard, both pure; `task` beats, listens and asks.
//! What follows from a loss is for others to say: a lost host gets no calls, and nothing else.

mod ear;
mod load;
mod machine;
#[cfg(test)]
mod model;
mod peer;
mod ring;
mod task;
mod voice;

use std::collections::BTreeMap;

use lattice_core::HostId;

pub(crate) use load::load_of;
pub(crate) use peer::Standing;
pub(crate) use task::{Parts as PresenceParts, Presence};

/// How another host stands, and how busy it was at its last beat, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) standing: Standing,
    pub(crate) load: u16,
}

/// All other hosts that are known.
pub(crate) type Sightings = BTreeMap<HostId, Sighting>;
