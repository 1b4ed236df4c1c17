//! An actor calls another through an interface that is nobody's but theirs.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming as _, empty},
};
use lattice_core::{CallError, ErrorCode};
use lattice_runtime::{Actor, Function, Runtime, StartError, Values};
use tokio::task::JoinSet;

use crate::support::{
    World, call, get, request, runtime, settled, spec, start, start_prepared, text, until, wasm,
};

const CONTRACT: &str = "demo:translate";

/// A greeter that is linked to `target`.
async fn greeter(runtime: &Runtime, target: Arc<dyn Function>) -> (Arc<Actor>, Arc<World>) {
    let world = World::new();
    world.link(CONTRACT, target);
    (start(runtime, "greeter", &world, |spec| spec.id = "greeter".parse().unwrap()).await, world)
}

async fn translator(runtime: &Runtime) -> Arc<Actor> {
    start(runtime, "translator", &World::new(), |spec| spec.id = "translator".parse().unwrap()).await
}

/// A target on another host, as far as the runtime can tell: everything goes there and back as bytes.
struct Faraway(Arc<Actor>);

#[async_trait]
impl Function for Faraway {
    async fn invoke(
        &self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        let params = Values::from_bytes(params.into_bytes()?);
        let values = self.0.invoke(call, interface, function, params).await?;
        Ok(Values::from_bytes(values.into_bytes()?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_kind_go_there_and_back_near_and_far() {
    let runtime = runtime();
    let callee = translator(&runtime).await;
    for target in [callee.clone() as Arc<dyn Function>, Arc::new(Faraway(callee.clone()))] {
        let (greeter, _) = greeter(&runtime, target).await;
        for (path, status, said) in [
            ("/everything", 200, "every kind of value came back as it went"),
            ("/Anna", 200, "Hello, Anna!"),
            ("/Anna,Ben?language=german&hour=21", 200, "Guten Abend, Anna, Ben!"),
            ("/Anna?language=french&loud", 200, "SALUT, ANNA!"),
            ("/Anna?hour=25", 400, "no day has an hour 25"),
            ("/", 404, "there is nobody to greet"),
        ] {
            assert_eq!(text(&greeter, path).await, (status, format!("{said}\n")), "{path}");
        }
    }
    assert_eq!(settled(&callee).await.ok, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_the_callee_are_reused_where_that_is_asked_for() {
    let runtime = runtime();
    let reuse = |spec: &mut lattice_runtime::ActorSpec| spec.reuse = NonZeroU32::new(3).unwrap();
    let callee = start(&runtime, "translator", &World::new(), reuse).await;
    let (greeter, _) = greeter(&runtime, callee.clone()).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let greeter = greeter.clone();
        calls.spawn(async move { text(&greeter, "/Anna").await });
    }
    assert!(calls.join_all().await.iter().all(|answer| *answer == (200, "Hello, Anna!\n".to_owned())));
    assert_eq!(settled(&callee).await.ok, 50);
}

#[tokio::test]
async fn without_a_link_it_does_not_start_and_says_which_to_make() {
    let runtime = runtime();
    let prepared = runtime.prepare(wasm("greeter")).await.unwrap();
    let needs: Vec<String> =
        prepared.needs_links().iter().map(|(contract, _)| contract.to_string()).collect();
    assert_eq!(needs, [CONTRACT]);
    let refused = runtime.start(&prepared, spec("greeter"), World::new()).map(drop).unwrap_err();
    assert!(matches!(&refused, StartError::NotLinked { imports, .. } if imports.len() == 1));
    let said = refused.to_string();
    assert!(said.contains("demo:translate/translator@0.1.0"), "{said}");
    assert!(said.contains("wash link put greeter ACTOR demo:translate"), "{said}");
}

#[tokio::test]
async fn a_link_taken_away_ends_the_call_that_needs_it_and_no_other() {
    let runtime = runtime();
    let callee = translator(&runtime).await;
    let (greeter, world) = greeter(&runtime, callee.clone()).await;
    assert_eq!(text(&greeter, "/Anna").await.0, 200);
    world.links.lock().unwrap().clear();
    let error = get(&greeter, "/Anna").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("its call of demo:translate/translator@0.1.0.translate failed"), "{error}");
    assert!(error.reason.contains("no-link: ") && error.reason.contains("wash link put"), "{error}");
    assert_eq!(text(&greeter, "/Anna?hour=x").await.0, 400, "what needs no link goes on");
    world.link(CONTRACT, callee);
    assert_eq!(text(&greeter, "/Anna").await.0, 200);
    assert_eq!(settled(&greeter).await.trap, 1);
}

/// A component that imports `f` of `a:b/c`, of a type, and exports `run` of `a:b/d` that calls it.
fn caller(params: &str, passes: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (import "a:b/c@0.1.0" (instance $c (export "f" (func {params}))))
            (core func $f (canon lower (func $c "f")))
            (core module $m
                (import "c" "f" (func $f {core}))
                (func (export "run") {passes} (call $f)))
            (core instance $i (instantiate $m (with "c" (instance (export "f" (func $f))))))
            (func $run (canon lift (core func $i "run")))
            (instance $d (export "f" (func $run)))
            (export "a:b/d@0.1.0" (instance $d)))"#,
        core = if passes.is_empty() { "" } else { "(param i32)" },
    ))
    .unwrap()
}

/// A component that exports `f` of `a:b/c`, made of a core function.
fn callee(core: &str, params: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (core module $m {core})
            (core instance $i (instantiate $m))
            (func $f {params} (canon lift (core func $i "f")))
            (instance $c (export "f" (func $f)))
            (export "a:b/c@0.1.0" (instance $c)))"#
    ))
    .unwrap()
}

async fn run(actor: &Actor, time: Duration) -> Result<(), CallError> {
    let nothing = Values::from_bytes(bytes::Bytes::new());
    actor.invoke(call(time), "a:b/d@0.1.0", "f", nothing).await.map(drop)
}

async fn made(
    runtime: &Runtime,
    bytes: Vec<u8>,
    world: &Arc<World>,
    change: impl FnOnce(&mut lattice_runtime::ActorSpec),
) -> Arc<Actor> {
    let prepared = runtime.prepare(bytes.into()).await.unwrap();
    start_prepared(runtime, &prepared, world, change)
}

#[tokio::test]
async fn what_two_actors_take_for_the_same_function_must_be_the_same() {
    let runtime = runtime();
    let world = World::new();
    let core = r#"(func (export "f") (param i32))"#;
    let callee = made(&runtime, callee(core, r#"(param "x" u16)"#), &World::new(), |_| ()).await;
    world.link("a:b", callee.clone());
    let caller = made(&runtime, caller(r#"(param "x" u32)"#, "(i32.const 7)"), &world, |_| ()).await;
    let error = run(&caller, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("as func(x: u32), but here it is func(x: u16)"), "{error}");
    assert_eq!((settled(&callee).await.ok, settled(&callee).await.trap), (0, 0));
}

#[tokio::test]
async fn a_callee_that_traps_ends_its_caller_and_is_named() {
    let runtime = runtime();
    let world = World::new();
    let core = r#"(func (export "f") unreachable)"#;
    let callee =
        made(&runtime, callee(core, ""), &World::new(), |spec| spec.id = "broken".parse().unwrap()).await;
    world.link("a:b", callee.clone());
    let caller = made(&runtime, caller("", ""), &world, |_| ()).await;
    let error = run(&caller, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("its call of a:b/c@0.1.0.f failed: actor broken: "), "{error}");
    assert!(error.reason.ends_with("wasm `unreachable` instruction executed"), "{error}");
    assert_eq!((settled(&caller).await.trap, settled(&callee).await.trap), (1, 1));
    assert_eq!((settled(&caller).await.in_flight, settled(&callee).await.in_flight), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_s_processor_time_is_its_own() {
    let runtime = runtime();
    let world = World::new();
    // Some ten ticks of work, of which the caller may use one.
    let core = r#"(func (export "f") (local $i i32)
        (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 100000000)))))"#;
    let callee = made(&runtime, callee(core, ""), &World::new(), |_| ()).await;
    world.link("a:b", callee.clone());
    let caller = made(&runtime, caller("", ""), &world, |spec| {
        spec.limits.cpu = Duration::from_millis(10);
    })
    .await;
    run(&caller, Duration::from_secs(20)).await.unwrap();
    assert_eq!((settled(&caller).await.ok, settled(&callee).await.ok), (1, 1));
    // Its own limit holds, and who waits for it hears of it.
    let strict = made(&runtime, callee_of(core), &World::new(), |spec| {
        spec.limits.cpu = Duration::from_millis(10);
    })
    .await;
    world.link("a:b", strict.clone());
    let error = run(&caller, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline);
    assert!(error.reason.ends_with("called another actor, which took longer than it may"), "{error}");
    assert_eq!(settled(&strict).await.deadline, 1);
}

fn callee_of(core: &str) -> Vec<u8> {
    callee(core, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_ends_its_callee() {
    let runtime = runtime();
    let world = World::new();
    let spin = r#"(func (export "f") (loop br 0))"#;
    let callee = made(&runtime, callee(spin, ""), &World::new(), |_| ()).await;
    world.link("a:b", callee.clone());
    let caller = made(&runtime, caller("", ""), &world, |_| ()).await;
    let gone = tokio::time::timeout(Duration::from_millis(30), run(&caller, Duration::from_secs(20))).await;
    assert!(gone.is_err());
    until("both have ended", || caller.stats().in_flight == 0 && callee.stats().in_flight == 0).await;
    assert_eq!((settled(&caller).await.cancelled, settled(&callee).await.cancelled), (1, 1));
    // The caller's deadline is the callee's.
    let error = run(&caller, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline);
    until("both have ended", || caller.stats().in_flight == 0 && callee.stats().in_flight == 0).await;
}

/// Two actors that call each other in a circle: `a:b/c` is served by one that calls `a:b/d`, and the other way round.
async fn circle(runtime: &Runtime, concurrency: u32) -> (Arc<Actor>, Arc<World>) {
    let world = World::new();
    let wat = r#"(component
        (import "a:b/d@0.1.0" (instance $d (export "f" (func))))
        (core func $f (canon lower (func $d "f")))
        (core module $m (import "d" "f" (func $f)) (func (export "f") (call $f)))
        (core instance $i (instantiate $m (with "d" (instance (export "f" (func $f))))))
        (func $f2 (canon lift (core func $i "f")))
        (instance $d2 (export "f" (func $f2)))
        (export "a:b/d@0.1.0" (instance $d2)))"#;
    // It calls itself, by way of the link; the second link would only rename it.
    let prepared = runtime.prepare(wat::parse_str(wat).unwrap().into()).await.unwrap();
    world.link("a:b", Arc::new(Nobody));
    let actor = start_prepared(runtime, &prepared, &world, |spec| {
        spec.concurrency = NonZeroU32::new(concurrency).unwrap();
        spec.id = "round".parse().unwrap();
    });
    world.link("a:b", actor.clone());
    (actor, world)
}

/// Holds a link's place until there is somebody.
struct Nobody;

#[async_trait]
impl Function for Nobody {
    async fn invoke(
        &self,
        _: CallContext,
        _: &str,
        _: &str,
        _: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        let hop = lattice_core::Hop::Actor("nobody".parse().unwrap());
        Err(CallError::new(hop, ErrorCode::Unreachable, "nobody is there"))
    }
}

#[tokio::test]
async fn a_circle_ends_at_its_depth_or_at_its_deadline() {
    let runtime = runtime();
    let (actor, world) = circle(&runtime, 100).await;
    let error = run(&actor, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("denied: calls nest deeper than 16"), "{error}");
    assert_eq!(settled(&actor).await.trap, 17);
    world.links.lock().unwrap().clear();

    // With one permit the second call waits for the first, which waits for it.
    let (actor, world) = circle(&runtime, 1).await;
    let began = std::time::Instant::now();
    let error = run(&actor, Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline);
    assert!(error.to_string().starts_with("actor round: "), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert_eq!(settled(&actor).await.in_flight, 0);
    world.links.lock().unwrap().clear();
}

#[tokio::test]
async fn imports_that_no_link_can_give_are_refused_by_name() {
    let runtime = runtime();
    for (import, said) in [
        (
            r#"(import "a:b/c" (instance (export "r" (type (sub resource)))))"#,
            "a:b/c (no link gives a resource, as r is)",
        ),
        (
            r#"(import "wasi:keyvalue/store@9.0.0" (instance (export "f" (func))))"#,
            "wasi:keyvalue/store@9.0.0",
        ),
        (r#"(import "f" (func))"#, "imports what no host serves: f;"),
    ] {
        let wasm = wat::parse_str(format!("(component {import})")).unwrap();
        let prepared = runtime.prepare(wasm.into()).await.unwrap();
        let refused = runtime.start(&prepared, spec("odd"), World::new()).map(drop).unwrap_err();
        assert!(matches!(refused, StartError::UnknownImport { .. }), "{import}: {refused}");
        assert!(refused.to_string().contains(said), "{refused}");
    }
}

#[tokio::test]
async fn one_actor_serves_requests_and_functions_with_the_same_instances() {
    let runtime = runtime();
    let (actor, _) = greeter(&runtime, translator(&runtime).await).await;
    let answer = actor.handle(call(Duration::from_secs(20)), request("/Anna", empty())).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Its handler is no function of plain values, and says so.
    let nothing = Values::from_bytes(bytes::Bytes::new());
    let error = actor
        .invoke(call(Duration::from_secs(20)), "wasi:http/incoming-handler@0.2.12", "handle", nothing)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Protocol);
    assert!(error.reason.contains("resource"), "{error}");
}
