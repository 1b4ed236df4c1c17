//! An actor on one host uses providers on another.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use lattice_core::{Distance, State};
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

/// A server elsewhere that answers everything with `there`, but requests of `/held` only when it is let.
struct Elsewhere {
    address: SocketAddr,
    held: mpsc::Receiver<()>,
    let_go: mpsc::Sender<()>,
}

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (holds, held) = mpsc::channel();
        let (let_go, waits) = mpsc::channel::<()>();
        // It ends with the test's process.
        thread::spawn(move || {
            let mut waits = Some(waits);
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let mut request = [0; 4096];
                let read = socket.read(&mut request).unwrap_or(0);
                if !request[..read].starts_with(b"GET /held") {
                    answer(socket);
                } else if let Some(waits) = waits.take() {
                    holds.send(()).unwrap();
                    thread::spawn(move || {
                        let _let_go_or_gone = waits.recv();
                        answer(socket);
                    });
                }
            }
        });
        Self { address, held, let_go }
    }

    async fn until_held(&self) {
        let held = async || self.held.try_recv().ok();
        until("the server has the request", Duration::from_secs(20), held).await.unwrap();
    }
}

fn answer(mut socket: TcpStream) {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere";
    // Who went away needs no answer.
    let _ = socket.write_all(answer);
}

#[tokio::test]
async fn a_provider_that_stops_or_dies_is_replaced_by_another_host_s() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.serving(&["--drain-timeout", "60"], "probe", 10).await;
    let (_back, back_id) = stage.host(&[]).await;
    let (mut third, third_id) = stage.host(&[]).await;
    let elsewhere = Elsewhere::start();
    let allowed = elsewhere.address.to_string();
    let config = [("allow", allowed.as_str()), ("allow_private", "true")];
    for id in [&front_id, &back_id] {
        stage.start_provider(id, "out", "builtin://http-client").await.unwrap();
    }
    stage.link("probe", "out", "wasi:http", &config).await;
    for id in [&front_id, &back_id] {
        stage.until_link(id, "probe", "out", |state| *state == State::Ready).await;
    }
    let there = async |path: &str| {
        let url = format!("http://{address}/http?url=http://{allowed}{path}");
        let answer = stage.http.get(&url).await.unwrap();
        assert!(
            answer.status == 200 && answer.text().contains("there"),
            "{} {}",
            answer.status,
            answer.text()
        );
    };
    there("/").await;

    // The one here stops, and waits for a request that is under way; others go to the host that has another.
    let held = there("/held");
    // It is answered when nothing of the provider is left; how long that takes here is the server's to say.
    let out = "out".parse().unwrap();
    let stop = async {
        elsewhere.until_held().await;
        let _ended_or_too_long = stage.client.stop_provider(&front_id, &out).await;
    };
    let meanwhile = async {
        let stopping = |inventory: &lattice_control_interface::HostInventory| {
            let found = inventory.providers.iter().find(|provider| provider.id.as_str() == "out");
            found.and_then(|provider| provider.state()) == Some(State::Stopping)
        };
        stage.until(&front_id, stopping).await;
        for _ in 0..5 {
            there("/").await;
        }
        stage.until(&front_id, stopping).await;
        elsewhere.let_go.send(()).unwrap();
    };
    futures::join!(held, stop, meanwhile);
    stage.until(&front_id, |inventory| inventory.providers.iter().all(|one| one.id.as_str() != "out")).await;

    // One of many dies: nobody answers there, so its calls go to the other two.
    for id in [&front_id, &third_id] {
        stage.start_provider(id, "out", "builtin://http-client").await.unwrap();
    }
    stage.link_at("probe", "out", "wasi:http", &config, Distance::Lattice).await;
    for id in [&front_id, &back_id, &third_id] {
        stage.until_link(id, "probe", "out", |state| *state == State::Ready).await;
    }
    for _ in 0..10 {
        there("/").await;
    }
    third.process.kill();
    for _ in 0..20 {
        there("/").await;
    }
}
