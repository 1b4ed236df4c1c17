use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use lattice_contracts::{
    Provider,
    http::{BodyError, OutgoingError, Response, full},
};
use lattice_core::{ErrorCode, State};
use tokio::time::{Duration, Instant};

use crate::rig::{Rig, Server, get, text};

#[tokio::test]
async fn requests_and_responses_keep_what_is_theirs() {
    let server = Server::start(|request| async move {
        let names: Vec<_> =
            request.headers().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let text = format!("{} {} {}", request.method(), request.uri(), names.join(" "));
        let mut response = Response::new(full(text));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("x-inner"));
        response.headers_mut().insert("x-inner", HeaderValue::from_static("1"));
        *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        response
    })
    .await;
    let rig = Rig::open(&[]).await;
    let mut request = get(&server.url("local.test", "/x?y=1"));
    for (name, value) in [
        (HOST, "elsewhere"),
        (CONNECTION, "x-mine"),
        (HeaderName::from_static("x-mine"), "1"),
        (HeaderName::from_static("upgrade"), "websocket"),
        (HeaderName::from_static("accept"), "*/*"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let response = rig.send(request).await.unwrap();
    assert_eq!(response.status(), 418);
    assert!(!response.headers().contains_key("x-inner"));
    let port = server.address.port();
    assert_eq!(text(response).await, format!("GET /x?y=1 accept=\"*/*\" host=\"local.test:{port}\""));
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let server = Server::start(|request| async move {
        let body = request.into_body().map_err(|error| BodyError::Connection(error.to_string()));
        Response::new(body.boxed_unsync())
    })
    .await;
    let rig = Rig::open(&[]).await;
    let (pieces, body) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, BodyError>>(1);
    let body = futures::stream::unfold(body, |mut body| async move { Some((body.recv().await?, body)) });
    let request = http::Request::post(server.url("local.test", "/"));
    let request = request.body(StreamBody::new(body).boxed_unsync()).unwrap();
    let mut response = rig.send(request).await.unwrap().into_body();
    // Each piece comes back before the next is sent.
    for piece in ["one", "two", "three"] {
        pieces.send(Ok(Frame::data(piece.into()))).await.unwrap();
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(pieces);
    assert!(response.frame().await.is_none());
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_no_fault_of_the_server() {
    let server = Server::start(|request| async move {
        drop(request.into_body().collect().await);
        Response::new(full(""))
    })
    .await;
    let rig = Rig::open(&[]).await;
    let broken = futures::stream::iter([Err::<Frame<Bytes>, _>(BodyError::Connection("gone".into()))]);
    let request = http::Request::post(server.url("local.test", "/"));
    let error = rig.send(request.body(StreamBody::new(broken).boxed_unsync()).unwrap()).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Request { .. }), "{error:?}");
}

#[tokio::test]
async fn requests_that_cannot_be_sent_are_refused() {
    let rig = Rig::open(&[]).await;
    for (method, url) in [
        ("GET", "/relative"),
        ("GET", "ftp://local.test/"),
        ("GET", "http://user:secret@local.test/"),
        ("GET", "http://local.test:99999/"),
        ("CONNECT", "http://local.test/"),
    ] {
        let request = http::Request::builder().method(method).uri(url).body(full("")).unwrap();
        let error = rig.send(request).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Request { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn what_went_wrong_has_its_own_error() {
    let rig = Rig::open(&[]).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = rig.get(&format!("http://local.test:{nobody}/")).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Refused { .. }), "{error:?}");
    let error = rig.get("http://missing.test/").await.unwrap_err();
    assert!(matches!(&error, OutgoingError::Dns { why, .. } if why == "no such name"), "{error:?}");
    // A server that hangs up, and one that does not speak HTTP.
    for says in ["", "SSH-2.0-OpenSSH\r\n\r\n"] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://local.test:{}/", listener.local_addr().unwrap().port());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            assert_ne!(tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap(), 0);
            tokio::io::AsyncWriteExt::write_all(&mut stream, says.as_bytes()).await.unwrap();
        };
        let (error, ()) = tokio::join!(rig.get(&url), serve);
        let error = error.unwrap_err();
        assert!(matches!(error, OutgoingError::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn stopping_waits_for_bodies_and_takes_no_more() {
    let server = Server::start(|_| async { Response::new(full(vec![1; 4_000_000])) }).await;
    let rig = Rig::open(&[]).await;
    let url = server.url("local.test", "/");
    let body = rig.get(&url).await.unwrap().into_body();
    let stop = rig.provider.stop(Instant::now() + Duration::from_secs(20));
    let read = async {
        let OutgoingError::Call(error) = rig.get(&url).await.unwrap_err() else { panic!() };
        assert_eq!(error.code, ErrorCode::Unreachable);
        body.collect().await.unwrap().to_bytes().len()
    };
    let ((), read) = tokio::join!(stop, read);
    assert_eq!(read, 4_000_000);
    rig.tasks.close();
    rig.tasks.wait().await;
}

#[tokio::test]
async fn a_secret_reaches_the_server_in_a_header_and_nobody_else() {
    let server = Server::start(|request| async move {
        let value = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        Response::new(full(value.unwrap_or_default()))
    })
    .await;
    let rig = Rig::new();
    let config = [
        ("allow_private", "true"),
        ("allow", "local.test"),
        ("secret_headers", "authorization=Bearer {token}"),
        ("secret_headers_plain", "true"),
    ];
    let token = [("token", "hunter2-marker")];
    assert_eq!(rig.link_with("a", &config, &token).await, State::Ready);
    let mut request = get(&server.url("local.test", "/"));
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer of the guest"));
    let response = rig.send(request).await.unwrap();
    assert_eq!(text(response).await, "Bearer hunter2-marker");
    // Whoever else listens on this machine is not on the list.
    let elsewhere = rig.get(&server.url("localhost", "/")).await.unwrap_err();
    assert!(matches!(&elsewhere, OutgoingError::Denied { .. }), "{elsewhere}");
    // What goes wrong says nothing of it.
    let trace = http::Request::trace(server.url("local.test", "/")).body(full("")).unwrap();
    for error in [rig.send(trace).await.unwrap_err(), rig.get("http://local.test:1/").await.unwrap_err()] {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    assert_eq!(rig.link_with("a", &config[..3], &token).await, State::Ready);
    let plain = rig.get(&server.url("local.test", "/")).await.unwrap_err();
    assert!(plain.to_string().contains("https alone"), "{plain}");
    for (config, secrets, says) in [
        (&config[..], &[][..], "--target-secret token"),
        (&config[..2], &token[..], "no header holds it"),
        (&[config[0], config[2]][..], &token[..], "under allow"),
        (&config[..], &[("token", "hunter2\r\nx: y")][..], "line end"),
    ] {
        let state = rig.link_with("a", config, secrets).await.to_string();
        assert!(state.starts_with("failed") && state.contains(says) && !state.contains("hunter2"), "{state}");
    }
}
