//! A socket that takes nothing more, since the NATS server does not read.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lattice_core::{CallError, CallTo, ErrorCode};
use lattice_nats::{Calls, Outbound, Received};
use lattice_testkit::until;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{ask, call, call_within, caller, echo, greet, pattern, serving};
use crate::{LONG, host, server};

/// More than the client and both sockets hold, each as large as one message may be.
const FILLING: usize = 600;
const FILLING_BYTES: usize = 256 * 1024;
const SMALL: usize = 500;
/// Silence, with what a busy machine may add.
const SOON: Duration = Duration::from_secs(15);

/// Has the socket of `calls` full, or so many messages wait for it that all after them do so, too.
async fn fill(calls: &Calls) -> JoinSet<()> {
    let (mut filling, before) = (JoinSet::new(), calls.counts().made);
    for _ in 0..FILLING {
        let calls = calls.clone();
        filling.spawn(async move {
            let whole = Outbound::Whole(pattern(0, FILLING_BYTES));
            let _ = calls.call(&call(), CallTo::Host(host('Z')), greet(), whole).await;
        });
    }
    let all = async || (calls.counts().made == before + FILLING).then_some(());
    until("all that fills the socket is on its way", LONG, all).await.unwrap();
    filling
}

#[tokio::test]
async fn small_calls_wait_no_longer_than_all_others_and_none_leaves_late() {
    let mut server = server().await;
    let served = Arc::new(Mutex::new(BTreeSet::new()));
    let notes = Arc::clone(&served);
    let _callee = serving(&server, 'A', move |request: Received| {
        notes.lock().unwrap().insert(request.call.id.bits());
        echo(request)
    })
    .await;
    let calls = caller(&server).await;
    ask(&calls, CallTo::Host(host('A')), "x").await.unwrap();
    server.pause();
    let _filling = fill(&calls).await;
    let (mut small, began) = (JoinSet::new(), Instant::now());
    for _ in 0..SMALL {
        let calls = calls.clone();
        small.spawn(async move {
            let asked = call();
            let answer =
                calls.call(&asked, CallTo::Host(host('A')), greet(), Outbound::Whole("x".into())).await;
            (asked.id.bits(), answer.unwrap_err())
        });
    }
    let all: Vec<(u128, CallError)> = timeout(LONG, small.join_all()).await.unwrap();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    server.resume();
    let again = async || ask(&calls, CallTo::Host(host('A')), "x").await.ok();
    until("calls arrive again", LONG, again).await.unwrap();
    let served = served.lock().unwrap();
    for (id, error) in all {
        assert_eq!(error.code, ErrorCode::Unreachable, "{error}");
        assert!(!served.contains(&id), "a call ran after its caller was told: {error}");
    }
}

#[tokio::test]
async fn a_call_is_open_until_its_reply_has_left() {
    let mut server = server().await;
    let (gate, answered) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (closed, count) = (Arc::clone(&gate), Arc::clone(&answered));
    let callee = serving(&server, 'A', move |request: Received| {
        let (gate, answered) = (Arc::clone(&closed), Arc::clone(&count));
        async move {
            gate.acquire().await.unwrap().forget();
            answered.fetch_add(1, Ordering::Relaxed);
            echo(request).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut asking = JoinSet::new();
    for _ in 0..SMALL {
        let calls = calls.clone();
        asking.spawn(async move {
            let asked = call_within(LONG);
            calls.call(&asked, CallTo::Host(host('A')), greet(), Outbound::Whole("x".into())).await
        });
    }
    let all = async || (callee.calls.counts().served == SMALL).then_some(());
    until("all calls are being served", LONG, all).await.unwrap();
    server.pause();
    let filling = fill(&callee.calls).await;
    gate.add_permits(SMALL);
    let all = async || (answered.load(Ordering::Relaxed) == SMALL).then_some(());
    until("all calls are answered", LONG, all).await.unwrap();
    assert_eq!(callee.calls.counts().served, SMALL, "no reply has left");
    server.resume();
    let answers = timeout(LONG, asking.join_all()).await.unwrap();
    drop(filling);
    let none = async || (callee.calls.counts().served == 0).then_some(());
    until("all replies have left", LONG, none).await.unwrap();
    // On a machine that stood still for so long as to be silence, some callers heard that; no reply was lost without that.
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(error.reason.contains("nothing came from"), "{error}");
    }
}
