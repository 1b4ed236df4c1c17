//! An actor that does everything an actor should not do: each way ends within its bound, says what happened, and
//! harms neither its neighbours nor the host.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http_body_util::BodyExt as _;
use lattice_control_interface::{LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES, ScaleComponentCommand};
use lattice_core::HostId;
use lattice_testkit::{Answer, Host, until};
use lattice_tests::{Line, Stage, lines};

const MIB: usize = 1 << 20;

/// A host with `misbehave` at the root and `hello` beside it.
struct Scene {
    stage: Stage,
    host: Host,
    id: HostId,
    url: String,
}

impl Scene {
    async fn set(flags: &[&str], limits: &[(&str, &str)]) -> Self {
        let stage = Stage::set().await;
        let image = stage.signer.example("misbehave").display().to_string();
        let mut command = ScaleComponentCommand::new("misbehave".parse().unwrap(), image, 4);
        let limits = limits.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        command.component_limits = Some(limits.collect());
        let flags = [flags, &[Line::JSON]].concat();
        let (host, id, address) = stage.serving_as(&flags, &command).await;
        stage.beside(&id, "hello", &address, "/hello").await;
        Self { stage, host, id, url: format!("http://{address}") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.stage.http.get(&format!("{}{path}", self.url)).await.unwrap()
    }

    /// Asks for what has to fail with `status` and `code`; the answer's reason and the invocation's id.
    async fn fails(&self, path: &str, status: u16, code: &str) -> (String, String) {
        let answer = self.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["error"], code, "{path}: {body}");
        let id = body["invocation"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 32, "{path}: {body}");
        assert_eq!(answer.headers["x-invocation-id"], id.as_str(), "{path}");
        (body["reason"].as_str().unwrap().to_owned(), id)
    }

    /// The lines of the host's log about an invocation, once one of them is as wanted.
    async fn log(&self, invocation: &str, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
        let about = |line: &Line| line.field("invocation") == invocation;
        let look = async || {
            let lines: Vec<Line> = lines(&self.host.process.output()).into_iter().filter(about).collect();
            lines.iter().any(&wanted).then_some(lines)
        };
        until("the host logs it", Duration::from_secs(10), look).await.unwrap()
    }

    /// Nothing of what happened is left: no call under way, no permit lost, and both actors answer.
    async fn is_unharmed(&self) {
        self.stage.until_idle(&self.id, "misbehave").await;
        // As many at once as there are permits: with one lost, the last would wait for ever.
        let all = join_all((0..4).map(|_| self.get("/sleep?ms=100"))).await;
        assert!(all.iter().all(|answer| answer.status == 200));
        assert_eq!(self.get("/").await.text(), "ok\n");
        assert_eq!(self.get("/hello").await.text(), "Hello from the lattice!\n");
        self.stage.until_idle(&self.id, "misbehave").await;
    }
}

#[tokio::test]
async fn loops_end_with_their_processor_time_and_neighbours_answer_meanwhile() {
    let scene = Scene::set(&["--max-cpu-time-ms", "1000"], &[]).await;
    // More loops than processors.
    let loops = join_all((0..4).map(|_| scene.fails("/loop", 504, "deadline")));
    let neighbour = async {
        scene.stage.until_load(&scene.id, "misbehave", |busy, _| busy == 4).await;
        for _ in 0..10 {
            let began = Instant::now();
            assert_eq!(scene.get("/hello").await.status, 200);
            assert!(began.elapsed() < Duration::from_secs(10), "a neighbour waited {:?}", began.elapsed());
        }
    };
    let began = Instant::now();
    let (ended, ()) = tokio::join!(loops, neighbour);
    assert!(began.elapsed() < Duration::from_secs(20));
    for (reason, id) in ended {
        assert_eq!(reason, format!("invocation {id} used more than 1s of processor time and was stopped"));
    }
    scene.is_unharmed().await;
}

#[tokio::test]
async fn waiting_ends_with_the_actor_s_time() {
    let scene = Scene::set(&[], &[(LIMIT_EXECUTION_TIME_S, "1")]).await;
    let began = Instant::now();
    let (reason, id) = scene.fails("/sleep?ms=20000", 504, "deadline").await;
    assert_eq!(reason, format!("invocation {id} took more than 1s and was stopped"));
    assert!(began.elapsed() < Duration::from_secs(10));
    // In the middle of a body there is no status left to tell it by: the connection breaks.
    let url = format!("{}/trickle?n=1000&ms=20", scene.url);
    for http in [lattice_testkit::Http::new(), lattice_testkit::Http::http2()] {
        let mut body = http.open("GET", &url, &[], "").await.unwrap();
        let mut bytes = 0;
        let end = loop {
            match body.frame().await {
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, bytes::Bytes::len),
                other => break other,
            }
        };
        assert!(bytes > 0 && end.is_some_and(|end| end.is_err()), "{bytes} bytes look whole");
    }
    scene.is_unharmed().await;
}

#[tokio::test]
async fn memory_ends_at_the_limit_of_actor_and_host() {
    let limit = (32 * MIB).to_string();
    let scene = Scene::set(&["--max-host-memory-bytes", "67108864"], &[(LIMIT_MEMORY_BYTES, &limit)]).await;
    let got = |answer: Answer| -> u32 {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().split_whitespace().nth(2).unwrap().parse().unwrap()
    };
    assert!((8..32).contains(&got(scene.get("/memory").await)));
    // Four at once want 128 MiB of the host's 64; each gets an answer or a trap that says what it was refused.
    let all = join_all((0..4).map(|_| scene.get("/memory"))).await;
    assert!(all.iter().all(|answer| matches!(answer.status, 200 | 500)));
    scene.is_unharmed().await;
    assert!((8..32).contains(&got(scene.get("/memory").await)), "what was used came back");
    let inventory = scene.stage.client.get_host_inventory(&scene.id).await.unwrap();
    assert_eq!(inventory.engine.unwrap()["memory_budget_bytes"], 67_108_864);
    let actor = inventory.components.iter().find(|actor| actor.id.as_str() == "misbehave").unwrap();
    assert_eq!(actor.limits.as_ref().unwrap()[LIMIT_MEMORY_BYTES], limit);
}

#[tokio::test]
async fn traps_answer_with_the_invocation_and_log_the_backtrace() {
    let scene = Scene::set(&[], &[]).await;
    for (path, kind, frame) in [
        ("/trap", "unreachable", "misbehave"),
        ("/recurse", "call stack exhausted", "descend"),
        ("/leak", "10000 host handles", "incoming-handler"),
    ] {
        let (reason, id) = scene.fails(path, 500, "trap").await;
        assert_eq!(reason, "the actor trapped; the host's log has the backtrace under this id");
        let log = scene.log(&id, |line| line.message == "guest trapped").await;
        let trapped = log.iter().find(|line| line.message == "guest trapped").unwrap();
        assert_eq!((trapped.level.as_str(), trapped.field("actor").as_str()), ("ERROR", "misbehave"));
        assert!(trapped.field("kind").contains(kind), "{path}: {trapped:?}");
        let backtrace = trapped.field("backtrace");
        assert!(backtrace.contains("wasm backtrace") && backtrace.contains(frame), "{path}: {backtrace}");
        // What the client is not told stands under the id as well.
        let log = scene.log(&id, |line| line.message == "request failed").await;
        let failed = log.iter().find(|line| line.message == "request failed").unwrap();
        assert_eq!((failed.field("actor"), failed.field("code")), ("misbehave".into(), "trap".into()));
        assert!(failed.field("reason").contains(kind), "{path}: {failed:?}");
        if path == "/trap" {
            // The guest's own last words are in the log too.
            assert!(log.iter().any(|line| line.field("line").contains("asked to trap")), "{log:?}");
        }
    }
    scene.is_unharmed().await;
}

#[tokio::test]
async fn a_megabyte_of_output_becomes_bounded_lines() {
    let scene = Scene::set(&[], &[]).await;
    assert_eq!(scene.get("/print").await.text(), "printed 1048576 bytes twice\n");
    scene.stage.until_idle(&scene.id, "misbehave").await;
    let guest = |line: &Line| line.message == "guest" && line.field("actor") == "misbehave";
    let look = async || {
        let lines: Vec<Line> = lines(&scene.host.process.output()).into_iter().filter(guest).collect();
        lines.iter().any(|line| line.field("line").starts_with("dropped")).then_some(lines)
    };
    let log = until("the output is logged", Duration::from_secs(10), look).await.unwrap();
    let bytes: usize = log.iter().map(|line| line.field("line").len() + 1).sum();
    assert!(bytes < 300 * 1024, "{bytes} bytes in the log");
    let invocation = log[0].field("invocation");
    assert_eq!(invocation.len(), 32);
    assert!(log.iter().all(|line| line.field("invocation") == invocation));
    for stream in ["stdout", "stderr"] {
        assert!(
            log.iter().any(|line| line.field("stream") == stream && line.field("line") == "x".repeat(63))
        );
    }
    let last = log.last().unwrap();
    assert_eq!(last.level, "WARN");
    let dropped = 2 * MIB - 256 * 1024;
    assert!(last.field("line").starts_with(&format!("dropped {dropped} bytes")), "{last:?}");
    scene.is_unharmed().await;
}

#[tokio::test]
async fn bodies_stream_and_broken_ones_look_broken() {
    let scene = Scene::set(&[], &[]).await;
    let http = &scene.stage.http;
    let url = |path: &str| format!("{}{path}", scene.url);

    // Far more than an actor may hold, both ways.
    let big = scene.get("/big?bytes=50000000").await;
    assert_eq!((big.status, big.body.len()), (200, 50_000_000));
    let upload = http.send("POST", &url("/count"), &[], vec![b'x'; 8 * MIB]).await.unwrap();
    assert_eq!(upload.text(), format!("{} bytes\n", 8 * MIB));
    let upload = http.send("POST", &url("/count"), &[], vec![b'x'; 17 * MIB]).await;
    assert!(upload.is_err() || upload.is_ok_and(|answer| answer.status == 413), "over the limit of the link");

    // The head and the first line are there long before the rest; who goes then ends the guest.
    let began = Instant::now();
    let mut early = http.open("GET", &url("/early?n=200&ms=100"), &[], "").await.unwrap();
    assert_eq!(early.status(), 200);
    let first = early.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "answered early\n");
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(early);
    scene.stage.until_idle(&scene.id, "misbehave").await;
    assert!(began.elapsed() < Duration::from_secs(15), "the guest went on for nobody");

    // A whole body that comes slowly is whole.
    assert_eq!(scene.get("/trickle?n=5&ms=20").await.text(), "line 1\nline 2\nline 3\nline 4\nline 5\n");

    // A body that ends in a trap is no short body: the client sees the connection break, in either version of HTTP.
    for http in [&scene.stage.http, &lattice_testkit::Http::http2()] {
        match http.get(&url("/panic-after-head")).await {
            Err(broken) => assert!(!broken.to_string().contains("not complete after"), "{broken}"),
            // The trap was there before the head had left, which is better still.
            Ok(answer) => assert_eq!(answer.status, 500, "{}", answer.text()),
        }
    }
    scene.is_unharmed().await;
}
