//! Real parts for tests: a NATS server, an OCI registry, the project's own binaries, an HTTP client.
//!
//! Nothing here is a mock. Every process is owned by a guard: dropping it stops the process and its children, and a
//! watchdog does so when the test itself is killed. Waiting means polling for the event under a deadline, never sleeping
//! for a time that is hoped to be enough.

mod error;
mod host;
mod http;
mod launch;
mod nats;
mod poll;
mod port;
mod process;
mod registry;
mod tools;
mod watchdog;
mod workspace;

pub use error::TestkitError;
pub use host::Host;
pub use http::{Answer, Http};
pub use launch::Launch;
pub use nats::{NatsOptions, NatsServer};
pub use poll::{settled, until};
pub use port::free_port;
pub use process::Process;
pub use registry::{Login, Registry};
pub use tools::{Tools, Version, nats_server_version};
pub use workspace::{actor_file, actors_target_dir, binary, target_dir, workspace_root};
