//! Components written by hand, for what no example actor does.

use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use lattice_contracts::{http::Incoming, logging::Level};
use lattice_core::ErrorCode;
use lattice_runtime::{Limits, PrepareError, Runtime, RuntimeConfig, StartError};

use crate::support::{World, get, runtime, settled, spec, start_prepared, until};

/// A component that answers no request, but has an HTTP handler with `code` in it.
fn handler(code: &str) -> Bytes {
    component("", code, "")
}

/// The same, with parts of the component `before` the handler's module, and what its instance is given `with`.
fn component(before: &str, code: &str, with: &str) -> Bytes {
    let component = format!(
        r#"(component
            (import "wasi:http/types@0.2.0" (instance $types
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $out))
            {before}
            (core module $module {code})
            (core instance $instance (instantiate $module {with}))
            (func $handle (param "request" (own $request)) (param "response-out" (own $out))
                (canon lift (core func $instance "handle")))
            (instance $handler (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#
    );
    wat::parse_str(component).unwrap().into()
}

/// The codes in which `calls` calls of an actor with this code and `reuse` end.
async fn codes(code: &str, reuse: u32, calls: usize, limits: Limits) -> Vec<ErrorCode> {
    let runtime = runtime();
    let prepared = runtime.prepare(handler(code)).await.unwrap();
    let actor = start_prepared(&runtime, &prepared, &World::new(), |spec| {
        (spec.reuse, spec.limits) = (NonZeroU32::new(reuse).unwrap(), limits);
    });
    let mut codes = Vec::new();
    for _ in 0..calls {
        codes.push(get(&actor, "/").await.unwrap_err().code);
    }
    assert_eq!(settled(&actor).await.in_flight, 0);
    codes
}

/// Traps in the third call of one instance; in the others it just ends, which is not answering: `Protocol`.
const THIRD_TRAPS: &str = r#"
    (global $calls (mut i32) (i32.const 0))
    (func (export "handle") (param i32 i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.ge_u (global.get $calls) (i32.const 3)) (then unreachable)))"#;

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_fresh_unless_reuse_is_asked_for() {
    let (no, trap) = (ErrorCode::Protocol, ErrorCode::Trap);
    let codes = |reuse| codes(THIRD_TRAPS, reuse, 6, Limits::default());
    assert_eq!(codes(1).await, [no; 6]);
    assert_eq!(codes(2).await, [no; 6], "an instance serves no more calls than asked for");
    // Its state is kept between calls, and an instance that trapped is not used again.
    assert_eq!(codes(5).await, [no, no, trap, no, no, trap]);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_while_an_instance_is_made() {
    let looping = r#"(func $loop (loop (br 0))) (start $loop) (func (export "handle") (param i32 i32))"#;
    let limits = Limits { cpu: Duration::from_millis(100), ..Limits::default() };
    assert_eq!(codes(looping, 1, 1, limits).await, [ErrorCode::Deadline]);
    let large = r#"(memory 8192) (func (export "handle") (param i32 i32))"#;
    assert_eq!(codes(large, 1, 1, Limits::default()).await, [ErrorCode::Trap]);
    let table = r#"(table 3000 funcref) (func (export "handle") (param i32 i32))"#;
    let limits = Limits { table_elements: 2_000, ..Limits::default() };
    assert_eq!(codes(table, 1, 1, limits).await, [ErrorCode::Trap]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_consists_of_no_more_parts_than_its_limits_say() {
    const HANDLE: &str = r#"(func (export "handle") (param i32 i32))"#;
    let two_tables = format!("(table 1 funcref) (table 1 funcref) {HANDLE}");
    let second = "(core module $second) (core instance (instantiate $second))";
    for (before, code) in [(second, HANDLE), ("", &two_tables)] {
        let runtime = runtime();
        let prepared = runtime.prepare(component(before, code, "")).await.unwrap();
        let ends = async |instances| {
            let actor = start_prepared(&runtime, &prepared, &World::new(), |spec| {
                spec.limits = Limits { instances, ..Limits::default() };
            });
            get(&actor, "/").await.unwrap_err().code
        };
        // It runs to its end, which is not answering.
        assert_eq!(ends(2).await, ErrorCode::Protocol, "{before}{code}");
        assert_eq!(ends(1).await, ErrorCode::Trap, "{before}{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_is_served_with_and_without_a_version() {
    for interface in ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"] {
        let imports = format!(
            r#"(import "{interface}" (instance $logging
                (type $levels (enum "trace" "debug" "info" "warn" "error" "critical"))
                (export "level" (type $level (eq $levels)))
                (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
            (core module $texts (memory (export "memory") 1) (data (i32.const 0) "ctxhello"))
            (core instance $texts (instantiate $texts))
            (core func $log (canon lower (func $logging "log") (memory (core memory $texts "memory"))))"#
        );
        let code = r#"(import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
            (func (export "handle") (param i32 i32)
                (call $log (i32.const 3) (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 5)))"#;
        let with = r#"(with "host" (instance (export "log" (func $log))))"#;
        let runtime = runtime();
        let prepared = runtime.prepare(component(&imports, code, with)).await.unwrap();
        assert!(prepared.needs_links().is_empty(), "{interface}");
        let world = World::new();
        let actor = start_prepared(&runtime, &prepared, &world, |_| ());
        assert_eq!(get(&actor, "/").await.unwrap_err().code, ErrorCode::Protocol);
        until("the line is there", || !world.messages().is_empty()).await;
        let lines = world.lines.lock().unwrap();
        let line = &lines[0];
        assert_eq!((line.level, line.context.as_str(), line.message.as_str()), (Level::Warn, "ctx", "hello"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_memory_is_named_in_the_trap() {
    let runtime = runtime();
    let code = r#"(memory 8192) (func (export "handle") (param i32 i32))"#;
    let prepared = runtime.prepare(handler(code)).await.unwrap();
    let actor = start_prepared(&runtime, &prepared, &World::new(), |_| ());
    let error = get(&actor, "/").await.unwrap_err();
    assert!(error.reason.contains("refused memory beyond its 268435456 bytes"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_is_refused_by_name() {
    let runtime = runtime();
    let wasm = wat::parse_str(
        r#"(component
            (import "acme:thing/api@1.0.0" (instance (export "r" (type (sub resource)))))
            (import "wasi:keyvalue/store@0.3.0" (instance (export "open" (func))))
            (import "wasi:clocks/types@0.1.0" (instance (type $t u64) (export "t" (type (eq $t)))))
            (import "naked" (func)))"#,
    )
    .unwrap();
    let prepared = runtime.prepare(wasm.into()).await;
    let prepared = match prepared {
        Err(PrepareError::Wasip3Off { interface }) => panic!("{interface} is no standard WASI"),
        other => other.unwrap(),
    };
    match runtime.start(&prepared, spec("actor"), World::new()) {
        Err(error @ StartError::UnknownImport { .. }) => {
            let text = error.to_string();
            for name in ["acme:thing/api@1.0.0", "wasi:keyvalue/store@0.3.0", "naked"] {
                assert!(text.contains(name), "{text}");
            }
            assert!(!text.contains("wasi:clocks/types"), "only types, so nothing to serve: {text}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_another_shape_is_refused() {
    let runtime = runtime();
    let wasm = wat::parse_str(
        r#"(component (import "wasi:logging/logging" (instance (export "log" (func (param "level" u64))))))"#,
    )
    .unwrap();
    let prepared = runtime.prepare(wasm.into()).await.unwrap();
    let refused = runtime.start(&prepared, spec("actor"), World::new()).err().unwrap();
    assert!(matches!(refused, StartError::Link { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_actor_is_refused() {
    let runtime = runtime();
    let module = wat::parse_str("(module)").unwrap();
    let whole = handler(THIRD_TRAPS);
    let wasip3 = wat::parse_str(
        r#"(component (import "wasi:http/types@0.3.0" (instance (export "fields" (type (sub resource))))))"#,
    )
    .unwrap();
    for (bytes, expected) in [
        (Bytes::new(), "this is not WebAssembly"),
        (Bytes::from_static(b"#!/bin/sh\n"), "23 21 2f 62"),
        (Bytes::from_static(b"\0asm"), "not valid"),
        (module.into(), "core WebAssembly module"),
        (whole.slice(..whole.len() - 7), "not valid"),
        (wasip3.into(), "--wasip3"),
    ] {
        let error = runtime.prepare(bytes).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} in {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_without_handler_says_so() {
    let runtime = runtime();
    let prepared = runtime.prepare(wat::parse_str("(component)").unwrap().into()).await.unwrap();
    let actor = start_prepared(&runtime, &prepared, &World::new(), |_| ());
    assert!(!actor.exports_http());
    let error = get(&actor, "/").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Protocol);
    assert!(error.reason.contains("answers no HTTP"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_beyond_the_host_s_is_refused() {
    let runtime = runtime();
    let prepared = runtime.prepare(wat::parse_str("(component)").unwrap().into()).await.unwrap();
    let mut spec = spec("actor");
    spec.limits.memory_bytes = u64::MAX;
    let refused = runtime.start(&prepared, spec, World::new()).err().unwrap();
    assert!(matches!(refused, StartError::Limit { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_being_full_is_overload() {
    let runtime = Runtime::new(RuntimeConfig { slots: 1, ..RuntimeConfig::default() }).unwrap();
    let waits = runtime.prepare(crate::support::wasm("misbehave")).await.unwrap();
    let actor = start_prepared(&runtime, &waits, &World::new(), |_| ());
    let _held = get(&actor, "/early?n=1000&ms=10").await.unwrap();
    let refused = get(&actor, "/").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    assert!(refused.reason.contains("no instance slot"), "{refused}");
    assert_eq!(actor.stats().overloaded, 1);
}

/// An instance that idles makes room for another actor's, whatever there is too little of.
async fn idle_instances_make_room(config: RuntimeConfig) {
    let runtime = Runtime::new(config).unwrap();
    let code = r#"(memory 320) (func (export "handle") (param i32 i32))"#;
    let prepared = runtime.prepare(handler(code)).await.unwrap();
    let reused = || {
        start_prepared(&runtime, &prepared, &World::new(), |spec| {
            spec.reuse = NonZeroU32::new(100).unwrap();
        })
    };
    let (one, two) = (reused(), reused());
    for actor in [&one, &two, &one] {
        // It just ends, which is not answering; but it has run.
        assert_eq!(get(actor, "/").await.unwrap_err().code, ErrorCode::Protocol);
        assert_eq!(runtime.describe().host_memory_used, 320 * 65_536, "one instance idles");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_leave_slots_to_other_actors() {
    idle_instances_make_room(RuntimeConfig { slots: 1, ..RuntimeConfig::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_leave_memory_to_other_actors() {
    let host_memory_bytes = Some(32 * 1024 * 1024);
    idle_instances_make_room(RuntimeConfig { slots: 8, host_memory_bytes, ..RuntimeConfig::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_host_is_malformed() {
    let runtime = runtime();
    let prepared = runtime.prepare(handler(THIRD_TRAPS)).await.unwrap();
    let actor = start_prepared(&runtime, &prepared, &World::new(), |_| ());
    let request = http::Request::builder().uri("/").body(lattice_contracts::http::empty()).unwrap();
    let error = actor.handle(crate::support::call(Duration::from_secs(5)), request).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Protocol);
    assert!(error.reason.contains("host"), "{error}");
}
