//! Typed errors that name the hop.

use std::time::Duration;

use lattice_core::{ActorId, CallError, CallTo, ErrorCode, Hop};
use lattice_nats::Outbound;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{ask, ask_as, call, call_within, caller, echo, serving};
use crate::{host, server};

#[tokio::test]
async fn an_error_arrives_as_it_was_made() {
    let server = server().await;
    let made = CallError::new(
        Hop::Actor(ActorId::new("greeter").unwrap()),
        ErrorCode::Trap,
        "unreachable: wäh\nline 2",
    );
    let sent = made.clone();
    let _callee = serving(&server, 'A', move |_| std::future::ready(Err(sent.clone()))).await;
    let calls = caller(&server).await;
    assert_eq!(ask(&calls, CallTo::Anyone, "x").await.unwrap_err(), made);
    let refused = CallError::new(Hop::Host(host('A')), ErrorCode::Overloaded, "full").not_run();
    let sent = refused.clone();
    let _other = serving(&server, 'B', move |_| std::future::ready(Err(sent.clone()))).await;
    assert_eq!(ask(&calls, CallTo::Host(host('B')), "x").await.unwrap_err(), refused);
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_ends_it() {
    let server = server().await;
    let made = CallError::new(Hop::Host(host('A')), ErrorCode::Backend, "the disk is full");
    let sent = made.clone();
    let _callee = serving(&server, 'A', move |_| {
        let parts = [Ok(super::pattern(0, 300_000)), Err(sent.clone())];
        std::future::ready(Ok(Outbound::Stream(Box::pin(futures::stream::iter(parts)))))
    })
    .await;
    let calls = caller(&server).await;
    let mut reply =
        calls.call(&call(), CallTo::Anyone, super::greet(), Outbound::Whole("x".into())).await.unwrap();
    let error = super::read_pattern(&mut reply).await.unwrap_err();
    assert_eq!(error, made);
    assert!(reply.next().await.is_none(), "nothing after the end");
}

#[tokio::test]
async fn a_failing_request_stream_is_the_callers_own_error() {
    let server = server().await;
    let _callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    let made =
        CallError::new(Hop::Actor(ActorId::new("web").unwrap()), ErrorCode::Cancelled, "the client hung up");
    let parts = [Ok(super::pattern(0, 300_000)), Err(made.clone())];
    let request = Outbound::Stream(Box::pin(futures::stream::iter(parts)));
    let error = calls.call(&call(), CallTo::Anyone, super::greet(), request).await.unwrap_err();
    assert_eq!(error, made);
}

#[tokio::test]
async fn a_panic_is_contained_and_told() {
    let server = server().await;
    let callee = serving(&server, 'A', async |request: lattice_nats::Received| {
        assert!(&*request.function != "hello", "broken on purpose");
        Ok(Outbound::Whole("fine".into()))
    })
    .await;
    let calls = caller(&server).await;
    let error = ask(&calls, CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!(error.hop, Hop::Host(host('A')));
    assert!(error.reason.contains("internal error"), "{error}");
    let other = lattice_nats::Called { function: "other".into(), ..super::greet() };
    calls.call(&call(), CallTo::Anyone, other, Outbound::Whole("x".into())).await.unwrap();
    assert_eq!(callee.calls.counts().served, 0);
}

#[tokio::test]
async fn the_deadline_ends_a_call_on_both_sides() {
    let server = server().await;
    let callee = serving(&server, 'A', async |_| std::future::pending().await).await;
    let calls = caller(&server).await;
    let begun = Instant::now();
    let error =
        ask_as(&calls, &call_within(Duration::from_millis(300)), CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(error.hop, Hop::Host(host('A')), "the callee says so itself");
    let over = async || (callee.calls.counts().served == 0).then_some(());
    lattice_testkit::until("the callee is done", crate::LONG, over).await.unwrap();
    let error = ask_as(&calls, &call_within(Duration::ZERO), CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline, "{error}");
}

#[tokio::test]
async fn a_thousand_wait_at_one_target_and_all_are_served() {
    let server = server().await;
    let gate = std::sync::Arc::new(Semaphore::new(0));
    let waiting = std::sync::Arc::clone(&gate);
    let callee = serving(&server, 'A', move |request| {
        let gate = std::sync::Arc::clone(&waiting);
        async move {
            let _turn = gate.acquire().await;
            echo(request).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut asked = JoinSet::new();
    for n in 0..1000u32 {
        let calls = calls.clone();
        asked.spawn(async move {
            let body = n.to_string();
            assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
        });
    }
    let all = async || (callee.calls.counts().served == 1000).then_some(());
    lattice_testkit::until("all wait", crate::LONG, all).await.unwrap();
    gate.add_permits(1);
    while let Some(served) = asked.join_next().await {
        served.unwrap();
    }
}

// So many that one thread would be deaf to the server for too long.
#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_a_connection_makes_are_refused() {
    let server = server().await;
    let callee = serving(&server, 'A', async |_| std::future::pending().await).await;
    let calls = caller(&server).await;
    let mut asked = JoinSet::new();
    for _ in 0..4096 {
        let calls = calls.clone();
        asked.spawn(async move { ask(&calls, CallTo::Anyone, "x").await });
    }
    let all = async || (callee.calls.counts().served == 4096).then_some(());
    lattice_testkit::until("all are being served", crate::LONG, all).await.unwrap();
    let error = ask(&calls, CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Overloaded, true), "{error}");
    // Another connection may call, but this one serves no more.
    let other = caller(&server).await;
    let error = ask(&other, CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!((error.code, error.hop), (ErrorCode::Overloaded, Hop::Host(host('A'))));
    // Those who go are told of to the callee, and make room.
    asked.abort_all();
    while asked.join_next().await.is_some() {}
    assert_eq!(calls.counts().made, 0);
    let none = async || (callee.calls.counts().served == 0).then_some(());
    lattice_testkit::until("the callee has let all go", crate::LONG, none).await.unwrap();
}
