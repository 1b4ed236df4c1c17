//! HTTP to an actor on another host: what it answers, bodies of any size, stalls, cancels and failures.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use lattice_core::{Distance, HostId, State};
use lattice_testkit::{Answer, Host, until};
use lattice_tests::Stage;
use serde_json::json;

const MIB: usize = 1 << 20;

/// A server on one host, `misbehave` and `echo` on another.
struct Scene {
    stage: Stage,
    front: Host,
    back: Host,
    back_id: HostId,
    url: String,
}

impl Scene {
    async fn set(concurrency: u32, config: &[(&str, &str)]) -> Self {
        let stage = Stage::set().await;
        let (front, front_id, address) = stage.front(&[]).await;
        let (back, back_id) = stage.host(&[]).await;
        for (actor, path) in [("misbehave", "/"), ("echo", "/echo")] {
            let image = stage.signer.example(actor);
            stage.start_actor(&back_id, actor, &image, concurrency).await.unwrap();
            let config = [&[("address", address.as_str()), ("path", path)], config].concat();
            stage.link("http", actor, "wasi:http", &config).await;
            stage.until_link(&front_id, "http", actor, |state| *state == State::Ready).await;
        }
        Self { stage, front, back, back_id, url: format!("http://{address}") }
    }

    async fn until_idle(&self) {
        self.stage.until_idle(&self.back_id, "misbehave").await;
    }

    /// The most memory that both hosts ever had, in bytes.
    fn peak(&self) -> [usize; 2] {
        [&self.front, &self.back].map(|host| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", host.process.id())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
        })
    }
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_so_does_its_answer() {
    let scene = Scene::set(10, &[]).await;
    let url = format!("{}/echo/a%20b?c=d&e", scene.url);
    let sent = scene.stage.http.send("PATCH", &url, &[("x-one", "1"), ("x-one", "2")], "hi").await.unwrap();
    let echo = sent.json();
    assert_eq!((sent.status, &echo["method"]), (200, &json!("PATCH")));
    assert_eq!((&echo["path"], &echo["query_string"]), (&json!("/echo/a%20b"), &json!("c=d&e")));
    assert_eq!((&echo["headers"]["x-one"], &echo["body"]), (&json!("1, 2"), &json!([104, 105])));
    let missing = scene.stage.http.get(&format!("{}/nothing", scene.url)).await.unwrap();
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn bodies_of_any_size_stream_both_ways_in_little_memory() {
    let scene = Scene::set(10, &[("max_body_bytes", "268435456"), ("request_timeout_ms", "120000")]).await;
    let size = 64 * MIB;
    // Everything is warm before memory is looked at.
    assert_eq!(scene.stage.http.get(&scene.url).await.unwrap().status, 200);
    let before = scene.peak();
    let (up, down) = (format!("{}/count", scene.url), format!("{}/big?bytes={size}", scene.url));
    let upload = async { scene.stage.http.send("PUT", &up, &[], vec![7; size]).await.unwrap() };
    let download = async {
        let mut body = scene.stage.http.open("GET", &down, &[], "").await.unwrap().into_body();
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().into_data().map_or(0, |data| data.len());
        }
        read
    };
    let (uploaded, downloaded) = futures::join!(upload, download);
    assert_eq!((uploaded.status, downloaded), (200, size));
    assert!(uploaded.text().contains(&size.to_string()), "{}", uploaded.text());
    for (before, after) in before.into_iter().zip(scene.peak()) {
        let more = after.saturating_sub(before) / MIB;
        eprintln!("{more} MiB more for 64 MiB each way");
        assert!(more < 40, "{more} MiB");
    }
}

#[tokio::test]
async fn a_reader_that_stalls_stalls_its_own_call_and_frees_all_when_it_goes() {
    let scene = Scene::set(2, &[]).await;
    let big = format!("{}/big?bytes={}", scene.url, 64 * MIB);
    let stalled = scene.stage.http.open("GET", &big, &[], "").await.unwrap();
    assert_eq!(stalled.status(), 200);
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(scene.stage.http.get(&scene.url).await.unwrap().text(), "ok\n");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    drop(stalled);
    scene.until_idle().await;
}

#[tokio::test]
async fn a_client_that_goes_ends_the_work_on_the_other_host() {
    let scene = Scene::set(4, &[]).await;
    let url = format!("{}/sleep?ms=20000", scene.url);
    let busy = scene.stage.until_load(&scene.back_id, "misbehave", |busy, _| busy == 4);
    let calls = futures::future::join_all((0..4).map(|_| scene.stage.http.get(&url)));
    tokio::select! {
        answers = calls => panic!("{answers:?} came first"),
        () = busy => {}
    }
    let gone = Instant::now();
    scene.until_idle().await;
    assert!(gone.elapsed() < Duration::from_secs(10), "{:?}", gone.elapsed());
    assert_eq!(scene.stage.http.get(&scene.url).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_fails_there_is_told_here() {
    let scene = Scene::set(2, &[("request_timeout_ms", "1500")]).await;
    for (path, status, code) in [("/trap", 500, "trap"), ("/sleep?ms=20000", 504, "deadline")] {
        let answer = scene.stage.http.get(&format!("{}{path}", scene.url)).await.unwrap();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(code)), "{path}");
    }
    // A body that breaks off is never taken for a whole one: either it breaks off here too, or its head had not left yet.
    let broken = scene.stage.http.get(&format!("{}/panic-after-head", scene.url)).await;
    let told = |answer: &Answer| answer.status == 500 && answer.json()["error"] == "trap";
    assert!(broken.as_ref().ok().is_none_or(told), "{broken:?}");
    scene.until_idle().await;
    // The host goes: no hang, and a plain answer.
    let Scene { stage, mut back, url, .. } = scene;
    back.process.kill();
    let answered = || async {
        let answer = stage.http.get(&url).await.unwrap();
        (answer.status == 503).then_some(answer)
    };
    let answer = until("the call is refused", Duration::from_secs(10), answered).await.unwrap();
    assert_eq!(answer.json()["error"], "unreachable");
}

#[tokio::test]
async fn calls_go_no_further_than_their_link_says() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_back, back_id) = stage.host(&[]).await;
    stage.start_named_probe(&back_id, "back", 10).await;
    let config = [("address", address.as_str())];
    stage.link_at("http", "probe", "wasi:http", &config, Distance::Local).await;
    let near = |state: &State| matches!(state, State::Pending(why) if why.contains("distance local"));
    stage.until_link(&front_id, "http", "probe", near).await;
    let refused = stage.who_answers(&address).await.unwrap_err();
    assert!(refused.starts_with("503"), "{refused}");
    // The same link, further: it changes while everything runs.
    stage.link_at("http", "probe", "wasi:http", &config, Distance::PreferLocal).await;
    stage.until_link(&front_id, "http", "probe", |state| *state == State::Ready).await;
    assert_eq!(stage.who_answers(&address).await.unwrap(), "back");
    // Local first, as soon as there is one.
    stage.start_named_probe(&front_id, "front", 10).await;
    for _ in 0..10 {
        assert_eq!(stage.who_answers(&address).await.unwrap(), "front");
    }
    // And one of many.
    stage.link_at("http", "probe", "wasi:http", &config, Distance::Lattice).await;
    let shared = || async { (stage.who_answers(&address).await.unwrap() == "back").then_some(()) };
    until("the other host takes its share", Duration::from_secs(10), shared).await.unwrap();
}
