//! The processes that `wash up` starts on this machine, and how `wash down` finds them again.

mod child;
mod host;
mod nats;
mod place;
mod record;
mod version;
mod watchdog;

pub(crate) use child::{Child, Logs};
pub(crate) use host::{HostOptions, HostProcess, HostProgram};
pub(crate) use nats::{Found, NatsServer, NatsWanted, Port, probe, write_open_config};
pub(crate) use place::Place;
pub(crate) use record::{Living, Record, Role, Slot, Stopped};
