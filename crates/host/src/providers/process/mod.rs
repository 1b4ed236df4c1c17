//! Providers that are processes of their own: fetched, checked, started, linked, watched, started again, stopped.
//!
//! To the rest of the host one is a provider like any other. Inside, `binary` gets from an image to a program that may be run,
//! `child` is one running process, `confine` what it does not see of the machine, `care` what is said to it while it runs, `links` which links it shall have and has, `telling` how it
//! is told of them, `life` one process after the other, and `comeback` decides when the next one is started.

mod access;
mod binary;
mod care;
mod child;
mod comeback;
mod confine;
mod instance;
mod life;
mod links;
mod output;
mod provider;
mod refusals;
mod secrets;
mod talk;
mod telling;

pub(crate) use access::Access;
pub(crate) use confine::{COMMAND as CONFINE, Confinement, Lacks, what_kernel_lacks};
pub use confine::{Confined, confine};
pub(crate) use provider::Processes;
