//! Who knows no hosts, as tools and providers do, calls by the target's queue group, and has what hosts have: the load is shared, and
//! who is full, frozen or dead gets nothing while another is free.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join;
use http_body_util::BodyExt as _;
use lattice_contracts::{CallContext, InvocationIds, http::empty};
use lattice_core::{CallError, CallTo, EntityId, Hop, HostId, LatticeName, LinkName};
use lattice_nats::{
    Called, Calls,
    remote::http::incoming::{self, FUNCTION, INTERFACE},
};
use lattice_testkit::{Host, NatsOptions, until};
use lattice_tests::Stage;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);
/// What `wash up` and `wash nats init` write: a server that has not heard of a client for so long takes it for gone.
const PINGS: &str = "ping_interval: \"1s\"\nping_max: 2";
/// When a server with those has ended the connection of a frozen host, at the latest.
const FROZEN_KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// Two hosts, and a caller that knows neither.
struct Scene {
    stage: Stage,
    b: Host,
    b_id: HostId,
    _c: Host,
    c_id: HostId,
    calls: Calls,
    ids: InvocationIds,
}

impl Scene {
    async fn set() -> Self {
        let stage = Stage::set_on(NatsOptions { config: PINGS.to_owned(), ..NatsOptions::default() }).await;
        let (b, b_id) = stage.host(&[]).await;
        let (c, c_id) = stage.host(&[]).await;
        // The name that needs no link.
        let me: EntityId = "wash".parse().unwrap();
        let calls = Calls::open(&stage.connection, &LatticeName::default(), &me).await.unwrap();
        Self { stage, b, b_id, _c: c, c_id, calls, ids: InvocationIds::new(7) }
    }

    async fn get(&self, target: &str, path: &str) -> Result<Bytes, CallError> {
        let hop = || Hop::Actor(target.parse().unwrap());
        let request = http::Request::get(format!("http://host{path}")).body(empty()).unwrap();
        let call = CallContext {
            id: self.ids.next(),
            source: "wash".parse().unwrap(),
            target: target.parse().unwrap(),
            link: LinkName::default(),
            deadline: tokio::time::Instant::now() + PATIENCE,
            depth: 0,
            trace: None,
        };
        let called = Called { interface: INTERFACE.into(), function: FUNCTION.into(), ..Called::default() };
        let offer = incoming::offer(request, hop()).await?;
        let reply = self.calls.call(&call, CallTo::Anyone, called, offer.outbound()).await?;
        let response = incoming::response(reply, hop()).await?;
        assert_eq!(response.status(), 200);
        Ok(response.into_body().collect().await.unwrap().to_bytes())
    }

    async fn who_answers(&self) -> Result<String, CallError> {
        let answer: Value = serde_json::from_slice(&self.get("probe", "/config?key=host").await?).unwrap();
        Ok(answer["store"].as_str().unwrap().to_owned())
    }

    /// Who answered how many of so many calls; each has to be answered.
    async fn count(&self, calls: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            *counts.entry(self.who_answers().await.unwrap()).or_default() += 1;
        }
        counts
    }
}

#[tokio::test]
async fn the_load_is_shared_and_a_frozen_host_gets_no_calls() {
    let mut scene = Scene::set().await;
    scene.stage.start_named_probe(&scene.b_id, "b", 10).await;
    scene.stage.start_named_probe(&scene.c_id, "c", 10).await;
    let counts = scene.count(60).await;
    assert!(counts["b"] >= 12 && counts["c"] >= 12, "{counts:?}");

    scene.b.process.pause();
    let frozen = Instant::now();
    // Until the server knows, half of the calls meet silence, and none hangs.
    while frozen.elapsed() < FROZEN_KNOWN_WITHIN {
        let began = Instant::now();
        let _maybe_lost = scene.who_answers().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    assert_eq!(scene.count(40).await.into_keys().collect::<Vec<_>>(), ["c"]);
    scene.b.process.resume();
    let back = || async { scene.who_answers().await.is_ok_and(|who| who == "b").then_some(()) };
    until("the host answers again", PATIENCE, back).await.unwrap();
}

#[tokio::test]
async fn a_full_host_hands_on_what_another_has_room_for() {
    let scene = Scene::set().await;
    let image = scene.stage.signer.example("misbehave");
    for host in [&scene.b_id, &scene.c_id] {
        scene.stage.start_actor(host, "misbehave", &image, 1).await.unwrap();
    }
    // Who hands a call on knows the other one.
    scene.stage.until_peers(&[&scene.b_id, &scene.c_id], 1).await;
    let ended = AtomicBool::new(false);
    let long = async {
        scene.get("misbehave", "/sleep?ms=15000").await.unwrap();
        ended.store(true, Ordering::Relaxed);
    };
    let others = async {
        let is_busy = async |host: &HostId| {
            let inventory = scene.stage.client.get_host_inventory(host).await.unwrap();
            inventory.components[0].in_flight.unwrap_or_default() > 0
        };
        let look = async || (is_busy(&scene.b_id).await || is_busy(&scene.c_id).await).then_some(());
        until("one of them is full", PATIENCE, look).await.unwrap();
        // The server picks either: half of these come to the full one first.
        for _ in 0..20 {
            scene.get("misbehave", "/").await.unwrap();
        }
        assert!(!ended.load(Ordering::Relaxed), "nothing waited for the long call's place");
    };
    join(long, others).await;
}
