//! Actors that do what they should not: each way ends in a typed error, and a neighbour is unharmed.

use std::{num::NonZeroU32, time::Duration};

use http_body_util::BodyExt;
use lattice_contracts::http::{BodyError, Incoming, empty};
use lattice_core::{CallError, ErrorCode};
use lattice_runtime::{Actor, Limits};

use crate::support::{World, call, get, request, runtime, settled, start, text, until};

const SHORT: Duration = Duration::from_millis(300);

async fn fails(actor: &Actor, path: &str) -> CallError {
    match get(actor, path).await {
        Err(error) => error,
        Ok(response) => panic!("{path}: answered {}", response.status()),
    }
}

/// The error in which a body ends, and how many bytes came before.
async fn breaks_off(response: lattice_contracts::http::Response) -> (usize, CallError) {
    let mut body = response.into_body();
    let mut bytes = 0;
    loop {
        match body.frame().await {
            Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, bytes::Bytes::len),
            Some(Err(BodyError::Call(error))) => return (bytes, error),
            other => panic!("after {bytes} bytes: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_with_its_processor_time() {
    let runtime = runtime();
    let limits = Limits { cpu: SHORT, ..Limits::default() };
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.limits = limits).await;
    let neighbour = start(&runtime, "hello", &World::new(), |_| ()).await;
    let (error, (status, _)) = tokio::join!(fails(&actor, "/loop"), text(&neighbour, "/"));
    assert_eq!((error.code, status), (ErrorCode::Deadline, 200));
    assert!(error.reason.contains("processor time"), "{error}");
    assert_eq!(settled(&actor).await.deadline, 1);
}

#[tokio::test]
async fn loops_leave_the_thread_to_others() {
    // One thread: what loops has to yield, or nobody else runs.
    let runtime = runtime();
    let limits = Limits { cpu: SHORT, ..Limits::default() };
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.limits = limits).await;
    let neighbour = start(&runtime, "hello", &World::new(), |_| ()).await;
    let looping = async { tokio::join!(fails(&actor, "/loop"), fails(&actor, "/loop")) };
    tokio::pin!(looping);
    tokio::select! {
        biased;
        _ = &mut looping => panic!("the loops ended first"),
        (status, _) = text(&neighbour, "/") => assert_eq!(status, 200),
    }
    assert_eq!(looping.await.0.code, ErrorCode::Deadline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_at_the_caller_s_deadline() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let began = std::time::Instant::now();
    let error = actor.handle(call(SHORT), request("/loop", empty())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_costs_no_processor_time_but_wall_time() {
    let runtime = runtime();
    let limits = Limits { cpu: Duration::from_millis(50), wall: Duration::from_secs(2), ..Limits::default() };
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.limits = limits).await;
    assert_eq!(text(&actor, "/sleep?ms=500").await.1, "slept 500 ms\n");
    let error = fails(&actor, "/sleep?ms=20000").await;
    assert_eq!(error.code, ErrorCode::Deadline);
    assert!(error.reason.contains("took more than 2s"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_at_the_actor_s_limit() {
    let runtime = runtime();
    let limits = Limits { memory_bytes: 32 << 20, ..Limits::default() };
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.limits = limits).await;
    let (_, answer) = text(&actor, "/memory").await;
    let mib: u32 = answer.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((8..32).contains(&mib), "{answer}");
    until("memory comes back", || runtime.describe().host_memory_used == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_at_the_host_s_budget() {
    let config = lattice_runtime::RuntimeConfig {
        slots: 64,
        host_memory_bytes: Some(24 << 20),
        ..lattice_runtime::RuntimeConfig::default()
    };
    let runtime = lattice_runtime::Runtime::new(config).unwrap();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let (_, answer) = text(&actor, "/memory").await;
    let mib: u32 = answer.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((4..24).contains(&mib), "{answer}");
    until("memory comes back", || runtime.describe().host_memory_used == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_name_the_invocation_and_their_kind() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let context = call(Duration::from_secs(20));
    let id = context.id.to_string();
    let error = actor.handle(context, request("/trap", empty())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains(&id) && error.reason.contains("unreachable"), "{error}");
    let error = fails(&actor, "/recurse").await;
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("call stack exhausted"), "{error}");
    assert_eq!(settled(&actor).await.trap, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaked_handles_end_at_their_limit() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let error = fails(&actor, "/leak").await;
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("10000 host handles"), "{error}");
    assert_eq!(text(&actor, "/leak?n=5000").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_bounded_and_the_rest_is_counted() {
    let runtime = runtime();
    let world = World::new();
    let actor = start(&runtime, "misbehave", &world, |_| ()).await;
    assert_eq!(text(&actor, "/print").await.0, 200);
    until("the call ends", || actor.stats().ok == 1).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 256 * 1024 / 64 + 1);
    let last = messages.last().unwrap();
    assert!(last.starts_with(&format!("dropped {} bytes", 2 * 1024 * 1024 - 256 * 1024)), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_after_the_head_breaks_the_body_off() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    // Where the trap comes before the head has left, the whole call fails: that is better still.
    match get(&actor, "/panic-after-head").await {
        Ok(response) => assert_eq!(breaks_off(response).await.1.code, ErrorCode::Trap),
        Err(error) => assert_eq!(error.code, ErrorCode::Trap),
    }
    until("the call ends", || actor.stats().in_flight == 0).await;
    assert_eq!(settled(&actor).await.trap, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_runs_out_after_the_head_breaks_the_body_off() {
    let runtime = runtime();
    let limits = Limits { wall: SHORT, ..Limits::default() };
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.limits = limits).await;
    let response = get(&actor, "/trickle?n=1000&ms=20").await.unwrap();
    let (bytes, error) = breaks_off(response).await;
    assert!(bytes > 0);
    assert_eq!(error.code, ErrorCode::Deadline);
    until("the call ends", || actor.stats().in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_ends_the_guest() {
    let runtime = runtime();
    let one = NonZeroU32::MIN;
    let actor = start(&runtime, "misbehave", &World::new(), |spec| spec.concurrency = one).await;
    // Before the head.
    let gone = tokio::time::timeout(Duration::from_millis(50), get(&actor, "/sleep?ms=20000")).await;
    assert!(gone.is_err());
    assert_eq!(settled(&actor).await.cancelled, 1);
    // In the body: with one permit, the next call is served only once the guest is gone.
    let mut body = get(&actor, "/early?n=1000&ms=100").await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(text(&actor, "/").await.0, 200);
    assert_eq!(settled(&actor).await.cancelled, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_reads_holds_little() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let mut body = get(&actor, "/big?bytes=1000000000").await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.len() <= 64 * 1024);
    drop(body);
    until("the guest ends", || actor.stats().cancelled == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn header_fields_end_at_their_limit() {
    let runtime = runtime();
    let limits = Limits { headers_total_bytes: 100, ..Limits::default() };
    let hello = start(&runtime, "hello", &World::new(), |spec| spec.limits = limits).await;
    let error = fails(&hello, "/").await;
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("header fields"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_no_body_is_not_gone() {
    let runtime = runtime();
    let actor = start(&runtime, "misbehave", &World::new(), |_| ()).await;
    let mut head = request("/early?n=3&ms=20", empty());
    *head.method_mut() = http::Method::HEAD;
    drop(actor.handle(call(Duration::from_secs(20)), head).await.unwrap());
    until("the guest ends", || actor.stats().in_flight == 0).await;
    assert_eq!((settled(&actor).await.ok, settled(&actor).await.cancelled), (1, 0));
}
