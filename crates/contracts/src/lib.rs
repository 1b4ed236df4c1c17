//! One Rust trait per contract, with its types.
//!
//! A trait here has two implementations everywhere: *local*, a provider or actor in this process, and *remote*, over the
//! lattice. Who calls never knows which it holds. What a call carries besides its arguments is a [`CallContext`].
//!
//! Every method is cancelled by dropping its future; the callee may have acted all the same.

mod call;
pub mod config;
pub mod http;
pub mod keyvalue;
mod link_table;
pub mod logging;
mod provider;
mod refused;
mod whole;

pub use call::{CallContext, InvocationIds};
pub use link_table::LinkTable;
pub use provider::{Callee, Provider, ProviderContext, ProviderLink, Report, Serves};
pub use refused::{Asker, Refused};
pub use whole::state_of_all;
