//! WebAssembly, run: compile, link, pool, limit, call.
//!
//! What a guest asks for leaves through [`Dispatch`]; the runtime knows no NATS, no links and no providers. An actor is
//! made in two steps: [`Runtime::prepare`] turns bytes into code, once for the same bytes; [`Runtime::start`] links it and
//! gives it limits. An [`Actor`] is the HTTP contract's local implementation for its code, and that of any [`Function`] of
//! plain values.
//!
//! What bounds a guest: permits and a queue (`permits`), wall time (`call`), processor time (`meter`), memory of its own
//! and of all guests (`budget`), output (`output`), and the engine's own limits (`engine`).

mod actor;
mod body;
mod budget;
mod call;
mod component;
mod config;
mod dispatch;
mod engine;
mod error;
mod exported;
mod exports;
mod failure;
mod function;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod handler;
mod imports;
mod invoke;
mod lend;
mod meter;
mod output;
mod permits;
mod pool;
mod prepare;
mod runtime;
mod sizing;
mod stats;
mod ticker;
mod values;
mod wave;

pub use actor::{Actor, NotEntered, Ticket};
pub use component::{Interface, Outside};
pub use config::{ActorSpec, Limits, PoolChoice, RuntimeConfig};
pub use dispatch::{Bound, Dispatch, Function, NoSecret};
pub use engine::PoolReport;
pub use error::{PrepareError, RuntimeError, StartError};
pub use prepare::Prepared;
pub use runtime::{Runtime, RuntimeReport};
pub use sizing::PoolStrategy;
pub use stats::ActorStats;
pub use values::Values;
