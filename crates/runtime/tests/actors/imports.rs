//! What actors get from outside: key-value in both generations, configuration, logging, HTTP; and nothing else.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering},
};

use lattice_contracts::logging::{Level, Stream};
use lattice_core::Secret;
use tokio::task::JoinSet;

use crate::support::{World, get, runtime, start, text, until, wasm};

async fn counts_exactly(name: &str, path: &'static str) {
    let runtime = runtime();
    let world = World::new();
    let actor = start(&runtime, name, &world, |_| ()).await;
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let actor = actor.clone();
        calls.spawn(async move { text(&actor, path).await });
    }
    let mut seen: Vec<String> = calls.join_all().await.into_iter().map(|(_, body)| body).collect();
    seen.sort();
    let mut expected: Vec<String> = (1..=40).map(|n| format!("{{\"counter\":{n}}}\n")).collect();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_generation_counts() {
    counts_exactly("kvcounter", "/a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_generation_counts() {
    counts_exactly("kvcounter_draft2", "/a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_generation_counts_by_compare_and_swap() {
    counts_exactly("kvcounter_draft2", "/cas/a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_the_contract_s_own_error_says_how_to_make_one() {
    let runtime = runtime();
    let world = World::new();
    world.unlinked.store(true, Ordering::Relaxed);
    for name in ["kvcounter", "kvcounter_draft2"] {
        let actor = start(&runtime, name, &world, |_| ()).await;
        let (status, body) = text(&actor, "/").await;
        assert_eq!(status, 502);
        assert!(body.contains("wash link put"), "{body}");
        // The link comes while the actor runs.
        world.unlinked.store(false, Ordering::Relaxed);
        assert_eq!(text(&actor, "/").await.0, 200);
        world.unlinked.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_actor_needs_is_known_before_it_starts() {
    let runtime = runtime();
    let needs = |name| {
        let prepared = runtime.prepare(wasm(name));
        async {
            let needs = prepared.await.unwrap().outside().needs_links();
            needs.iter().map(|(contract, interface)| format!("{contract}/{interface}")).collect::<Vec<_>>()
        }
    };
    assert!(needs("hello").await.is_empty());
    let keyvalue = needs("kvcounter").await;
    assert!(keyvalue.contains(&"wasi:keyvalue/store".to_owned()), "{keyvalue:?}");
    assert!(keyvalue.contains(&"wasi:keyvalue/atomics".to_owned()), "{keyvalue:?}");
    assert_eq!(needs("probe").await, ["wasi:http/outgoing-handler"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_is_read_through_every_version() {
    let runtime = runtime();
    let config = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    let world = Arc::new(World { config, ..World::default() });
    let probe = start(&runtime, "probe", &world, |_| ()).await;
    for (path, expected) in [
        ("/config?key=a", r#"{"store":"1","runtime":"1"}"#),
        ("/config?key=c", r#"{"store":null,"runtime":null}"#),
        ("/config", r#"{"store":{"a":"1","b":"2"},"runtime":{"a":"1","b":"2"}}"#),
    ] {
        assert_eq!(text(&probe, path).await.1.trim(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_through_a_handle_and_shown_nowhere() {
    let runtime = runtime();
    let marker = "hunter2-marker";
    let secrets = BTreeMap::from([
        ("token".to_owned(), Secret::text(marker.to_owned()).unwrap()),
        ("raw".to_owned(), Secret::bytes(vec![0, 255, 7]).unwrap()),
    ]);
    let world = Arc::new(World { secrets, ..World::default() });
    let actor = start(&runtime, "keyring", &world, |_| ()).await;
    for (path, expected) in [
        ("/reveal?name=token", (200, marker)),
        ("/has?name=token", (200, r#"{"kind":"text","bytes":14}"#)),
        ("/has?name=raw", (200, r#"{"kind":"bytes","bytes":3}"#)),
        ("/has?name=other", (404, r#"{"error":"not found"}"#)),
        ("/has?name=elsewhere", (502, r#"{"error":"it is sealed to others"}"#)),
    ] {
        let (status, body) = text(&actor, path).await;
        assert_eq!((status, body.trim()), expected, "{path}");
    }
    let trap = get(&actor, "/trap?name=token").await.unwrap_err();
    assert!(!format!("{trap} {trap:?}").contains(marker), "{trap:?}");
    assert!(!format!("{:?}", world.lines.lock().unwrap()).contains(marker));
    // It needs no link, and nothing but what it was given.
    assert!(runtime.prepare(wasm("keyring")).await.unwrap().needs_links().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_have_actor_invocation_and_level() {
    let runtime = runtime();
    let world = World::new();
    let probe = start(&runtime, "probe", &world, |_| ()).await;
    assert_eq!(text(&probe, "/log?level=warn&message=tell%1b[31m").await.0, 200);
    until("the call ends", || probe.stats().ok == 1).await;
    let lines = world.lines.lock().unwrap();
    let line = &lines[0];
    assert_eq!((line.stream, line.level, line.context.as_str()), (Stream::Logging, Level::Warn, "probe"));
    assert_eq!(line.actor.as_str(), "actor");
    assert!(line.message.starts_with("tell") && !line.message.contains('\u{1b}'), "{}", line.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_machine_is_visible() {
    let runtime = runtime();
    let probe = start(&runtime, "probe", &World::new(), |_| ()).await;
    let (_, body) = text(&probe, "/env").await;
    for part in [r#""arguments":0"#, r#""environment":0"#, r#""preopens":0"#] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert!(!body.contains("open\""), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_leave_over_the_link_or_not_at_all() {
    let runtime = runtime();
    let world = World::new();
    let probe = start(&runtime, "probe", &world, |_| ()).await;
    let (status, body) = text(&probe, "/http?url=http://far.test/x").await;
    assert_eq!((status, body.as_str()), (200, "GET http://far.test/x"));
    let (status, body) = text(&probe, "/http?url=http://far.test/refused").await;
    assert_eq!(status, 502);
    assert!(body.contains("ConnectionRefused"), "{body}");
    world.unlinked.store(true, Ordering::Relaxed);
    let (status, body) = text(&probe, "/http?url=http://far.test/x").await;
    assert_eq!(status, 502);
    assert!(body.contains("HttpRequestDenied"), "{body}");
    // The code has no text; the log has.
    assert!(world.messages().iter().any(|line| line.contains("wash link put")), "{:?}", world.messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_host_s_ends_one_call() {
    let runtime = runtime();
    let config = BTreeMap::from([("panic".to_owned(), String::new())]);
    let world = Arc::new(World { config, ..World::default() });
    let probe = start(&runtime, "probe", &world, |spec| spec.reuse = NonZeroU32::MAX).await;
    let error = get(&probe, "/config").await.unwrap_err();
    assert!(error.reason.contains("defect of the host"), "{error}");
    assert_eq!(text(&probe, "/").await.0, 200);
    assert_eq!((probe.stats().failed, probe.stats().in_flight), (1, 0));
}
