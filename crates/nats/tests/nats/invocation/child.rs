//! A host in a process of its own, to be frozen and killed: this very test program, started again.

use lattice_core::{CallError, ErrorCode, Hop};
use lattice_nats::{ConnectOptions, Connection, Outbound, Received};
use lattice_testkit::{Launch, NatsServer, Process};

use super::{echo, parts, serving_on};
use crate::{LONG, host};

/// Names the server, and makes the test below such a process.
const SERVER: &str = "LATTICE_NATS_TEST_CHILD_OF";

/// A process that serves `greeter` as host `C`.
pub(crate) async fn start(server: &NatsServer) -> Process {
    Launch::program(std::env::current_exe().unwrap())
        .args(["--exact", "invocation::child::serve_until_killed", "--ignored", "--nocapture"])
        .env(SERVER, server.url())
        .ready("the child serves", LONG)
        .start()
        .await
        .unwrap()
}

/// What the process does is the called function's name.
async fn answer(request: Received) -> Result<Outbound, CallError> {
    match &*request.function {
        "hello" => echo(request).await,
        "never" => std::future::pending().await,
        "stream" => Ok(parts(u64::MAX / u64::from(u32::MAX), Default::default())),
        other => Err(CallError::new(Hop::Host(host('C')), ErrorCode::Protocol, other)),
    }
}

#[tokio::test]
#[ignore = "other tests start it in a process of its own"]
async fn serve_until_killed() {
    let Ok(url) = std::env::var(SERVER) else { return };
    let conn = Connection::connect(ConnectOptions::to(&url), LONG).await.unwrap();
    let _callee = serving_on(conn, 'C', answer).await;
    println!("the child serves");
    std::future::pending::<()>().await;
}
