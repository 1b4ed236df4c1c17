//! The stage of a scenario: a NATS server, keys, signed actors, and hosts, all real, all gone when it is dropped.

mod actors;
mod cable;
mod lattice;
mod log;
mod raw;
mod shell;

pub use actors::{Signer, now, wasm_of};
pub use cable::Cable;
pub use lattice::Stage;
pub use log::{Line, lines};
pub use raw::{CallsSeen, RawEvent, RawEvents};
pub use shell::Said;
