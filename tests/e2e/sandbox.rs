//! What an actor sees of the machine (nothing), what it gets without a link, and what only a link gives it.

use std::time::Duration;

use lattice_control_interface::ScaleComponentCommand;
use lattice_core::{HostId, State};
use lattice_testkit::{Host, free_port, until};
use lattice_tests::{Line, Stage, lines};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// `probe` on a host, and what it answers.
struct Scene {
    stage: Stage,
    host: Host,
    id: HostId,
    address: String,
}

impl Scene {
    async fn set(config: &[&str], flags: &[&str]) -> Self {
        let stage = Stage::set().await;
        let image = stage.signer.example("probe").display().to_string();
        let mut command = ScaleComponentCommand::new("probe".parse().unwrap(), image, 4);
        command.config = config.iter().map(|name| name.parse().unwrap()).collect();
        let (host, id, address) = stage.serving_as(flags, &command).await;
        Self { stage, host, id, address }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.stage.http.get(&format!("http://{}{path}", self.address)).await.unwrap();
        (answer.status, answer.json())
    }

    async fn line(&self, wanted: impl Fn(&Line) -> bool) -> Line {
        let look = async || lines(&self.host.process.output()).into_iter().find(&wanted);
        until("the host logs it", SOON, look).await.unwrap()
    }
}

fn values(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn an_actor_sees_nothing_of_the_machine() {
    let scene = Scene::set(&[], &[]).await;
    let (status, seen) = scene.get("/env").await;
    assert_eq!(status, 200);
    for what in ["arguments", "environment", "preopens"] {
        assert_eq!(seen[what], 0, "{seen}");
    }
    for what in ["file", "socket"] {
        assert!(seen[what].as_str().unwrap().starts_with("refused: "), "{seen}");
    }
}

#[tokio::test]
async fn configuration_reaches_the_actor_and_changes_under_it() {
    let stage = Stage::set().await;
    let (host, id) = stage.host(&[]).await;
    let image = stage.signer.example("probe");
    let mut command = ScaleComponentCommand::new("probe".parse().unwrap(), image.display().to_string(), 4);
    command.config = ["base", "own"].map(|name| name.parse().unwrap()).to_vec();
    // A configuration that is not there is named, with the command that makes it.
    let refused = stage.scale(&id, &command).await.unwrap_err();
    assert!(refused.contains("wash config put base KEY=VALUE"), "{refused}");

    let put = async |name: &str, pairs| {
        stage.client.put_config(&name.parse().unwrap(), &values(pairs)).await.unwrap();
    };
    put("base", &[("greeting", "hello"), ("mood", "calm")]).await;
    put("own", &[("mood", "brisk")]).await;
    // Somebody else's, of which the actor sees nothing.
    put("foreign", &[("mood", "stolen"), ("password", "hunter2")]).await;
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    stage.scale(&id, &command).await.unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.link("http", "probe", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&id, "http", "probe", |state| *state == State::Ready).await;
    let scene = Scene { stage, host, id, address };

    // Both versions of the interface say the same; of two configurations the later wins.
    let both = |value: Value| (200, json!({ "store": value, "runtime": value }));
    assert_eq!(scene.get("/config?key=greeting").await, both(json!("hello")));
    assert_eq!(scene.get("/config?key=mood").await, both(json!("brisk")));
    assert_eq!(scene.get("/config?key=nothing").await, both(Value::Null));
    assert_eq!(scene.get("/config?key=password").await, both(Value::Null));
    assert_eq!(scene.get("/config").await, both(json!({ "greeting": "hello", "mood": "brisk" })));

    // It changes without a restart.
    scene.stage.client.put_config(&"own".parse().unwrap(), &values(&[("mood", "wild")])).await.unwrap();
    let changed = async || (scene.get("/config?key=mood").await == both(json!("wild"))).then_some(());
    until("the new value is seen", SOON, changed).await.unwrap();
}

#[tokio::test]
async fn an_actor_s_log_is_the_host_s() {
    let scene = Scene::set(&[], &[Line::JSON, "--log-level", "info,guest=trace"]).await;
    for (level, shown) in [
        ("trace", "TRACE"),
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("warn", "WARN"),
        ("error", "ERROR"),
        ("critical", "ERROR"),
    ] {
        let message = format!("said-at-{level}");
        assert_eq!(scene.get(&format!("/log?level={level}&message={message}")).await.0, 200);
        let line = scene.line(|line| line.field("line") == message).await;
        assert_eq!(line.level, shown);
        assert_eq!((line.field("actor").as_str(), line.field("context").as_str()), ("probe", "probe"));
        assert_eq!(line.field("invocation").len(), 32);
    }
    // What an actor says cannot look like a line of the host's.
    scene.get("/log?level=info&message=one%0Atwo%1B%5B31m").await;
    let line = scene.line(|line| line.field("line").starts_with("one")).await;
    assert_eq!(line.field("line"), "one\\ntwo\\u{1b}[31m");
}

#[tokio::test]
async fn requests_to_the_outside_take_a_link_and_its_leave() {
    let scene = Scene::set(&[], &[Line::JSON]).await;
    let stage = &scene.stage;
    stage.beside(&scene.id, "hello", &scene.address, "/hello").await;
    let path = format!("/http?url=http://{}/hello", scene.address);

    // No link: the contract's own error; the state and the log name the command that makes one.
    let pending = "pending: no link for wasi:http; make one: wash link put probe PROVIDER wasi:http";
    let probe = |inventory: &lattice_control_interface::HostInventory| {
        let found = inventory.components.iter().find(|component| component.id.as_str() == "probe");
        found.and_then(|component| component.state()).map(|state| state.to_string())
    };
    stage.until(&scene.id, |inventory| probe(inventory).as_deref() == Some(pending)).await;
    let denied = (502, json!({ "error": "ErrorCode::HttpRequestDenied" }));
    assert_eq!(scene.get(&path).await, denied);
    let told = scene.line(|line| line.field("line").contains("wash link put probe PROVIDER wasi:http")).await;
    assert_eq!((told.level.as_str(), told.field("actor").as_str()), ("WARN", "probe"));

    // A link: the networks of this machine and its neighbours stay shut.
    stage.start_provider(&scene.id, "outside", "builtin://http-client").await.unwrap();
    stage.link("probe", "outside", "wasi:http", &[]).await;
    stage.until_link(&scene.id, "probe", "outside", |state| *state == State::Ready).await;
    stage.until(&scene.id, |inventory| probe(inventory).as_deref() == Some("ready")).await;
    assert_eq!(scene.get(&path).await, denied);
    let told = scene.line(|line| line.field("line").contains("allow_private")).await;
    assert_eq!(told.field("actor"), "probe");

    // Opened, but for another host: still shut. For this one: open.
    let relink = async |allow: &str| {
        stage.link("probe", "outside", "wasi:http", &[("allow_private", "true"), ("allow", allow)]).await;
    };
    relink("192.0.2.1").await;
    let refused = async || {
        assert_eq!(scene.get(&path).await, denied);
        let told = |line: &Line| line.field("line").contains("the link's allow list does not name 127.0.0.1");
        lines(&scene.host.process.output()).into_iter().find(told)
    };
    assert_eq!(until("the other list is used", SOON, refused).await.unwrap().level, "WARN");
    relink("127.0.0.1").await;
    let reached = async || {
        let url = format!("http://{}{path}", scene.address);
        let answer = stage.http.get(&url).await.unwrap();
        (answer.status == 200).then(|| answer.text())
    };
    assert_eq!(until("the request goes out", SOON, reached).await.unwrap(), "Hello from the lattice!\n");
    // What refuses the connection is told as that.
    let closed = free_port().unwrap();
    let (status, refused) = scene.get(&format!("/http?url=http://127.0.0.1:{closed}/")).await;
    assert_eq!((status, refused["error"].as_str()), (502, Some("ErrorCode::ConnectionRefused")));
}

#[tokio::test]
async fn imports_that_nobody_serves_are_refused_by_name() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let foreign = r#"(component
        (import "acme:rockets/launch@1.0.0" (instance (export "fire" (func))))
        (import "wasi:keyvalue/store@0.3.0" (instance (export "open" (func)))))"#;
    let image = stage.signer.signed("foreign.wasm", &wat::parse_str(foreign).unwrap(), &Default::default());
    let refused = stage.start_actor(&id, "foreign", &image, 1).await.unwrap_err();
    // Another actor may serve the first one, so that it alone would only wait for its link.
    assert!(refused.contains("imports what no host serves: wasi:keyvalue/store@0.3.0"), "{refused}");
    let failed = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(failed.components[0].state().unwrap().word(), "failed");

    // WASI 0.3 is experimental, and behind a flag.
    let newer = stage.signer.example("hello-wasip3");
    let refused = stage.start_actor(&id, "newer", &newer, 1).await.unwrap_err();
    assert!(refused.contains("start the host with --wasip3"), "{refused}");
}

#[tokio::test]
async fn wasi_0_3_is_served_behind_its_flag() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&["--wasip3"], "hello-wasip3", 4).await;
    let answer = stage.http.get(&format!("http://{address}/")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.engine.unwrap()["wasip3"], true);
}
