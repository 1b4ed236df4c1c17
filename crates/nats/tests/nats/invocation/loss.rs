//! What is lost, and what comes of it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use lattice_core::{CallTo, ErrorCode};
use lattice_nats::{Called, Calls, Outbound, Received};
use lattice_testkit::until;
use tokio::{task::JoinSet, time::Instant};

use super::{ask, call, caller, caller_on, child, echo, greet, parts, serving};
use crate::{LONG, host, join, server};

/// Silence, with what a busy machine may add.
const SOON: Duration = Duration::from_secs(15);

fn function(name: &str) -> Called {
    Called { function: name.to_owned(), ..greet() }
}

fn to_child() -> CallTo {
    CallTo::Host(host('C'))
}

#[tokio::test]
async fn a_killed_callee_is_noticed_whatever_the_deadline() {
    let server = server().await;
    let mut process = child::start(&server).await;
    let calls = caller(&server).await;
    let asked = call();
    let waiting = calls.call(&asked, CallTo::Anyone, function("never"), Outbound::Whole("x".into()));
    let mut stream =
        calls.call(&call(), to_child(), function("stream"), Outbound::Whole("x".into())).await.unwrap();
    let killing = async {
        assert_eq!(ask(&calls, to_child(), "hello").await.unwrap(), "hello");
        process.kill();
        Instant::now()
    };
    let (waited, killed) = tokio::join!(waiting, killing);
    let error = waited.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, false), "{error}");
    while let Some(Ok(_)) = stream.next().await {}
    assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
    let error = ask(&calls, to_child(), "hello").await.unwrap_err();
    assert!(error.not_run, "the broker knows that it is gone: {error}");
}

#[tokio::test]
async fn a_frozen_callee_is_noticed_and_does_not_run_what_waited_when_it_is_thawed() {
    let server = server().await;
    let mut process = child::start(&server).await;
    let calls = caller(&server).await;
    assert_eq!(ask(&calls, to_child(), "hello").await.unwrap(), "hello");
    process.pause();
    let asking = ask(&calls, to_child(), "late");
    let thawing = async {
        // How long it is frozen is what is tested: longer than a clock may be late, shorter than silence.
        tokio::time::sleep(Duration::from_millis(1800)).await;
        process.resume();
    };
    let (answer, ()) = tokio::join!(asking, thawing);
    let error = answer.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, true), "{error}");
    assert!(error.reason.starts_with("stale"), "{error}");
    // What is sent after that is fresh again.
    let fresh = async || ask(&calls, to_child(), "hello").await.ok();
    assert_eq!(until("it serves again", LONG, fresh).await.unwrap(), "hello");
    // Frozen for good.
    process.pause();
    let begun = Instant::now();
    let error = ask(&calls, to_child(), "never").await.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, false), "{error}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    process.resume();
}

#[tokio::test]
async fn a_caller_that_vanishes_is_noticed_by_an_open_stream() {
    let server = server().await;
    let callee =
        serving(&server, 'A', async |_: Received| Ok(parts(u64::from(u32::MAX), Arc::default()))).await;
    // A runtime of its own, to be ended without a goodbye.
    let (url, ready) = (server.url(), Arc::new(tokio::sync::Notify::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let streams = Arc::clone(&ready);
    runtime.spawn(async move {
        let options = lattice_nats::ConnectOptions::to(&url);
        let conn = lattice_nats::Connection::connect(options, LONG).await.unwrap();
        let calls = caller_on(&conn).await;
        let mut reply =
            calls.call(&call(), CallTo::Host(host('A')), greet(), Outbound::Whole("x".into())).await.unwrap();
        reply.next().await.unwrap().unwrap();
        streams.notify_one();
        std::future::pending::<()>().await;
    });
    tokio::time::timeout(LONG, ready.notified()).await.unwrap();
    assert_eq!(callee.calls.counts().served, 1);
    runtime.shutdown_background();
    let vanished = Instant::now();
    let none = async || (callee.calls.counts().served == 0).then_some(());
    until("the callee has let the call go", LONG, none).await.unwrap();
    assert!(vanished.elapsed() < SOON, "{:?}", vanished.elapsed());
}

/// Notes whose calls it has served.
async fn noting(server: &lattice_testkit::NatsServer) -> (super::Callee, Arc<Mutex<BTreeSet<u128>>>) {
    let served = Arc::new(Mutex::new(BTreeSet::new()));
    let notes = Arc::clone(&served);
    let callee = serving(server, 'A', move |request: Received| {
        notes.lock().unwrap().insert(request.call.id.bits());
        echo(request)
    })
    .await;
    (callee, served)
}

/// Calls on and on; what was said not to have been run.
async fn storm(calls: Calls, until: Instant) -> BTreeSet<u128> {
    let mut not_run = BTreeSet::new();
    while Instant::now() < until {
        let asked = call();
        match calls.call(&asked, CallTo::Host(host('A')), greet(), Outbound::Whole("x".into())).await {
            Err(error) if error.not_run => {
                not_run.insert(asked.id.bits());
                tokio::task::yield_now().await;
            }
            Ok(_) | Err(_) => {}
        }
    }
    not_run
}

#[tokio::test]
async fn what_is_called_while_away_fails_at_once_and_nothing_arrives_late() {
    let mut server = server().await;
    let (_callee, served) = noting(&server).await;
    let conn = join(&server).await;
    let (calls, mut not_run) = (caller_on(&conn).await, BTreeSet::new());
    let mut storms = JoinSet::new();
    let end = Instant::now() + Duration::from_secs(4);
    for _ in 0..8 {
        storms.spawn(storm(calls.clone(), end));
    }
    for _ in 0..3 {
        server.stop().await.unwrap();
        let away = async || (!conn.is_connected()).then_some(());
        until("the client knows", LONG, away).await.unwrap();
        let begun = Instant::now();
        for _ in 0..100 {
            let asked = call();
            let error = calls
                .call(&asked, CallTo::Host(host('A')), greet(), Outbound::Whole("x".into()))
                .await
                .unwrap_err();
            assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, true), "{error}");
            not_run.insert(asked.id.bits());
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        server.restart().await.unwrap();
        let back = async || ask(&calls, CallTo::Host(host('A')), "x").await.ok();
        until("calls arrive again", LONG, back).await.unwrap();
    }
    while let Some(storm) = storms.join_next().await {
        not_run.extend(storm.unwrap());
    }
    assert_eq!(ask(&calls, CallTo::Host(host('A')), "x").await.unwrap(), "x");
    let served = served.lock().unwrap();
    let late: Vec<_> = served.intersection(&not_run).collect();
    assert!(late.is_empty(), "{} calls were said not to have been run", late.len());
    assert_eq!(calls.counts().open, 0);
}

#[tokio::test]
async fn a_lost_connection_ends_what_waits() {
    let mut server = server().await;
    let _callee = serving(&server, 'A', async |_: Received| std::future::pending().await).await;
    let calls = caller(&server).await;
    let asked = call();
    let waiting =
        calls.call(&asked, CallTo::Host(host('A')), greet(), Outbound::Whole(Bytes::from_static(b"x")));
    let stopping = async {
        let one = async || (_callee.calls.counts().served == 1).then_some(());
        until("the call is being served", LONG, one).await.unwrap();
        server.kill();
        Instant::now()
    };
    let (answer, killed) = tokio::join!(waiting, stopping);
    let error = answer.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, false), "{error}");
    assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_in_order_loses_no_call_that_was_on_its_way() {
    let server = server().await;
    let stays = serving(&server, 'B', echo).await;
    let calls = caller(&server).await;
    for round in 0..20 {
        let leaves = serving(&server, 'A', echo).await;
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..16 {
            let (calls, ended) = (calls.clone(), Arc::clone(&ended));
            clients.spawn(async move {
                let to = if client % 2 == 0 { CallTo::Anyone } else { CallTo::Host(host('A')) };
                // The last one of each leaves when nobody is there any more.
                loop {
                    let is_last = ended.load(std::sync::atomic::Ordering::Acquire);
                    match ask(&calls, to.clone(), "x").await {
                        Ok(_) => {}
                        Err(error) => assert!(error.not_run, "round {round}: {error}"),
                    }
                    if is_last {
                        return;
                    }
                }
            });
        }
        leaves.serving.end().await;
        ended.store(true, std::sync::atomic::Ordering::Release);
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        // It is gone for the server, too, and the other one is there for all.
        let error = ask(&calls, CallTo::Host(host('A')), "x").await.unwrap_err();
        assert!(error.not_run, "{error}");
        assert_eq!(ask(&calls, CallTo::Anyone, "x").await.unwrap(), "x");
        assert_eq!(leaves.calls.counts().served, 0);
        leaves.calls.close().await;
    }
    drop(stays);
}

#[tokio::test]
async fn who_stops_while_the_server_is_away_does_not_wait_for_it() {
    let mut server = server().await;
    let leaves = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    assert_eq!(ask(&calls, CallTo::Host(host('A')), "x").await.unwrap(), "x");
    server.kill();
    tokio::time::timeout(LONG, leaves.serving.end()).await.expect("nobody answers, and nobody is waited for");
}
