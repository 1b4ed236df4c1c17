//! Pieces that the programs of this folder share. `cargo xtask bench` runs them; `docs/performance.md` has the figures.

mod bare;
mod latencies;

pub use bare::{Bare, Instance};
pub use latencies::{Latencies, Summary};
