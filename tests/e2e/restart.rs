//! A host that is started again goes on with what an operator had started on it.

use std::time::Duration;

use lattice_control_interface::{HostInventory, ScaleComponentCommand};
use lattice_core::State;
use lattice_testkit::{Host, Tools, free_port, until};
use lattice_tests::{Line, Stage, lines};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
const RESTORED: &str = "restored what this host had; start it with --fresh to begin empty";

/// Everything in an inventory runs.
fn all_ready(inventory: &HostInventory) -> bool {
    let actors = inventory.components.iter().map(lattice_control_interface::ComponentDescription::state);
    let providers = inventory.providers.iter().map(lattice_control_interface::ProviderDescription::state);
    actors.chain(providers).all(|state| state == Some(State::Ready))
}

/// What a start asked for, as inventories show it.
fn asked(inventory: &HostInventory) -> Vec<String> {
    let actors = inventory.components.iter().map(|actor| {
        let (id, image) = (&actor.id, &actor.image_ref);
        let (limits, config, annotations) = (&actor.limits, &actor.config, &actor.annotations);
        format!(
            "{id} {image} {} {:?} {limits:?} {config:?} {annotations:?}",
            actor.max_instances, actor.reuse
        )
    });
    let providers = inventory.providers.iter().map(|provider| {
        format!("{} {:?} {:?} {:?}", provider.id, provider.image_ref, provider.config, provider.annotations)
    });
    actors.chain(providers).collect()
}

/// The line by which a host says what it restored, as (actors, providers).
fn restored(host: &Host) -> Option<(String, String)> {
    let said: Vec<Line> =
        lines(&host.process.output()).into_iter().filter(|line| line.message == RESTORED).collect();
    assert!(said.len() <= 1, "{said:?}");
    said.first().map(|line| (line.field("actors"), line.field("providers")))
}

/// The answer of a host that serves.
async fn serves(stage: &Stage, address: &str) {
    let url = format!("http://{address}/");
    let answers = || async { stage.http.get(&url).await.ok().filter(|answer| answer.status == 200) };
    until("the actor answers", WITHIN, answers).await.unwrap();
}

#[tokio::test]
async fn a_host_that_was_killed_starts_everything_again_as_it_was_asked_for() {
    let stage = Stage::set().await;
    let image = stage.signer.example("hello").display().to_string();
    let command = ScaleComponentCommand {
        reuse: Some(5),
        annotations: Some([("team".to_owned(), "shop".to_owned())].into()),
        component_limits: Some([("max_memory_limit".to_owned(), (64_u64 << 20).to_string())].into()),
        config: vec!["greeting".parse().unwrap()],
        ..ScaleComponentCommand::new("hello".parse().unwrap(), image, 7)
    };
    let (mut host, id) = stage.host(&[Line::JSON]).await;
    assert_eq!(restored(&host), None);
    stage.client.put_config(&"greeting".parse().unwrap(), &[("a".into(), "b".into())].into()).await.unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    stage.scale(&id, &command).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 3).await.unwrap();
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    let before = asked(&stage.until(&id, all_ready).await);
    assert_eq!(before.len(), 3, "{before:?}");

    host.process.kill();
    host.again(&[]).await.unwrap();
    let again = stage.until(&id, |inventory| inventory.components.len() == 2 && all_ready(inventory)).await;
    assert_eq!(asked(&again), before);
    assert_eq!(restored(&host), Some(("echo, hello".to_owned(), "http".to_owned())));
    serves(&stage, &address).await;

    // What an operator stopped stays stopped; a start that was acknowledged a moment before the kill does not.
    stage.client.scale_component(&id, &ScaleComponentCommand { count: 0, ..command }).await.unwrap();
    stage.until(&id, |inventory| inventory.components.len() == 1).await;
    stage.done(&format!("provider.stop.{id}"), r#"{"provider_id":"http"}"#).await;
    let start = json!({ "provider_id": "late", "provider_ref": "builtin://http-server" }).to_string();
    stage.done(&format!("provider.start.{id}"), start).await;
    host.process.kill();
    host.again(&[]).await.unwrap();
    stage.until(&id, |inventory| inventory.components.len() == 1 && inventory.providers.len() == 1).await;
    assert_eq!(restored(&host), Some(("echo".to_owned(), "late".to_owned())));
}

#[tokio::test]
async fn without_nats_a_restarted_host_serves_what_it_served_and_joins_when_it_is_there() {
    let mut stage = Stage::set().await;
    let (mut host, id, address) = stage.serving(&[Line::JSON], "hello", 10).await;
    host.process.kill();
    stage.nats.kill();
    host.again_at_once().unwrap();
    serves(&stage, &address).await;
    assert!(!host.process.output().contains(Host::READY), "{}", host.process.output());
    assert_eq!(restored(&host), Some(("hello".to_owned(), "http".to_owned())));

    stage.restart_nats().await;
    host.process.wait_for_line(Host::READY, WITHIN).await.unwrap();
    let client = stage.client.clone();
    let back = || async { client.get_host_inventory(&id).await.ok() };
    let inventory = until("the host answers", WITHIN, back).await.unwrap();
    assert!(all_ready(&inventory) && inventory.components.len() == 1, "{inventory:?}");
    // And it is steered: it follows what is changed now.
    stage.link("http", "hello", "wasi:http", &[("address", &address), ("path", "/hello")]).await;
    let moved =
        || async { (stage.http.get(&format!("http://{address}/")).await.ok()?.status == 404).then_some(()) };
    until("the route has moved", WITHIN, moved).await.unwrap();
    // A host that remembers nothing has nothing to serve, and says what is missing.
    host.process.stop(WITHIN).await.unwrap();
    stage.nats.kill();
    let url = stage.nats.url();
    let said = stage.run("wasmcloud", &["--nats-url", &url]).await;
    assert!(said.code == 3 && said.text.contains("no NATS server answers"), "{}", said.text);
}

#[tokio::test]
async fn an_update_that_failed_is_not_what_is_started_again() {
    let stage = Stage::set().await;
    let (mut host, id) = stage.host(&[Line::JSON]).await;
    let hello = stage.signer.example("hello");
    stage.start_actor(&id, "hello", &hello, 3).await.unwrap();
    let update = ScaleComponentCommand {
        allow_update: true,
        ..ScaleComponentCommand::new(
            "hello".parse().unwrap(),
            stage.folder().join("none.wasm").display().to_string(),
            3,
        )
    };
    stage.scale(&id, &update).await.unwrap_err();
    // The outcome is on record a moment after it was told.
    let file = || async {
        let record = host.data_dir().join("hosts/0/lattices/default/started.snapshot");
        let text = std::fs::read_to_string(record).unwrap();
        (text.contains("hello_s.wasm") && !text.contains("none.wasm")).then_some(())
    };
    until("the record holds what runs", WITHIN, file).await.unwrap();
    host.process.kill();
    host.again(&[]).await.unwrap();
    let inventory =
        stage.until(&id, |inventory| inventory.components.len() == 1 && all_ready(inventory)).await;
    assert_eq!(inventory.components[0].image_ref, hello.display().to_string());
}

#[tokio::test]
async fn ephemeral_keeps_and_restores_nothing_and_fresh_begins_empty() {
    let stage = Stage::set().await;
    let (mut host, id) = stage.host(&[Line::JSON]).await;
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 3).await.unwrap();
    host.process.stop(WITHIN).await.unwrap();

    host.again(&["--ephemeral"]).await.unwrap();
    assert_eq!((restored(&host), stage.until(&id, |_| true).await.components.len()), (None, 0));
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 3).await.unwrap();
    host.process.stop(WITHIN).await.unwrap();
    host.again(&[]).await.unwrap();
    stage.until(&id, |inventory| inventory.components.len() == 1 && all_ready(inventory)).await;
    assert_eq!(restored(&host), Some(("hello".to_owned(), "none".to_owned())));
    host.process.stop(WITHIN).await.unwrap();

    host.again(&["--fresh"]).await.unwrap();
    assert_eq!((restored(&host), stage.until(&id, |_| true).await.components.len()), (None, 0));
    assert!(host.data_dir().join("hosts/0/lattices/default.old.1/started.snapshot").is_file());
    host.process.stop(WITHIN).await.unwrap();
    host.again(&[]).await.unwrap();
    assert_eq!(stage.until(&id, |_| true).await.components.len(), 0);
}

#[tokio::test]
async fn what_a_manifest_starts_is_started_once() {
    let stage = Stage::set().await;
    let hello = stage.signer.example("hello").display().to_string();
    let text = format!("app: shop\nactors:\n  - name: hello\n    image: {hello}\n    concurrency: 5\n");
    let manifest = stage.signer.file("shop.yaml", text.as_bytes()).display().to_string();
    let (mut host, id) = stage.host(&[Line::JSON, "-m", &manifest]).await;
    stage.until(&id, |inventory| inventory.components.len() == 1 && all_ready(inventory)).await;
    // An operator's word on the manifest's own actor, and an actor beside it.
    let as_in_the_manifest = format!("file://{hello}");
    stage.start_actor(&id, "hello", as_in_the_manifest.as_ref(), 9).await.unwrap();
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 3).await.unwrap();
    host.process.kill();
    host.again(&[]).await.unwrap();
    let inventory =
        stage.until(&id, |inventory| inventory.components.len() == 2 && all_ready(inventory)).await;
    let hello = inventory.components.iter().find(|actor| actor.id.as_str() == "hello").unwrap();
    assert_eq!(hello.max_instances, 5, "the manifest has the last word on what is in it");
    assert_eq!(restored(&host), Some(("echo".to_owned(), "none".to_owned())));
}

#[tokio::test]
async fn a_lattice_that_is_taken_down_and_up_again_is_as_it_was() {
    let stage = Stage::set().await;
    let port = free_port().unwrap().to_string();
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let up = ["up", "-d", "--nats-port", &port, "--nats-server", &server, "--trust", stage.signer.account()];
    let on = |args: &[&str]| {
        [args, &["--ctl-port", &port]].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let run = async |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = stage.run("wash", &args).await;
        assert_eq!(said.code, 0, "{args:?}: {}", said.text);
        said.text
    };
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let hello = stage.signer.example("hello").display().to_string();
    run(up.map(str::to_owned).into()).await;
    run(on(&["start", "actor", &hello, "hello"])).await;
    run(on(&["start", "provider", "builtin://http-server", "http"])).await;
    run(on(&["link", "put", "http", "hello", "wasi:http", &format!("address={address}")])).await;
    serves(&stage, &address).await;
    for round in 0..2 {
        run(vec!["down".into()]).await;
        assert!(stage.http.get(&format!("http://{address}/")).await.is_err());
        if round == 1 {
            // The whole store of the server is lost: the host brings the link back.
            std::fs::remove_dir_all(stage.folder().join("data/nats")).unwrap();
        }
        run(up.map(str::to_owned).into()).await;
        serves(&stage, &address).await;
    }
    run(vec!["down".into()]).await;
    run([&up[..], &["--fresh"]].concat().iter().map(ToString::to_string).collect()).await;
    assert!(run(on(&["get", "inventory"])).await.contains("no actors"));
    run(vec!["down".into()]).await;
}
