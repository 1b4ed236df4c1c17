use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use lattice_contracts::{
    Provider,
    http::{Body, Response, full},
};
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use lattice_testkit::Http;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, timeout},
};

use crate::rig::{Once, Rig, SOON, Slot, actor, echo, key, raw, rest, says};

#[tokio::test]
async fn requests_go_where_host_and_path_say() {
    let rig = Rig::new();
    let address = rig.open("front", &[], says("front")).await;
    let at = address.to_string();
    let more = [
        ("api", &[("path", "/api")][..]),
        ("shop", &[("hostname", "shop.example")]),
        ("tenants", &[("hostname", "*.example"), ("path", "/")]),
    ];
    // The same configured address is the same listener, port 0 included.
    for (name, config) in more {
        rig.open(name, config, says(name)).await;
    }
    for (host, path, says) in [
        ("else", "/?q=%20", "front /?q=%20"),
        ("else", "/api/x", "api /api/x"),
        ("else", "/apix", "front /apix"),
        ("SHOP.example:80", "/", "shop /"),
        ("a.b.example", "/", "tenants /"),
    ] {
        let answer = Http::new().send("GET", &format!("http://{at}{path}"), &[("host", host)], "").await;
        assert_eq!(answer.unwrap().text(), says, "{host}{path}");
    }
    let answer = Http::http2().get(&format!("http://{at}/api/x")).await.unwrap();
    assert_eq!(answer.text(), "api /api/x");
    rig.server.delete_link(&key("front")).await;
    let answer = Http::new().get(&format!("http://{at}/")).await.unwrap();
    assert_eq!((answer.status, answer.json()["error"].as_str()), (404, Some("no-route")));
    assert!(answer.headers.contains_key("x-invocation-id"));
}

#[tokio::test]
async fn both_bodies_stream_over_both_versions() {
    let rig = Rig::new();
    let address = rig.open("echo", &[], echo()).await;
    let url = format!("http://{address}/");
    let body = Bytes::from((0..3_000_000_u32).map(|i| i.to_le_bytes()[1]).collect::<Vec<_>>());
    for http in [Http::new(), Http::http2()] {
        let answer = http.send("POST", &url, &[], body.clone()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, body.len()));
        assert!(answer.body == body);
    }
    // Half a request is answered with half a response: nobody waits for the end of a body.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("one") {
        let mut piece = [0; 1024];
        let read = timeout(SOON, stream.read(&mut piece)).await.unwrap().unwrap();
        assert_ne!(read, 0, "closed after {seen:?}");
        seen.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(&mut stream).await.contains("two"));
}

#[tokio::test]
async fn a_body_nobody_reads_waits_at_the_client() {
    let rig = Rig::new();
    let (held, entered, go_on) = (Slot::<Body>::default(), Once::default(), Once::default());
    let slow = {
        let (held, entered, go_on) = (held.clone(), entered.clone(), go_on.clone());
        actor(move |_, request| {
            *held.lock().unwrap() = Some(request.into_body());
            entered.happens();
            let go_on = go_on.clone();
            async move {
                go_on.wait().await;
                Ok(Response::new(full("done")))
            }
        })
    };
    let address = rig.open("slow", &[("max_body_bytes", "1000000000")], slow).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    entered.wait().await;
    let piece = vec![7_u8; 64 * 1024];
    let mut sent = 0;
    // The stall is the event; what the kernel buffers for both ends comes before it.
    while let Ok(written) = timeout(Duration::from_millis(500), stream.write(&piece)).await {
        sent += written.unwrap();
        assert!(sent < 50_000_000, "nothing held the client back");
    }
    let body = held.lock().unwrap().take().unwrap();
    let read = async { body.collect().await.unwrap().to_bytes().len() };
    let write = async {
        stream.write_all(&vec![7; 100_000_000 - sent]).await.unwrap();
    };
    let (read, ()) = tokio::join!(read, write);
    assert_eq!(read, 100_000_000);
    go_on.happens();
    assert!(rest(&mut stream).await.ends_with("done"));
}

#[tokio::test]
async fn errors_of_a_call_have_a_status_a_reason_and_an_id() {
    let rig = Rig::new();
    let failing = actor(|_, request| async move {
        let code: ErrorCode = serde_json::from_str(&format!("{:?}", &request.uri().path()[1..])).unwrap();
        let hop = Hop::Actor(ActorId::new("failing").unwrap());
        Err(CallError::new(hop, code, "wasm backtrace: 0: secret"))
    });
    let address = rig.open("failing", &[], failing).await;
    for (code, status) in [
        (ErrorCode::Trap, 500),
        (ErrorCode::NoLink, 502),
        (ErrorCode::Denied, 403),
        (ErrorCode::Overloaded, 503),
        (ErrorCode::Unreachable, 503),
        (ErrorCode::Deadline, 504),
        (ErrorCode::TooLarge, 413),
        (ErrorCode::Cancelled, 499),
    ] {
        let answer = Http::new().get(&format!("http://{address}/{code}")).await.unwrap();
        assert_eq!(answer.status, status, "{code}");
        let json = answer.json();
        assert_eq!(json["error"], code.as_str());
        assert_eq!(json["invocation"], answer.headers["x-invocation-id"].to_str().unwrap());
        let helps = matches!(code, ErrorCode::Overloaded | ErrorCode::Deadline | ErrorCode::TooLarge);
        assert_eq!(answer.text().contains("secret"), helps, "{code}");
        let retry = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(retry, (code == ErrorCode::Overloaded).then_some("1"), "{code}");
    }
}

#[tokio::test]
async fn what_concerns_one_connection_stays_with_it() {
    let rig = Rig::new();
    let tell = actor(|_, request| async move {
        let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        let mut response = Response::new(full(names.join(",")));
        for (name, value) in [("connection", "x-inner"), ("x-inner", "1"), ("transfer-encoding", "gzip")] {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        Ok(response)
    });
    let address = rig.open("tell", &[], tell).await;
    let request =
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close, x-mine\r\nx-mine: 1\r\nupgrade: h2c\r\n\r\n";
    let answer = raw(address, request.as_bytes()).await;
    assert!(answer.ends_with("\r\n\r\nhost"), "{answer}");
    assert!(!answer.contains("x-inner") && !answer.contains("gzip"), "{answer}");
    assert!(answer.contains("date: "), "{answer}");

    let odd = actor(|_, _| async { Ok(http::Response::builder().status(101).body(full("")).unwrap()) });
    rig.open("odd", &[("path", "/odd")], odd).await;
    assert_eq!(Http::new().get(&format!("http://{address}/odd")).await.unwrap().status, 500);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_with_it() {
    for two in [false, true] {
        let rig = Rig::new();
        let (entered, dropped) = (Once::default(), Once::default());
        let stuck = {
            let (entered, dropped) = (entered.clone(), dropped.clone());
            actor(move |_, _| {
                let guard = dropped.on_drop();
                entered.happens();
                async move {
                    let _guard = guard;
                    std::future::pending().await
                }
            })
        };
        let address = rig.open("stuck", &[], stuck).await;
        let http = if two { Http::http2() } else { Http::new() };
        let url = format!("http://{address}/");
        tokio::select! {
            _ = http.get(&url) => panic!("nobody answered"),
            () = entered.wait() => {}
        }
        drop(http);
        dropped.wait().await;
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_drops_the_body() {
    let rig = Rig::new();
    let dropped = Once::default();
    let endless = {
        let dropped = dropped.clone();
        actor(move |_, _| {
            let guard = dropped.on_drop();
            async move {
                let frames = futures::stream::repeat_with(move || {
                    let _guard = &guard;
                    Ok(http_body::Frame::data(Bytes::from_static(&[1; 4096])))
                });
                Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
            }
        })
    };
    let address = rig.open("endless", &[], endless).await;
    let mut body = Http::new().open("GET", &format!("http://{address}/"), &[], "").await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    dropped.wait().await;
}

#[tokio::test]
async fn an_update_leaves_requests_under_way_alone() {
    let rig = Rig::new();
    let (entered, go_on) = (Once::default(), Once::default());
    let slow = |says: &'static str| {
        let (entered, go_on) = (entered.clone(), go_on.clone());
        actor(move |_, _| {
            entered.happens();
            let go_on = go_on.clone();
            async move {
                go_on.wait().await;
                Ok(Response::new(full(says)))
            }
        })
    };
    let url = format!("http://{}/", rig.open("a", &[], slow("old")).await);
    let http = Http::new();
    let old = http.get(&url);
    let update = async {
        entered.wait().await;
        rig.open("a", &[("max_body_bytes", "1")], says("new")).await;
        assert_eq!(http.get(&url).await.unwrap().text(), "new /");
        go_on.happens();
    };
    let (old, ()) = tokio::join!(old, update);
    assert_eq!(old.unwrap().text(), "old");
}

#[tokio::test]
async fn a_kept_connection_goes_by_the_routes_as_they_are() {
    let rig = Rig::new();
    let address = rig.open("a", &[], says("old")).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"old /") {
        let read = timeout(SOON, stream.read_buf(&mut answer)).await.expect("no answer").unwrap();
        assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(rig.open("a", &[], says("new")).await, address);
    let last = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(last).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("new /"), "{answer}");
}

#[tokio::test]
async fn stopping_lets_requests_end_and_takes_no_more() {
    let rig = Rig::new();
    let (entered, go_on) = (Once::default(), Once::default());
    let slow = {
        let (entered, go_on) = (entered.clone(), go_on.clone());
        actor(move |_, _| {
            entered.happens();
            let go_on = go_on.clone();
            async move {
                go_on.wait().await;
                Ok(Response::new(full("late but whole")))
            }
        })
    };
    let address = rig.open("slow", &[], slow).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.wait().await;
    let stop = rig.server.stop(Instant::now() + SOON);
    let client = async {
        lattice_testkit::until("the port is closed", SOON, || async {
            TcpStream::connect(address).await.err()
        })
        .await
        .unwrap();
        go_on.happens();
        rest(&mut stream).await
    };
    let ((), answer) = tokio::join!(stop, client);
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("late but whole"), "{answer}");
    assert_eq!(rig.whole().word(), "stopping");
    rig.tasks.close();
    timeout(SOON, rig.tasks.wait()).await.expect("a task outlived the provider");
}

#[tokio::test]
async fn stopping_breaks_off_what_does_not_end() {
    let rig = Rig::new();
    let (entered, dropped) = (Once::default(), Once::default());
    let stuck = {
        let (entered, dropped) = (entered.clone(), dropped.clone());
        actor(move |_, _| {
            let guard = dropped.on_drop();
            entered.happens();
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
    };
    let address = rig.open("stuck", &[], stuck).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.wait().await;
    timeout(SOON, rig.server.stop(Instant::now())).await.expect("it did not stop");
    dropped.wait().await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_nothing_that_cannot_be_broken_off() {
    let rig = Rig::new();
    let entered = Once::default();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let stuck = {
        let entered = entered.clone();
        actor(move |_, _| {
            let (entered, released) = (entered.clone(), released.clone());
            async move {
                entered.happens();
                // Holds its thread in the middle of a step, where no task can be ended.
                let _ = released.lock().unwrap().recv();
                Ok(Response::new(full("")))
            }
        })
    };
    let address = rig.open("stuck", &[], stuck).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.wait().await;
    timeout(SOON, rig.server.stop(Instant::now())).await.expect("it did not stop");
    release.send(()).unwrap();
}
