//! A trace that a client of an HTTP server watches: from its request over NATS to the actor, its log, and what it asks for.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use futures::StreamExt as _;
use lattice_core::State;
use lattice_testkit::until;
use lattice_tests::Stage;
use serde_json::json;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Answers every request, and gives its text to whoever asks.
fn elsewhere() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tells, told) = mpsc::channel();
    // It ends with the test's process.
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut socket, mut request) = (socket.unwrap(), [0; 4096]);
            let read = socket.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
            let _ =
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere");
            if tells.send(text).is_err() {
                return;
            }
        }
    });
    (address, told)
}

#[tokio::test]
async fn a_sampled_trace_goes_everywhere_and_another_nowhere() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (back, back_id) = stage.host(&[]).await;
    for (actor, path) in [("echo", "/echo"), ("probe", "/http"), ("misbehave", "/print")] {
        stage.start_actor(&back_id, actor, &stage.signer.example(actor), 4).await.unwrap();
        stage.link("http", actor, "wasi:http", &[("address", &address), ("path", path)]).await;
        stage.until_link(&front_id, "http", actor, |state| *state == State::Ready).await;
    }
    let (out, told) = elsewhere();
    stage.start_provider(&front_id, "out", "builtin://http-client").await.unwrap();
    stage.link("probe", "out", "wasi:http", &[("allow", &out), ("allow_private", "true")]).await;
    stage.until_link(&back_id, "probe", "out", |state| *state == State::Ready).await;
    let mut calls = stage.connection.client().subscribe("wasmbus.host.default.>").await.unwrap();
    stage.connection.round_trip(Duration::from_secs(10)).await.unwrap();

    let get = async |path: &str, trace: &str| {
        let url = format!("http://{address}{path}");
        let answer = stage.http.send("GET", &url, &[("traceparent", trace)], "").await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer
    };
    for (trace, travels) in [(SAMPLED, true), (UNSAMPLED, false), ("nonsense", false)] {
        let expected = travels.then_some(trace);
        // The actor hears what the client said, whatever it was.
        let echo = get("/echo", trace).await.json();
        assert_eq!(echo["headers"]["traceparent"], json!(trace));
        assert_eq!(traceparent(&calls.next().await.unwrap()).as_deref(), expected, "to the actor");

        // What it asks for belongs to the trace.
        get(&format!("/http?url=http://{out}/"), trace).await;
        let asked = told.recv_timeout(Duration::from_secs(10)).unwrap();
        let line = asked.lines().find(|line| line.starts_with("traceparent"));
        assert_eq!(line.map(str::to_owned), expected.map(|trace| format!("traceparent: {trace}")));
        assert_eq!(traceparent(&calls.next().await.unwrap()).as_deref(), expected, "to the actor");
        assert_eq!(traceparent(&calls.next().await.unwrap()).as_deref(), expected, "to the provider");
    }

    // And so do its lines in the log of the host that it runs on.
    get("/print?bytes=64", UNSAMPLED).await;
    get("/print?bytes=64", SAMPLED).await;
    let logged = async || {
        let output = back.process.output();
        let lines = output.lines().filter(|line| line.contains("xxxxxxxx"));
        let (with, without): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains(TRACE_ID));
        ((with.len(), without.len()) == (2, 2)).then_some(())
    };
    until("both lines of the one, and neither of the other", Duration::from_secs(10), logged).await.unwrap();
}

fn traceparent(message: &lattice_nats::Message) -> Option<String> {
    let header = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
    header.map(|value| value.as_str().to_owned())
}
