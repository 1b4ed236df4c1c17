//! What a host keeps on its own disk, in its slot of the data folder: what it knows of the lattice, and what an operator had
//! started on it. A restarted host goes on from there.
//!
//! A host that meets another lattice, of the same name at other servers, keeps the two apart (see `place`).

mod place;
mod record;
mod restore;
mod started;

pub(crate) use place::{Memory, MemoryOptions, Server};
pub(crate) use record::Record;
pub(crate) use restore::Restorer;
pub(crate) use started::{Started, StartedActor, StartedProvider};
