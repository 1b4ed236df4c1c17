//! A message whose header the NATS client cannot take ends the client, and must not end the host for good.

use std::time::Duration;

use lattice_core::State;
use lattice_testkit::{free_port, until};
use lattice_tests::{Line, Stage};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const WITHIN: Duration = Duration::from_secs(60);

/// A line break within a value: it ends the client of whoever hears it.
const ENDS_THE_CLIENT: &[u8] = b"NATS/1.0\r\nA:a\rb\r\n\r\n";
/// What every host hears.
const PING: &str = "wasmbus.ctl.v1.default.host.ping";

/// Publishes to `subject` by hand, with this header.
async fn publish(port: u16, subject: &str, header: &[u8]) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = header.len();
    let head =
        format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {length} {length}\r\n");
    socket.write_all(&[head.as_bytes(), header, b"\r\nPING\r\n"].concat()).await.unwrap();
    let mut said = Vec::new();
    while !said.windows(4).any(|four| four == b"PONG") {
        assert!(socket.read_buf(&mut said).await.unwrap() > 0, "{}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn a_header_that_ends_the_client_ends_no_host_for_good() {
    let stage = Stage::set().await;
    let (mut host, id) = stage.host(&[Line::JSON]).await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 1).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    let url = format!("http://{address}/");
    let answers = || async { stage.http.get(&url).await.ok().filter(|answer| answer.status == 200) };
    until("the actor answers", WITHIN, answers).await.unwrap();

    // Bytes that are no text, besides, which end the connection.
    for header in [ENDS_THE_CLIENT, b"NATS/1.0\r\nA:\xff\r\n\r\n"] {
        publish(stage.nats.port(), PING, header).await;
    }
    host.process.wait_for_line("the host broke, and begins anew", WITHIN).await.unwrap();
    let again = |inventory: &lattice_control_interface::HostInventory| {
        inventory.components.iter().any(|actor| actor.state() == Some(State::Ready))
    };
    stage.until(&id, again).await;
    until("the actor answers again", WITHIN, answers).await.unwrap();
    host.process.terminate();
    assert!(host.process.wait(WITHIN).await.unwrap().success(), "{}", host.process.output());
}

#[tokio::test]
async fn a_wish_to_stop_counts_between_two_lives_too() {
    let stage = Stage::set().await;
    for begun in ["stopping reason=Broken", "the host broke, and begins anew"] {
        let (mut host, _id) = stage.host(&[]).await;
        publish(stage.nats.port(), PING, ENDS_THE_CLIENT).await;
        host.process.wait_for_line(begun, WITHIN).await.unwrap();
        host.process.terminate();
        assert!(host.process.wait(WITHIN).await.unwrap().success(), "{}", host.process.output());
    }
}
