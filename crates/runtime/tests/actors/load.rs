//! More calls than permits, calls that end in every way, actors that stop and change their size.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use lattice_contracts::http::{Incoming, empty};
use lattice_core::ErrorCode;
use lattice_runtime::{Limits, NotEntered};
use tokio::{task::JoinSet, time::Instant};

use crate::support::{World, call, get, request, runtime, start, text, until};

fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_permits_calls_wait_and_beyond_the_queue_they_are_refused() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |spec| {
        (spec.concurrency, spec.queue) = (n(2), 3);
    })
    .await;
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let actor = actor.clone();
        calls.spawn(async move { text(&actor, "/sleep?ms=200").await.0 });
    }
    until("two run and three wait", || (actor.stats().in_flight, actor.stats().waiting) == (2, 3)).await;
    let refused = get(&actor, "/").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    assert!(refused.reason.contains("all 2 permits are taken and 3 calls wait"), "{refused}");
    assert_eq!(calls.join_all().await, [200; 5]);
    assert_eq!((actor.stats().ok, actor.stats().overloaded), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_permit_counts_against_the_deadline() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.concurrency = n(1)).await;
    let busy = get(&actor, "/early?n=1000&ms=100").await.unwrap();
    let refused = actor.handle(call(Duration::from_millis(100)), request("/", empty())).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Deadline);
    assert!(refused.reason.contains("waiting for a permit"), "{refused}");
    drop(busy);
    assert_eq!(text(&actor, "/").await.0, 200);
}

/// One call, ended in one of the ways calls end.
async fn some_call(actor: Arc<lattice_runtime::Actor>, way: usize) {
    let short = Duration::from_millis(30);
    let leave = |path: &'static str| {
        let actor = actor.clone();
        async move { tokio::time::timeout(short, get(&actor, path)).await.ok() }
    };
    match way {
        0 => drop(get(&actor, "/").await),
        1 => drop(get(&actor, "/trap").await),
        2 => drop(actor.handle(call(short), request("/sleep?ms=5000", empty())).await),
        3 => drop(leave("/sleep?ms=5000").await),
        4 => drop(get(&actor, "/early?n=100&ms=10").await),
        5 => drop(actor.handle(call(short), request("/loop", empty())).await),
        6 => {
            if let Ok(response) = get(&actor, "/panic-after-head").await {
                drop(response.into_body().collect().await);
            }
        }
        7 => drop(get(&actor, "/leak").await),
        8 => {
            if let Ok(response) = get(&actor, "/big?bytes=300000").await {
                drop(response.into_body().collect().await);
            }
        }
        _ => drop(actor.handle(call(short), request("/early?n=100&ms=10", empty())).await),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_calls_end_every_permit_comes_back() {
    for reuse in [1, 3] {
        let runtime = runtime();
        let actor = start(&runtime, "misbehave", &World::new(), |spec| {
            (spec.concurrency, spec.queue, spec.reuse) = (n(4), 4, n(reuse));
            spec.limits = Limits { handles: 2_000, cpu: Duration::from_millis(200), ..Limits::default() };
        })
        .await;
        // A fixed order that mixes all ways: 7 and 10 have no divisor in common with each other's steps.
        let mut calls = JoinSet::new();
        for index in 0..200_usize {
            calls.spawn(some_call(actor.clone(), (index * 7 + index / 10) % 10));
            if calls.len() >= 10 {
                calls.join_next().await.unwrap().unwrap();
            }
        }
        calls.join_all().await;
        until("everything ends", || actor.stats().in_flight == 0).await;
        // Each permit is there: as many calls as there are permits hold one at once.
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(get(&actor, "/early?n=1000&ms=10").await.unwrap());
        }
        assert_eq!(actor.stats().in_flight, 4);
        let stats = actor.stats();
        for (what, count) in [
            ("ok", stats.ok),
            ("trap", stats.trap),
            ("deadline", stats.deadline),
            ("cancelled", stats.cancelled),
            ("overloaded", stats.overloaded),
        ] {
            assert!(count > 0, "no call ended as {what}: {stats:?}");
        }
        drop(held);
        actor.drain(Instant::now() + Duration::from_secs(5)).await;
        assert_eq!(runtime.describe().host_memory_used, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_drains() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let slow = get(&actor, "/trickle?n=3&ms=50").await.unwrap();
    let (clean, body) =
        tokio::join!(actor.drain(Instant::now() + Duration::from_secs(10)), slow.into_body().collect());
    assert!(clean);
    assert_eq!(body.unwrap().to_bytes(), "line 1\nline 2\nline 3\n");
    assert_eq!(get(&actor, "/").await.unwrap_err().code, ErrorCode::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_actor_serves_who_waits_and_leaves_new_calls_to_its_successor() {
    let runtime = runtime();
    let [old, new] = [(); 2].map(|()| async {
        start(&runtime, "misbehave", &World::new(), |spec| spec.concurrency = n(1)).await
    });
    let (old, new) = tokio::join!(old, new);
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let old = old.clone();
        calls.spawn(async move { text(&old, "/sleep?ms=100").await.0 });
    }
    until("one runs and two wait", || (old.stats().in_flight, old.stats().waiting) == (1, 2)).await;
    let retiring = old.clone();
    let mut ends = JoinSet::new();
    ends.spawn(async move { retiring.retire(Instant::now() + Duration::from_secs(20)).await });
    let late = call(Duration::from_secs(20));
    let mut refused = None;
    until("new calls are refused", || {
        let entered = futures::FutureExt::now_or_never(old.enter(&late));
        refused = entered.and_then(Result::err);
        refused.is_some()
    })
    .await;
    assert!(matches!(&refused, Some(NotEntered::Retired(error)) if error.code == ErrorCode::Unreachable));
    // Nothing of the request is used up, so it goes to the successor as it is.
    let ticket = new.enter(&late).await.unwrap();
    assert_eq!(ticket.handle(late, request("/", empty())).await.unwrap().status(), 200);
    assert_eq!(calls.join_all().await, [200; 3]);
    assert_eq!(ends.join_all().await, [true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retirement_breaks_off_at_its_deadline() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.concurrency = n(1)).await;
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let actor = actor.clone();
        calls.spawn(async move { get(&actor, "/sleep?ms=20000").await.err().map(|error| error.code) });
    }
    until("one runs and one waits", || (actor.stats().in_flight, actor.stats().waiting) == (1, 1)).await;
    assert!(!actor.retire(Instant::now() + Duration::from_millis(100)).await);
    let mut ends = calls.join_all().await;
    ends.sort_by_key(|code| *code == Some(ErrorCode::Unreachable));
    assert_eq!(ends, [Some(ErrorCode::Cancelled), Some(ErrorCode::Unreachable)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_breaks_off_what_does_not_end() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let mut body = get(&actor, "/early?n=1000&ms=100").await.unwrap().into_body();
    let mut sleeping = JoinSet::new();
    let sleeper = actor.clone();
    sleeping.spawn(async move { get(&sleeper, "/sleep?ms=20000").await.err().map(|error| error.code) });
    until("both run", || actor.stats().in_flight == 2).await;
    let clean = actor.drain(Instant::now() + Duration::from_millis(100)).await;
    assert!(!clean);
    let end = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error.to_string(),
            None => panic!("the body looks complete"),
        }
    };
    assert!(end.contains("stopped"), "{end}");
    assert_eq!(sleeping.join_all().await, [Some(ErrorCode::Cancelled)]);
    assert_eq!(actor.stats().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrency_can_be_changed_while_calls_run() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.concurrency = n(4)).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(get(&actor, "/early?n=1000&ms=10").await.unwrap());
    }
    actor.resize(n(1), 10);
    drop(held);
    until("the calls end", || actor.stats().in_flight == 0).await;
    let _one = get(&actor, "/early?n=1000&ms=10").await.unwrap();
    let wait = actor.handle(call(Duration::from_millis(100)), request("/", empty())).await;
    assert_eq!(wait.unwrap_err().code, ErrorCode::Deadline);
    actor.resize(n(2), 0);
    assert_eq!(text(&actor, "/").await.0, 200);
}
