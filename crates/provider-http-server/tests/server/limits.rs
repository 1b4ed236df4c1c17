use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http_body_util::{BodyExt, StreamBody};
use lattice_contracts::{
    Asker,
    http::{Incoming, Response, full},
};
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use lattice_testkit::Http;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::rig::{Rig, actor, echo, raw, rest, says};

/// An actor that reads the whole body, traps where that breaks off, and counts its calls.
fn reader(calls: &Arc<AtomicUsize>) -> Arc<dyn Incoming> {
    let calls = calls.clone();
    actor(move |_, request| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move {
            let trap = |_| CallError::new(Hop::Actor(ActorId::new("r").unwrap()), ErrorCode::Trap, "unwrap");
            let body = request.into_body().collect().await.map_err(trap)?.to_bytes();
            Ok(Response::new(full(body.len().to_string())))
        }
    })
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_before_the_call_or_in_it() {
    let rig = Rig::new();
    let calls = Arc::default();
    let address = rig.open("r", &[("max_body_bytes", "10")], reader(&calls)).await;
    let url = format!("http://{address}/");
    for http in [Http::new(), Http::http2()] {
        assert_eq!(http.send("POST", &url, &[], "0123456789").await.unwrap().text(), "10");
        let called = calls.load(Ordering::Relaxed);
        let over = http.send("POST", &url, &[], "0123456789a").await.unwrap();
        assert_eq!(over.status, 413);
        assert_eq!(
            over.json()["reason"],
            "the request body is larger than max_body_bytes of the link, 10 bytes"
        );
        assert_eq!(calls.load(Ordering::Relaxed), called, "the actor was called all the same");
    }
    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let called = calls.load(Ordering::Relaxed);
    let answer = raw(address, format!("{chunked}6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(calls.load(Ordering::Relaxed), called + 1);
    // Nobody is asked to send what will be refused.
    let expects = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 11\r\n\r\n";
    let answer = raw(address, expects.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn malformed_and_oversized_heads_are_refused() {
    let rig = Rig::with(&[("max_header_bytes", "8192"), ("max_headers", "20")]);
    let address = rig.open("a", &[], echo()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(10_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: 1\r\n".repeat(30));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", "405"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12", "400"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n", "400"),
        (&long, "431"),
        (&many, "431"),
    ] {
        let answer = raw(address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60}: {answer}");
    }
    // Each is told of, with the client's address: those that this server refuses, and those that hyper does not even read.
    let refused = rig.refused(10).await;
    let codes: Vec<_> = refused.iter().map(|refused| refused.code).collect();
    let wanted = [[ErrorCode::Protocol; 8].as_slice(), &[ErrorCode::TooLarge; 2]].concat();
    assert_eq!(codes, wanted, "{refused:?}");
    assert!(refused.iter().all(|one| one.count == 1 && one.asker == Asker::read("127.0.0.1")), "{refused:?}");
    // A request that is sound is none of them.
    assert!(raw(address, b"GET / HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").await.contains("200"));
    assert_eq!(rig.refused(10).await.len(), 10);
}

#[tokio::test]
async fn as_many_header_fields_are_taken_as_the_limit_says() {
    for (config, most) in [(None, 100), (Some("100"), 100), (Some("99"), 99), (Some("120"), 120)] {
        let config: Vec<_> = config.map(|most| ("max_headers", most)).into_iter().collect();
        let rig = Rig::with(&config);
        let address = rig.open("a", &[], echo()).await;
        for (fields, status) in [(most, "200"), (most + 1, "431")] {
            let more = "x: 1\r\n".repeat(fields - 2);
            let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n");
            let answer = raw(address, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{config:?}, {fields}: {answer}");
        }
    }
}

/// A message with both lengths is read by the chunks, as RFC 9112 6.3 has it, and the connection ends with it: what a
/// proxy before us may have taken for a second request is not served.
#[tokio::test]
async fn a_request_with_two_lengths_smuggles_nothing() {
    let rig = Rig::new();
    let calls = Arc::default();
    let address = rig.open("r", &[], reader(&calls)).await;
    for lengths in [
        "content-length: 40\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
    ] {
        let before = calls.load(Ordering::Relaxed);
        let second = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n0\r\n\r\n{second}");
        let answer = raw(address, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert_eq!(calls.load(Ordering::Relaxed), before + 1);
    }
}

#[tokio::test]
async fn connections_that_ask_for_nothing_are_closed() {
    let rig = Rig::with(&[("idle_timeout_ms", "100")]);
    let address = rig.open("a", &[], says("a")).await;
    for begun in ["", "GET / HT", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx: y"] {
        assert_eq!(raw(address, begun.as_bytes()).await, "", "{begun:?}");
    }
    let kept = raw(address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(kept.ends_with("a /"), "{kept}");
}

#[tokio::test]
async fn more_connections_than_allowed_wait() {
    let rig = Rig::with(&[("max_connections", "1")]);
    let address = rig.open("a", &[], says("a")).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    first.readable().await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let unanswered = tokio::time::timeout(Duration::from_millis(200), second.readable()).await.is_err();
    assert!(unanswered, "a second connection was served");
    drop(first);
    assert!(rest(&mut second).await.ends_with("a /"));
}

#[tokio::test]
async fn an_actor_that_ignores_its_deadline_is_cut_off() {
    let rig = Rig::new();
    let quick = ("request_timeout_ms", "100");
    let stuck = actor(|_, _| std::future::pending());
    let address = rig.open("stuck", &[quick], stuck).await;
    let answer = Http::new().get(&format!("http://{address}/")).await.unwrap();
    assert_eq!((answer.status, answer.json()["error"].as_str()), (504, Some("deadline")));

    let silent = actor(|_, _| async {
        let first = futures::stream::iter([Ok(http_body::Frame::data("begun".into()))]);
        let frames = futures::StreamExt::chain(first, futures::stream::pending());
        Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
    });
    rig.open("silent", &[quick, ("path", "/silent")], silent).await;
    let started = Instant::now();
    let answer = raw(address, b"GET /silent HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.contains("begun") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
