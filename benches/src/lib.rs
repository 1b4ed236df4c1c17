//! Pieces that the programs of this folder share. `cargo xtask bench` runs them; `docs/performance.md` has the figures.

mod bare;
mod bare_function;
mod latencies;
mod lattice_caller;
mod links;
mod program;

pub use bare::{Bare, Instance};
pub use bare_function::{BareFunction, FUNCTION, INTERFACE};
pub use latencies::{Latencies, Summary, Turns};
pub use lattice_caller::LatticeCaller;
pub use links::Links;
pub use program::{at_once, program, served};
