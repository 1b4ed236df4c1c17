//! Providers on this host: starting, linking, watching, stopping.

mod builtin;
mod process;
mod report;
mod run;
mod table;

pub(crate) use builtin::Builtins;
pub(crate) use process::{Access, CONFINE, Confinement, Lacks, Processes, what_kernel_lacks};
pub use process::{Confined, confine};
pub(crate) use table::{NotRunning, ProviderSpec, ProviderView, Providers, StartRefused};
