//! The HTTP server: many actors on one port, both versions, long bodies, and an end in order.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_core::State;
use lattice_testkit::{Http, until};
use lattice_tests::Stage;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const WITHIN: Duration = Duration::from_secs(60);
const BODY_BYTES: usize = 100_000_000;

#[tokio::test]
async fn many_actors_share_a_port_by_path_and_hostname_in_both_versions() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 10).await;
    for actor in ["echo", "misbehave"] {
        stage.start_actor(&id, actor, &stage.signer.example(actor), 10).await.unwrap();
    }
    stage.link("http", "echo", "wasi:http", &[("address", &address), ("path", "/echo")]).await;
    let named = [("address", address.as_str()), ("hostname", "bad.example, *.bad.example")];
    stage.link("http", "misbehave", "wasi:http", &named).await;
    for actor in ["echo", "misbehave"] {
        stage.until_link(&id, "http", actor, |state| *state == State::Ready).await;
    }
    for http in [Http::new(), Http::http2()] {
        let get = async |path: &str, host: Option<&str>| {
            let headers: Vec<_> = host.map(|host| ("host", host)).into_iter().collect();
            http.send("GET", &format!("http://{address}{path}"), &headers, "").await.unwrap()
        };
        assert_eq!(get("/", None).await.text(), "Hello from the lattice!\n");
        assert_eq!(get("/echoes", None).await.text(), "Hello from the lattice!\n");
        let echo = get("/echo/deep?a=b", None).await.json();
        assert_eq!((&echo["path"], &echo["query_string"]), (&"/echo/deep".into(), &"a=b".into()));
    }
    // HTTP/2 names the host in the address; its pseudo-header is no header of ours.
    for host in ["bad.example", "really.bad.example:80"] {
        let url = format!("http://{address}/");
        assert_eq!(stage.http.send("GET", &url, &[("host", host)], "").await.unwrap().text(), "ok\n");
    }
}

/// The most memory that the process has had at once, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn long_bodies_are_streamed_both_ways_and_held_nowhere() {
    let stage = Stage::set().await;
    let (host, id, address) = stage.serving(&[], "misbehave", 10).await;
    let config = [("address", address.as_str()), ("max_body_bytes", "200000000")];
    stage.link("http", "misbehave", "wasi:http", &config).await;
    stage.until_link(&id, "http", "misbehave", |state| *state == State::Ready).await;
    // Once, so that what stays (code, an instance) is there before it is measured.
    assert_eq!(stage.http.get(&format!("http://{address}/big?bytes=100")).await.unwrap().body.len(), 100);

    let before = peak_mib(host.process.id());
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let counted = stage.http.send("POST", &format!("http://{address}/count"), &[], body).await.unwrap();
    assert_eq!((counted.status, counted.text()), (200, format!("{BODY_BYTES} bytes\n")));
    let big = stage.http.get(&format!("http://{address}/big?bytes={BODY_BYTES}")).await.unwrap();
    assert_eq!(big.body.len(), BODY_BYTES);
    let grown = peak_mib(host.process.id()) - before;
    assert!(grown < 40, "the host grew by {grown} MiB over {before} MiB");
}

/// A request of which the first line of the body has come.
async fn under_way(address: &str, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"line 1\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
    stream
}

async fn until_refused(address: &str) {
    let refused = || async { TcpStream::connect(address).await.is_err().then_some(()) };
    until("new connections are refused", WITHIN, refused).await.unwrap();
}

#[tokio::test]
async fn a_stopping_host_ends_what_is_in_flight_and_takes_nothing_new() {
    let stage = Stage::set().await;
    let (mut host, _id, address) = stage.serving(&[], "misbehave", 10).await;
    let mut stream = under_way(&address, "/trickle?n=8&ms=250").await;
    host.process.terminate();
    until_refused(&address).await;
    assert!(host.process.exited().is_none(), "it waits for the answer: {}", host.process.output());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("line 8\n") && rest.ends_with("0\r\n\r\n"), "{rest:?}");
    let status = host.process.wait(WITHIN).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", host.process.output());
    assert!(stage.hosts().await.is_empty());
}

#[tokio::test]
async fn a_second_signal_cuts_the_end_short() {
    let stage = Stage::set().await;
    let (mut host, _id, address) = stage.serving(&[], "misbehave", 10).await;
    let mut stream = under_way(&address, "/trickle?n=200&ms=250").await;
    host.process.terminate();
    // At once, it is the same wish.
    host.process.interrupt();
    until_refused(&address).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(host.process.exited().is_none(), "it waits for the answer: {}", host.process.output());
    let second = Instant::now();
    host.process.terminate();
    let status = host.process.wait(WITHIN).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", host.process.output());
    assert!(second.elapsed() < Duration::from_secs(10), "{:?}", second.elapsed());
    assert!(host.process.output().contains("stopped at once"), "{}", host.process.output());
    // Nothing of it holds the client.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(WITHIN, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && !rest.ends_with(b"0\r\n\r\n"), "{ended:?}");
}
