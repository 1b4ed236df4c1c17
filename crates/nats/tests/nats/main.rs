//! This crate against real NATS servers.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test, wherever it happens")]

mod clocks;
mod closed;
mod connect;
mod control;
mod events;
mod fake;
mod invocation;
mod remote;
mod request;
mod state;

use std::time::Duration;

use lattice_core::{HostId, LatticeName};
use lattice_nats::{ConnectOptions, Connection};
use lattice_testkit::{NatsOptions, NatsServer};

/// Longer than anything here takes; what passes only because of it hangs visibly.
const LONG: Duration = Duration::from_secs(60);

async fn server() -> NatsServer {
    NatsServer::start().await.unwrap()
}

async fn server_with(config: &str) -> NatsServer {
    let options = NatsOptions { config: config.to_owned(), ..NatsOptions::default() };
    NatsServer::start_with(options).await.unwrap()
}

async fn join(server: &NatsServer) -> Connection {
    Connection::connect(ConnectOptions::to(&server.url()).named("test"), LONG).await.unwrap()
}

/// A host id of its own for each letter.
fn host(letter: char) -> HostId {
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

fn lattice() -> LatticeName {
    LatticeName::default()
}
