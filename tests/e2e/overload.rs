//! Above its concurrency an actor's calls wait in a bounded queue, then are refused; no permit is ever lost.

use std::time::{Duration, Instant};

use futures::future::join_all;
use lattice_control_interface::ScaleComponentCommand;
use lattice_core::State;
use lattice_testkit::free_port;
use lattice_tests::Stage;
use tokio::task::JoinSet;

/// Calls that may wait where an actor serves one at a time.
const QUEUE: u64 = 64;

#[tokio::test]
async fn beyond_the_queue_calls_are_refused_and_clients_that_leave_make_room() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "misbehave", 1).await;
    let url = |path: &str| format!("http://{address}{path}");

    let mut clients = JoinSet::new();
    for _ in 0..=QUEUE {
        let (http, url) = (stage.http.clone(), url("/sleep?ms=20000"));
        clients.spawn(async move { http.get(&url).await.map(|answer| answer.status) });
    }
    stage.until_load(&id, "misbehave", |busy, waiting| (busy, waiting) == (1, QUEUE)).await;
    let began = Instant::now();
    let refused = stage.http.get(&url("/")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "a refusal does not wait");
    assert_eq!((refused.status, refused.json()["error"].as_str()), (503, Some("overloaded")));
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(refused.text().contains("all 1 permits are taken and 64 calls wait"), "{}", refused.text());

    // They all leave, the one being served and those that wait: long before the guest would have answered, all is free.
    clients.shutdown().await;
    stage.until_idle(&id, "misbehave").await;
    assert_eq!(stage.http.get(&url("/")).await.unwrap().status, 200);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn who_waits_too_long_is_told_so() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "misbehave", 1).await;
    // The same actor, behind an address where nobody has much patience.
    stage.start_provider(&id, "hasty", "builtin://http-server").await.unwrap();
    let hasty = format!("127.0.0.1:{}", free_port().unwrap());
    let config = [("address", hasty.as_str()), ("request_timeout_ms", "200")];
    stage.link("hasty", "misbehave", "wasi:http", &config).await;
    stage.until_link(&id, "hasty", "misbehave", |state| *state == State::Ready).await;

    let long = format!("http://{address}/sleep?ms=20000");
    let waits = async {
        stage.until_load(&id, "misbehave", |busy, _| busy == 1).await;
        let answer = stage.http.get(&format!("http://{hasty}/")).await.unwrap();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (504, Some("deadline")));
        assert!(answer.text().contains("still waiting for a permit"), "{}", answer.text());
    };
    tokio::select! {
        served = stage.http.get(&long) => panic!("{served:?} came first"),
        () = waits => {}
    }
    stage.until_idle(&id, "misbehave").await;
    assert_eq!(stage.http.get(&format!("http://{hasty}/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_waits_is_served_in_its_turn() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "misbehave", 1).await;
    let url = format!("http://{address}/sleep?ms=50");
    let began = Instant::now();
    let answers = join_all((0..10).map(|_| stage.http.get(&url))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().status == 200));
    assert!(began.elapsed() >= Duration::from_millis(500), "one at a time");
    // Another size takes effect at once, and nothing of the old one is left.
    let resize = ScaleComponentCommand::new("misbehave".parse().unwrap(), "", 10);
    stage.scale(&id, &resize).await.unwrap();
    let url = format!("http://{address}/sleep?ms=20000");
    tokio::select! {
        served = join_all((0..10).map(|_| stage.http.get(&url))) => panic!("{served:?} came first"),
        () = stage.until_load(&id, "misbehave", |busy, waiting| (busy, waiting) == (10, 0)) => {}
    }
    stage.until_idle(&id, "misbehave").await;
}

#[tokio::test]
async fn no_end_of_a_call_keeps_its_permit() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&["--max-execution-time-ms", "1000"], "misbehave", 1).await;
    let url = |path: &str| format!("http://{address}{path}");
    for round in 0..2 {
        for (path, status) in [("/trap", 500), ("/sleep?ms=20000", 504), ("/nothing", 404), ("/", 200)] {
            assert_eq!(stage.http.get(&url(path)).await.unwrap().status, status, "{path}, round {round}");
        }
        // A body that breaks off, a client that goes in the middle of one, and one that never reads.
        let _broken = stage.http.get(&url("/panic-after-head")).await;
        drop(stage.http.open("GET", &url("/early?n=100&ms=50"), &[], "").await.unwrap());
        let unread = stage.http.open("GET", &url("/big?bytes=50000000"), &[], "").await.unwrap();
        // The actor's time ends what nobody reads.
        stage.until_idle(&id, "misbehave").await;
        drop(unread);
    }
    assert_eq!(stage.http.get(&url("/")).await.unwrap().status, 200);
}
