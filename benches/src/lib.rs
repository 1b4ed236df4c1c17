//! Pieces that the programs of this folder share. `cargo xtask bench` runs them; `docs/performance.md` has the figures.

mod bare;
mod latencies;
mod links;

pub use bare::{Bare, Instance};
pub use latencies::{Latencies, Summary};
pub use links::Links;
