//! The host: composes and supervises everything that runs in one `wasmcloud` process.
//!
//! A folder per subsystem. [`Host::start`] wires them in order; nothing here is done by halves, so whoever gets a
//! [`Host`] gets one that answers its control subjects.

mod about;
mod actors;
mod calls;
mod cli;
mod config;
mod ctl;
mod directory;
mod events;
mod generations;
mod guest_log;
mod health;
mod heartbeat;
mod identity;
mod inventory;
mod lattice;
mod links;
mod lives;
mod manifest;
mod memory;
mod own_fact;
mod pause;
mod presence;
mod providers;
mod reach;
mod refusals;
mod roles;
mod secrets;
mod shutdown;
mod signal;
mod startup;
mod states;
mod supervisor;
mod telemetry;
mod trust;
mod wishes;

pub use cli::{Cli, Command};
pub use config::{ConfigError, HostConfig};
pub use identity::{Identity, IdentityError};
pub use lives::live;
pub use providers::{Confined, confine};
pub use startup::{Host, StopReason};
pub use telemetry::init as init_telemetry;
pub use wishes::Wishes;
