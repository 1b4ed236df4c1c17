//! An actor on one host uses providers on another.

use std::{io::Write as _, net::TcpListener, time::Duration};

use lattice_core::State;
use lattice_testkit::until;
use lattice_tests::Stage;

#[tokio::test]
async fn an_actor_counts_in_a_store_on_another_host() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.serving(&[], "kvcounter", 10).await;
    let (mut back, back_id) = stage.host(&[]).await;
    stage.link("kvcounter", "store", "wasi:keyvalue", &[]).await;
    let waits = |state: &State| matches!(state, State::Pending(why) if why.contains("store runs nowhere"));
    stage.until_link(&front_id, "kvcounter", "store", waits).await;
    let url = format!("http://{address}/visits");
    let refused = stage.http.get(&url).await.unwrap();
    assert!(refused.status >= 500, "{}", refused.text());

    stage.start_provider(&back_id, "store", "builtin://keyvalue-nats").await.unwrap();
    stage.until_link(&front_id, "kvcounter", "store", |state| *state == State::Ready).await;
    let clients = (0..4).map(|_| async {
        for _ in 0..10 {
            assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
        }
    });
    futures::future::join_all(clients).await;
    assert_eq!(stage.http.get(&url).await.unwrap().text().trim(), "{\"counter\":41}");

    // A store of one's own goes first, and finds what the other one wrote.
    stage.start_provider(&front_id, "store", "builtin://keyvalue-nats").await.unwrap();
    back.process.kill();
    let counted = || async {
        let answer = stage.http.get(&url).await.unwrap();
        (answer.status == 200).then_some(answer.text())
    };
    let text = until("it counts on", Duration::from_secs(10), counted).await.unwrap();
    assert!(text.contains("\"counter\":42"), "{text}");
}

#[tokio::test]
async fn an_actor_makes_requests_through_a_client_on_another_host() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.serving(&[], "probe", 10).await;
    let (_back, back_id) = stage.host(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _read = std::io::Read::read(&mut socket, &mut request).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere").unwrap();
    });
    stage.start_provider(&back_id, "out", "builtin://http-client").await.unwrap();
    let (allow, allow_private) = (elsewhere.to_string(), "true");
    stage.link("probe", "out", "wasi:http", &[("allow", &allow), ("allow_private", allow_private)]).await;
    stage.until_link(&back_id, "probe", "out", |state| *state == State::Ready).await;
    stage.until_link(&front_id, "probe", "out", |state| *state == State::Ready).await;
    let through = |url: String| {
        let stage = &stage;
        let address = &address;
        async move { stage.http.get(&format!("http://{address}/http?url={url}")).await.unwrap() }
    };
    let answer = through(format!("http://{elsewhere}/")).await;
    assert!(answer.text().contains("there"), "{} {}", answer.status, answer.text());
    server.join().unwrap();
    // What the link does not allow is denied there, and the actor is told so.
    let denied = through("http://127.0.0.1:9/".to_owned()).await;
    assert!(denied.status >= 400 && denied.text().contains("Denied"), "{} {}", denied.status, denied.text());
}
