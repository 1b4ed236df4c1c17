//! The stage of a scenario: a NATS server, keys, signed actors, and hosts, all real, all gone when it is dropped.

mod actors;
mod lattice;

pub use actors::Signer;
pub use lattice::Stage;
