//! Replicas on several hosts share the load; who stops, dies, freezes or is full gets nothing while another is free.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::future::{join, join_all};
use lattice_control_interface::Collect;
use lattice_core::{HostId, State};
use lattice_testkit::{Host, until};
use lattice_tests::Stage;

/// How long a dead host may be taken for a living one.
const KNOWN_DEAD_WITHIN: Duration = Duration::from_secs(4);

/// A server on one host, `probe` on two others, which say who they are.
struct Scene {
    stage: Stage,
    front: Host,
    address: String,
    b: Host,
    b_id: HostId,
    c: Host,
    c_id: HostId,
}

impl Scene {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let (front, front_id, address) = stage.front(&[]).await;
        let (b, b_id) = stage.host(&[]).await;
        let (c, c_id) = stage.host(&[]).await;
        stage.start_named_probe(&b_id, "b", 10).await;
        stage.start_named_probe(&c_id, "c", 10).await;
        stage.link("http", "probe", "wasi:http", &[("address", &address)]).await;
        stage.until_link(&front_id, "http", "probe", |state| *state == State::Ready).await;
        let scene = Self { stage, front, address, b, b_id, c, c_id };
        scene.until_answered_by("b").await;
        scene.until_answered_by("c").await;
        scene
    }

    async fn until_answered_by(&self, name: &str) {
        let answered = || async {
            self.stage.who_answers(&self.address).await.is_ok_and(|who| who == name).then_some(())
        };
        until("the host answers", Duration::from_secs(20), answered).await.unwrap();
    }

    /// Who answered how many of so many calls; each has to be answered.
    async fn count(&self, calls: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            *counts.entry(self.stage.who_answers(&self.address).await.unwrap()).or_default() += 1;
        }
        counts
    }
}

#[tokio::test]
async fn the_load_is_shared_and_a_clean_stop_loses_no_call() {
    let scene = Scene::set().await;
    let counts = scene.count(60).await;
    assert!(counts["b"] >= 12 && counts["c"] >= 12, "{counts:?}");

    // Four clients go on calling while one of the hosts stops in order.
    let stopped = AtomicBool::new(false);
    let client = || async {
        let mut after = 0;
        while after < 25 {
            let answered = scene.stage.who_answers(&scene.address).await;
            answered.unwrap_or_else(|why| panic!("a lost call: {why}\n{}", scene.front.process.output()));
            after += usize::from(stopped.load(Ordering::Relaxed));
        }
    };
    let stop = async {
        scene.stage.client.stop_host(&scene.b_id, None).await.unwrap();
        stopped.store(true, Ordering::Relaxed);
    };
    join(join_all((0..4).map(|_| client())), stop).await;
    assert_eq!(scene.count(20).await.into_keys().collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn a_dead_host_gets_no_calls() {
    let mut scene = Scene::set().await;
    scene.b.process.kill();
    let died = Instant::now();
    // Until that is known, calls to it end as unreachable, and none hangs.
    let mut lost = 0;
    while died.elapsed() < KNOWN_DEAD_WITHIN {
        let began = Instant::now();
        lost += usize::from(scene.stage.who_answers(&scene.address).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    eprintln!("{lost} calls were lost with the host");
    assert_eq!(scene.count(40).await.into_keys().collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn a_frozen_host_gets_no_calls_and_some_when_it_is_back() {
    let mut scene = Scene::set().await;
    scene.b.process.pause();
    let frozen = Instant::now();
    while frozen.elapsed() < KNOWN_DEAD_WITHIN {
        let began = Instant::now();
        let _maybe_lost = scene.stage.who_answers(&scene.address).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    assert_eq!(scene.count(40).await.into_keys().collect::<Vec<_>>(), ["c"]);
    scene.b.process.resume();
    scene.until_answered_by("b").await;
}

#[tokio::test]
async fn a_full_host_gets_no_calls_while_another_is_free() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_b, b_id) = stage.host(&[]).await;
    let (_c, c_id) = stage.host(&[]).await;
    let image = stage.signer.example("misbehave");
    for host in [&b_id, &c_id] {
        stage.start_actor(host, "misbehave", &image, 1).await.unwrap();
    }
    stage.link("http", "misbehave", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&front_id, "http", "misbehave", |state| *state == State::Ready).await;
    // A caller that knows of one host alone lets its calls wait there.
    stage.until_peers(&[&front_id], 2).await;
    let url = format!("http://{address}");
    let (long, long_ended) = (format!("{url}/sleep?ms=25000"), AtomicBool::new(false));
    let busy_one = async {
        let look = || async {
            let busy = async |host: &HostId| {
                let inventory = stage.client.get_host_inventory(host).await.unwrap();
                inventory.components[0].in_flight.unwrap_or_default()
            };
            (busy(&b_id).await + busy(&c_id).await == 1).then_some(())
        };
        until("one of them is full", Duration::from_secs(10), look).await.unwrap();
        // Whichever it is: nothing waits behind it, though half of the calls would go there by chance.
        for _ in 0..20 {
            let began = Instant::now();
            assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        }
        // Both full: what comes now waits at either, and is served where a place becomes free first.
        let (takes_it, waits) = (format!("{url}/sleep?ms=1000"), format!("{url}/sleep?ms=10"));
        let waiting = join_all((0..8).map(|_| stage.http.get(&waits)));
        let (first, others) = join(stage.http.get(&takes_it), waiting).await;
        assert_eq!(first.unwrap().status, 200);
        others.into_iter().for_each(|answer| assert_eq!(answer.unwrap().status, 200));
        assert!(!long_ended.load(Ordering::Relaxed), "nothing waited for the long call's place");
    };
    let long_call = async {
        assert_eq!(stage.http.get(&long).await.unwrap().status, 200);
        long_ended.store(true, Ordering::Relaxed);
    };
    join(long_call, busy_one).await;
}

#[tokio::test]
async fn two_lattices_on_one_server_never_mix() {
    let scene = Scene::set().await;
    // The same actor under the same id, in another lattice.
    let (_other, other_id) = scene.stage.host(&["--lattice", "other"]).await;
    let other = scene.stage.client_of("other");
    let image = scene.stage.signer.example("hello").display().to_string();
    let command = lattice_control_interface::ScaleComponentCommand::new("probe".parse().unwrap(), image, 10);
    other.scale_component_and_wait(&other_id, &command, Duration::from_secs(30)).await.unwrap();
    let counts = scene.count(40).await;
    assert_eq!(counts.into_keys().collect::<Vec<_>>(), ["b", "c"]);
    // Neither sees the other's hosts, nor what it knows.
    let hosts = other.get_hosts(Collect::default()).await.unwrap();
    assert_eq!(hosts.iter().map(|host| host.id.as_str()).collect::<Vec<_>>(), [other_id.as_str()]);
    let name = "of-one".parse().unwrap();
    other.put_config(&name, &[("k".to_owned(), "v".to_owned())].into()).await.unwrap();
    assert_eq!(scene.stage.client.get_config(&name).await.unwrap(), None);
    // And when its own lattice has none left, it has none: `hello` answers any path with 200.
    for host in [&scene.b_id, &scene.c_id] {
        scene.stage.client.stop_host(host, None).await.unwrap();
    }
    let url = format!("http://{}/", scene.address);
    let refused = || async { (scene.stage.http.get(&url).await.unwrap().status == 503).then_some(()) };
    until("nobody answers", Duration::from_secs(10), refused).await.unwrap();
    drop((scene.b, scene.c));
}

#[tokio::test]
async fn a_thousand_calls_wait_and_all_are_served() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_b, b_id) = stage.host(&[]).await;
    let image = stage.signer.example("misbehave");
    stage.start_actor(&b_id, "misbehave", &image, 256).await.unwrap();
    let config = [("address", address.as_str()), ("request_timeout_ms", "60000")];
    stage.link("http", "misbehave", "wasi:http", &config).await;
    stage.until_link(&front_id, "http", "misbehave", |state| *state == State::Ready).await;
    let url = format!("http://{address}/sleep?ms=100");
    // As many as run at once, and as many as may wait.
    let calls = (0..256 + 1000).map(|_| async { stage.http.get(&url).await.map(|answer| answer.status) });
    let answers = join_all(calls).await;
    let served = answers.iter().filter(|answer| matches!(answer, Ok(200))).count();
    assert_eq!(served, 256 + 1000, "{:?}", answers.iter().find(|answer| !matches!(answer, Ok(200))));
    stage.until_idle(&b_id, "misbehave").await;
}
