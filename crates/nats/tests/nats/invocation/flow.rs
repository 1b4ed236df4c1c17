//! Streams, credit, and cancelling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use lattice_core::{CallError, CallTo};
use lattice_nats::{Calls, Outbound, Received};
use lattice_testkit::until;
use tokio::sync::Semaphore;

use super::{
    Callee, Monitor, PART, ask, call, call_within, caller, echo, echo_stream, greet, parts, pattern,
    read_pattern, serving, w,
};
use crate::{LONG, host, server};

/// Parts that make 32 MiB.
const MANY: u64 = (32 << 20) / PART as u64;

/// More than a window, what one side holds ready and what lies between, in parts.
const HELD_MAX: u64 = (512 * 1024) / PART as u64;

async fn let_go(callee: &Callee) {
    let none = async || (callee.calls.counts().served == 0).then_some(());
    until("the callee has let the call go", LONG, none).await.unwrap();
}

#[tokio::test]
async fn tens_of_mebibytes_both_ways_at_once() {
    let server = server().await;
    let callee = serving(&server, 'A', echo_stream).await;
    let calls = caller(&server).await;
    let made = Arc::new(AtomicU64::new(0));
    let mut reply = calls
        .call(&call_within(3 * LONG), CallTo::Host(host('A')), greet(), parts(MANY, Arc::clone(&made)))
        .await
        .unwrap();
    assert!(
        made.load(Ordering::Relaxed) < 2 * HELD_MAX,
        "the reply begins long before the request has ended"
    );
    assert_eq!(read_pattern(&mut reply).await.unwrap(), MANY * PART as u64);
    drop(reply);
    let_go(&callee).await;
    assert_eq!(calls.counts().open, 0);
    // The same as one body, which is cut.
    let body = pattern(0, 5_000_000);
    assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
}

/// Answers `hello` with an endless stream, and other functions with what they were sent.
async fn endless(request: Received, made: Arc<AtomicU64>) -> Result<Outbound, CallError> {
    if &*request.function == "hello" { Ok(parts(u64::from(u32::MAX), made)) } else { echo(request).await }
}

async fn other_calls(calls: &Calls) {
    for n in 0..50usize {
        let body = pattern(0, n * 10_000);
        let called = lattice_nats::Called { function: "other".into(), ..greet() };
        let reply = calls.call(&call(), CallTo::Anyone, called, Outbound::Whole(body.clone())).await.unwrap();
        assert_eq!(reply.whole(usize::MAX).await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_stalled_reader_of_a_reply_stalls_its_own_call_alone() {
    let server = server().await;
    let made = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&made);
    let callee = serving(&server, 'A', move |request| endless(request, Arc::clone(&counted))).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let mut stalled =
        calls.call(&call(), CallTo::Anyone, greet(), Outbound::Whole("x".into())).await.unwrap();
    other_calls(&calls).await;
    // Longer than silence would last.
    for _ in 0..8 {
        monitor.next("alive").await;
    }
    assert!(made.load(Ordering::Relaxed) <= HELD_MAX, "{} parts were made", made.load(Ordering::Relaxed));
    let mut seen = 0;
    while seen < 4 << 20 {
        let part = stalled.next().await.unwrap().unwrap();
        assert_eq!(part, pattern(seen, part.len()));
        seen += part.len() as u64;
    }
    // Leaving it in the middle ends it on the other side.
    drop(stalled);
    let_go(&callee).await;
    other_calls(&calls).await;
}

#[tokio::test]
async fn a_stalled_reader_of_a_request_stalls_its_own_call_alone() {
    let server = server().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let _callee = serving(&server, 'A', move |request: Received| {
        let gate = Arc::clone(&opened);
        async move {
            if &*request.function == "hello" {
                let _open = gate.acquire().await;
            }
            echo_stream(request).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let made = Arc::new(AtomicU64::new(0));
    let (asked, request) = (call(), parts(MANY / 8, Arc::clone(&made)));
    let reading = async {
        let mut reply = calls.call(&asked, CallTo::Anyone, greet(), request).await.unwrap();
        read_pattern(&mut reply).await.unwrap()
    };
    let meanwhile = async {
        monitor.next("call").await;
        other_calls(&calls).await;
        for _ in 0..8 {
            monitor.next("alive").await;
        }
        assert!(made.load(Ordering::Relaxed) <= HELD_MAX, "{} parts were made", made.load(Ordering::Relaxed));
        gate.add_permits(1);
    };
    let (seen, ()) = tokio::join!(reading, meanwhile);
    assert_eq!(seen, MANY / 8 * PART as u64);
}

#[tokio::test]
async fn a_reply_may_end_before_the_request_does() {
    let server = server().await;
    let callee =
        serving(&server, 'A', async |_: Received| Ok(Outbound::Whole(Bytes::from_static(b"no need")))).await;
    let calls = caller(&server).await;
    let made = Arc::new(AtomicU64::new(0));
    let request = parts(u64::from(u32::MAX), Arc::clone(&made));
    let reply = calls.call(&call(), CallTo::Anyone, greet(), request).await.unwrap();
    assert_eq!(reply.whole(100).await.unwrap(), "no need");
    let_go(&callee).await;
    assert!(made.load(Ordering::Relaxed) <= HELD_MAX);
    // The stream of the request was dropped with the call.
    let only = async || (Arc::strong_count(&made) == 1).then_some(());
    until("the request's stream is gone", LONG, only).await.unwrap();
}

#[tokio::test]
async fn a_reply_that_is_too_large_for_its_reader_is_refused() {
    let server = server().await;
    let callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    for size in [1000usize, 1_000_000] {
        let asked = Outbound::Whole(pattern(0, size));
        let reply = calls.call(&call(), CallTo::Anyone, greet(), asked).await.unwrap();
        let error = reply.whole(size - 1).await.unwrap_err();
        assert_eq!(error.code, lattice_core::ErrorCode::TooLarge, "{error}");
    }
    let_go(&callee).await;
}

#[tokio::test]
async fn who_gives_up_is_heard_of_by_the_callee() {
    let server = server().await;
    let callee = serving(&server, 'A', async |_: Received| std::future::pending().await).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    for to in [CallTo::Host(host('A')), CallTo::Anyone] {
        let asked = call();
        let asking = calls.call(&asked, to.clone(), greet(), Outbound::Whole("x".into()));
        let arrived = async {
            let one = async || (callee.calls.counts().served == 1).then_some(());
            until("the call is being served", LONG, one).await.unwrap();
        };
        tokio::select! {
            _ = asking => panic!("nobody answers"),
            () = arrived => {}
        }
        let_go(&callee).await;
        let cancel = monitor.next("cancel").await;
        let by_host = cancel.subject.starts_with("wasmbus.host.");
        assert_eq!(
            by_host,
            to != CallTo::Anyone,
            "one host is told at once, others when they are heard: {}",
            w(&cancel)
        );
    }
    assert_eq!(calls.counts().open, 0);
}

#[tokio::test]
async fn what_takes_longer_than_silence_is_waited_for() {
    let server = server().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let _callee = serving(&server, 'A', move |request| {
        let gate = Arc::clone(&opened);
        async move {
            let _open = gate.acquire().await;
            echo(request).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let begun = tokio::time::Instant::now();
    let asking = ask(&calls, CallTo::Anyone, "hello");
    let working = async {
        for _ in 0..4 {
            monitor.next("alive").await;
        }
        gate.add_permits(1);
    };
    let (answer, ()) = tokio::join!(asking, working);
    assert_eq!(answer.unwrap(), "hello");
    assert!(begun.elapsed() > Duration::from_secs(3));
}
