use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use lattice_contracts::http::{BodyError, OutgoingError, OutgoingLimits, Response, full};
use tokio::net::TcpListener;

use crate::rig::{Rig, Server, get, text};

const QUICK: Duration = Duration::from_millis(100);

async fn timed_out(rig: &Rig, url: &str, limits: OutgoingLimits) -> &'static str {
    let call = rig.call("a", Duration::from_secs(20));
    match rig.outgoing().request(call, get(url), limits).await.unwrap_err() {
        OutgoingError::Timeout { phase, .. } => phase,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_phase_has_its_time() {
    let rig = Rig::open(&[]).await;
    let silent = Server::start(|_| std::future::pending()).await;
    let limits = OutgoingLimits { first_byte: Some(QUICK), ..OutgoingLimits::default() };
    assert_eq!(timed_out(&rig, &silent.url("local.test", "/"), limits).await, "first byte");
    // Accepts TCP and never answers TLS: the connection is not there yet.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://local.test:{}/", mute.local_addr().unwrap().port());
    let limits = OutgoingLimits { connect: Some(QUICK), ..OutgoingLimits::default() };
    assert_eq!(timed_out(&rig, &url, limits).await, "connect");
    let own = Rig::open(&[("connect_timeout_ms", "100")]).await;
    assert_eq!(timed_out(&own, &url, OutgoingLimits::default()).await, "connect");
    // The deadline of the call bounds them all.
    let call = rig.call("a", QUICK);
    let request = get(&silent.url("local.test", "/"));
    let error = rig.outgoing().request(call, request, OutgoingLimits::default()).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Timeout { phase: "first byte", .. }), "{error:?}");
}

fn begun_and_stuck() -> impl Future<Output = http::Response<lattice_contracts::http::Body>> + Send {
    let first = futures::stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"begun")))]);
    let frames = first.chain(futures::stream::pending());
    async { Response::new(StreamBody::new(frames).boxed_unsync()) }
}

#[tokio::test]
async fn a_body_that_falls_silent_breaks_off() {
    let server = Server::start(|_| begun_and_stuck()).await;
    let url = server.url("local.test", "/");
    let rig = Rig::open(&[]).await;
    let silence = OutgoingLimits { between_bytes: Some(QUICK), ..OutgoingLimits::default() };
    for (within, limits, says) in [
        (Duration::from_secs(20), silence, "nothing more of the response body came for 100 ms"),
        (QUICK * 3, OutgoingLimits::default(), "within the call's deadline"),
    ] {
        let response = rig.outgoing().request(rig.call("a", within), get(&url), limits).await;
        let mut body = response.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test]
async fn a_body_over_the_limit_breaks_off() {
    let server = Server::start(|request| async move {
        if request.uri().path() == "/known" {
            return Response::new(full("01234567890"));
        }
        let frames =
            futures::stream::repeat_with(|| Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"0123"))));
        Response::new(StreamBody::new(frames).boxed_unsync())
    })
    .await;
    let rig = Rig::open(&[("max_response_bytes", "10")]).await;
    for path in ["/known", "/streamed"] {
        let body = rig.get(&server.url("local.test", path)).await.unwrap().into_body();
        let error = body.collect().await.unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 10 }), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn connections_of_a_link_are_counted() {
    let server = Server::start(|request| async move {
        match request.uri().path() {
            "/stuck" => begun_and_stuck().await,
            _ => Response::new(full("hello")),
        }
    })
    .await;
    let rig = Rig::open(&[("max_connections", "1"), ("connect_timeout_ms", "200")]).await;
    let stuck = rig.get(&server.url("local.test", "/stuck")).await.unwrap();
    let url = server.url("local.test", "/");
    assert_eq!(timed_out(&rig, &url, OutgoingLimits::default()).await, "connect");
    drop(stuck);
    let answer = loop {
        // The slot is free once the server's side of the closed connection was noticed.
        match rig.get(&url).await {
            Ok(response) => break text(response).await,
            Err(OutgoingError::Timeout { phase: "connect", .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(answer, "hello");
}
