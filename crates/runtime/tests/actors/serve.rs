//! Actors that behave.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use lattice_contracts::http::{BodyError, Incoming, full};
use lattice_core::ErrorCode;
use lattice_runtime::{Runtime, RuntimeConfig};

use crate::support::{World, call, get, request, runtime, settled, start, text, until, wasm};

#[tokio::test(flavor = "multi_thread")]
async fn hello_answers() {
    let runtime = runtime();
    let hello = start(&runtime, "hello", &World::new(), |_| ()).await;
    assert!(hello.exports_http());
    let (status, body) = text(&hello, "/").await;
    assert_eq!(status, 200);
    assert!(body.to_lowercase().contains("hello"), "{body}");
    let stats = settled(&hello).await;
    assert_eq!((stats.ok, stats.in_flight, stats.waiting), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_tells_what_it_was_asked() {
    let runtime = runtime();
    let echo = start(&runtime, "echo", &World::new(), |_| ()).await;
    let request = http::Request::builder()
        .method("POST")
        .uri("http://actor.test/a/b?c=d")
        .header("x-more", "yes")
        .body(full("hi"))
        .unwrap();
    let response = echo.handle(call(Duration::from_secs(20)), request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body);
    for part in [r#""method":"POST""#, r#""path":"/a/b""#, r#""query_string":"c=d""#, "x-more", "[104,105]"] {
        assert!(body.replace(": ", ":").contains(part), "{part} in {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_body_streams_in() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let frames = (0..64).map(|_| Ok::<_, BodyError>(Frame::data(Bytes::from(vec![b'x'; 1 << 20]))));
    let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let response = actor.handle(call(Duration::from_secs(20)), request("/count", body)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "67108864 bytes\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_body_streams_out() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let (_, body) = text(&actor, "/trickle?n=5&ms=10").await;
    assert_eq!(body, "line 1\nline 2\nline 3\nline 4\nline 5\n");
    let (_, body) = text(&actor, "/big?bytes=50000000").await;
    assert_eq!(body.len(), 50_000_000);
    until("the guests end", || actor.stats().ok == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wasi_0_3_is_served_where_it_is_asked_for() {
    let refused = runtime().prepare(wasm("hello_wasip3")).await.unwrap_err();
    assert!(refused.to_string().contains("--wasip3"), "{refused}");

    let runtime =
        Runtime::new(RuntimeConfig { wasip3: true, slots: 16, ..RuntimeConfig::default() }).unwrap();
    let hello = start(&runtime, "hello_wasip3", &World::new(), |_| ()).await;
    assert!(hello.exports_http());
    for _ in 0..5 {
        assert_eq!(text(&hello, "/").await, (200, "Hello from the lattice, on WASI 0.3!\n".to_owned()));
    }
    // The trap is told as late as the guest does it.
    let code = match get(&hello, "/trap").await {
        Err(error) => error.code,
        Ok(response) => match response.into_body().collect().await {
            Err(BodyError::Call(error)) => error.code,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(code, ErrorCode::Trap);
    until("the calls end", || hello.stats().in_flight == 0).await;
    assert_eq!((settled(&hello).await.ok, settled(&hello).await.trap), (5, 1));
    // The engine of WASI 0.2 is another one, and still there.
    let hello = start(&runtime, "hello", &World::new(), |_| ()).await;
    assert_eq!(text(&hello, "/").await.0, 200);
}
