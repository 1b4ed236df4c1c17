//! Calls of plain functions, with values as text.

use std::{sync::Arc, time::Duration};

use lattice_core::{CallError, ErrorCode};
use lattice_runtime::Actor;

use crate::support::{World, call, get, runtime, settled, start, start_prepared};

const MATH: &str = "demo:calls/math";

async fn calculator() -> Arc<Actor> {
    start(&runtime(), "calculator", &World::new(), |_| {}).await
}

async fn by_hand(actor: &Actor, function: &str, args: &[&str]) -> Result<Option<String>, CallError> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    actor.call_wave(call(Duration::from_secs(20)), function, &args).await
}

#[tokio::test]
async fn values_of_every_kind_go_in_and_come_out() {
    let actor = calculator().await;
    for (function, args, want) in [
        ("demo:calls/math.add", &["2", "3"][..], Some("some(5)")),
        ("demo:calls/math@0.1.0.add", &["4294967295", "1"], Some("none")),
        ("demo:calls/math.middle", &["{x: 0, y: 0}", "{y: 10, x: 4}"], Some("{x: 2, y: 5}")),
        ("demo:calls/math.largest", &["[3, -1, 7]"], Some("some(7)")),
        ("demo:calls/math.largest", &["[]"], Some("none")),
        ("demo:calls/math.divide", &["7", "2"], Some("ok(3)")),
        ("demo:calls/math.divide", &["7", "0"], Some("err(\"7 cannot be divided by zero\")")),
        ("demo:calls/math.rest", &[], None),
        ("greet", &["\"you\""], Some("\"Hello, you!\"")),
    ] {
        let answer = by_hand(&actor, function, args).await.unwrap_or_else(|e| panic!("{function}: {e}"));
        assert_eq!(answer.as_deref(), want, "{function} {args:?}");
    }
    let stats = settled(&actor).await;
    assert_eq!((stats.ok, stats.in_flight), (9, 0));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_before_anything_runs() {
    let actor = calculator().await;
    for (function, args, said) in [
        (
            "demo:calls/math.subtract",
            &["1"][..],
            "demo:calls/math@0.1.0.add: func(a: u32, b: u32) -> option<u32>",
        ),
        ("demo:calls/math@9.0.0.add", &["1", "2"], "exports no function"),
        ("subtract", &[], "greet: func(name: string) -> string"),
        ("", &[], "exports no function"),
        ("demo:calls/math.add", &["1"], "takes 2 arguments, not 1: func(a: u32, b: u32)"),
        ("demo:calls/math.add", &["1", "-2"], "argument b of demo:calls/math@0.1.0.add is no u32: "),
        ("demo:calls/math.middle", &["{x: 1}", "{x: 1, y: 2}"], "is no record { x: s32, y: s32 }: "),
        ("greet", &["you"], "a string stands in double quotes"),
        ("demo:calls/tally.open", &[], "its result is or holds a resource"),
        ("demo:calls/tally.[method]counter.increment", &["1"], "is or holds a resource"),
    ] {
        let error = by_hand(&actor, function, args).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol, "{function}: {error}");
        assert!(error.reason.contains(said), "{function}: {error}");
    }
    let error = by_hand(&actor, &"x".repeat(5000), &[]).await.unwrap_err();
    assert_eq!(error.reason, "no function has a name of 5000 bytes");
    let error = by_hand(&actor, "greet", &[&"x".repeat(300_000)]).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
    let stats = settled(&actor).await;
    assert_eq!((stats.ok, stats.in_flight), (0, 0));
    assert!(!actor.functions().iter().any(|line| line.contains("counter")), "{:?}", actor.functions());
}

#[tokio::test]
async fn a_trap_names_its_invocation_and_gives_the_permit_back() {
    let actor = start(&runtime(), "calculator", &World::new(), |spec| {
        spec.concurrency = std::num::NonZeroU32::MIN;
    })
    .await;
    for _ in 0..3 {
        let error = by_hand(&actor, &format!("{MATH}.give-up"), &[]).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Trap);
        assert!(error.reason.starts_with("invocation ") && error.reason.contains(" trapped: "), "{error}");
    }
    assert_eq!(
        by_hand(&actor, "demo:calls/math.add", &["1", "1"]).await.unwrap().as_deref(),
        Some("some(2)")
    );
    assert_eq!(settled(&actor).await.trap, 3);
    // It answers no HTTP, and says so.
    let error = get(&actor, "/").await.unwrap_err();
    assert!(error.reason.contains("exports no wasi:http/incoming-handler"), "{error}");
}

#[tokio::test]
async fn limits_hold_and_permits_come_back() {
    let wat = r#"(component
        (core module $m
            (func (export "spin") (loop br 0))
            (memory (export "memory") 1)
            (func (export "much") (result i32) (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 60000)) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "spin") (canon lift (core func $i "spin")))
        (func (export "much") (result (list u32)) (canon lift (core func $i "much") (memory (core memory $i "memory")))))"#;
    let runtime = runtime();
    let prepared = runtime.prepare(wat::parse_str(wat).unwrap().into()).await.unwrap();
    let actor = start_prepared(&runtime, &prepared, &World::new(), |spec| {
        spec.limits.cpu = Duration::from_millis(50);
        spec.concurrency = std::num::NonZeroU32::MIN;
    });
    let error = by_hand(&actor, "spin", &[]).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline);
    assert!(error.reason.contains("processor time"), "{error}");
    // A caller that goes away ends the guest.
    let gone = tokio::time::timeout(Duration::from_millis(5), by_hand(&actor, "spin", &[])).await;
    assert!(gone.is_err());
    // A list beyond the guest's memory is a trap; nothing of the host's breaks.
    assert_eq!(by_hand(&actor, "much", &[]).await.unwrap_err().code, ErrorCode::Trap);
    assert_eq!(settled(&actor).await.in_flight, 0);
}
