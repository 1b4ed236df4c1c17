//! An actor calls another through an interface that is nobody's but theirs.

use std::time::Duration;

use lattice_core::{Distance, Link, State};
use lattice_testkit::{free_port, until};
use lattice_tests::Stage;

const WITHIN: Duration = Duration::from_secs(60);

fn greeter_to_translator() -> Link {
    Link {
        source: "greeter".parse().unwrap(),
        target: "translator".parse().unwrap(),
        name: "default".parse().unwrap(),
        wit_namespace: "demo".into(),
        wit_package: "translate".into(),
        interfaces: Vec::new(),
        source_config: Vec::new(),
        target_config: Vec::new(),
        source_secrets: Vec::new(),
        target_secrets: Vec::new(),
        distance: Distance::default(),
    }
}

/// The state of an actor as the inventory has it.
fn is(
    inventory: &lattice_control_interface::HostInventory,
    actor: &str,
    wanted: &impl Fn(&State) -> bool,
) -> bool {
    let found = inventory.components.iter().find(|component| component.id.as_str() == actor);
    found.and_then(|component| component.state()).is_some_and(|state| wanted(&state))
}

#[tokio::test]
async fn the_greeter_of_the_manifest_speaks_with_the_translator_s_words() {
    let stage = Stage::set().await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    for actor in ["greeter", "translator"] {
        let _signed = stage.signer.example(actor);
    }
    let text = include_str!("../../manifests/greeter.yaml")
        .replace("${ACTORS:-../.lattice/actors}", ".")
        .replace("${GREETER_ADDRESS:-127.0.0.1:8090}", &address);
    let manifest = stage.signer.file("greeter.yaml", text.as_bytes()).display().to_string();
    let (host, id) = stage.host(&["-m", &manifest]).await;
    stage.until_link(&id, "http", "greeter", |state| *state == State::Ready).await;
    stage.until_link(&id, "greeter", "translator", |state| *state == State::Ready).await;
    stage.until(&id, |inventory| is(inventory, "greeter", &|state| *state == State::Ready)).await;
    let get = async |path: &str| {
        let answer = stage.http.get(&format!("http://{address}{path}")).await.unwrap();
        (answer.status, answer.text().trim_end().to_owned())
    };
    assert_eq!(get("/Anna?language=french&hour=20").await, (200, "Bonsoir, Anna!".to_owned()));
    assert_eq!(get("/everything").await, (200, "every kind of value came back as it went".to_owned()));

    // The link goes: the next call that needs it fails, and says in the log and in the state which to make.
    let gone = stage.wash(&["link", "del", "greeter", "translator", "demo:translate"]).await;
    assert_eq!(gone.code, 0, "{}", gone.text);
    let said = "no link for demo:translate; make one: wash link put greeter ACTOR demo:translate";
    let missing = |state: &State| matches!(state, State::Pending(why) if why == said);
    stage.until(&id, |inventory| is(inventory, "greeter", &missing)).await;
    until("the call fails", WITHIN, async || (get("/Anna").await.0 == 500).then_some(())).await.unwrap();
    let failed = stage.wash(&["call", "greeter", "--http-path", "/Anna"]).await;
    assert_eq!(failed.code, 1, "{}", failed.text);
    assert!(
        failed.text.contains("no-link") && failed.text.contains("wash link put greeter ACTOR demo:translate"),
        "{}",
        failed.text
    );
    assert!(host.process.output().contains("wash link put greeter ACTOR demo:translate"));
    assert_eq!(get("/Anna?hour=x").await.0, 400, "what needs no link goes on");

    // And comes back.
    let put = ["link", "put", "greeter", "translator", "demo:translate"];
    assert_eq!(stage.wash(&put).await.code, 0);
    until("the call works again", WITHIN, async || (get("/Anna").await.0 == 200).then_some(()))
        .await
        .unwrap();
    stage.until(&id, |inventory| is(inventory, "greeter", &|state| *state == State::Ready)).await;

    // The callee goes, and a call says what to start.
    stage.start_actor(&id, "translator", &stage.signer.example("translator"), 0).await.unwrap();
    let failed = stage.wash(&["call", "greeter", "--http-path", "/Anna"]).await;
    assert!(failed.code == 1 && failed.text.contains("wash start actor IMAGE translator"), "{}", failed.text);
    stage.until_idle(&id, "greeter").await;
}

#[tokio::test]
async fn an_actor_that_lacks_only_a_link_starts_when_it_comes() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "translator", &stage.signer.example("translator"), 4).await.unwrap();
    let refused = stage.start_actor(&id, "greeter", &stage.signer.example("greeter"), 4).await.unwrap_err();
    let line = "wash link put greeter ACTOR demo:translate";
    assert!(refused.contains("demo:translate/translator@0.1.0") && refused.contains(line), "{refused}");
    let waits = |state: &State| matches!(state, State::Pending(why) if why.contains(line));
    stage.until(&id, |inventory| is(inventory, "greeter", &waits)).await;

    stage.client.put_link(&greeter_to_translator()).await.unwrap();
    stage.until(&id, |inventory| is(inventory, "greeter", &|state| *state == State::Ready)).await;
    let said = stage.wash(&["call", "greeter", "--http-path", "/Anna,Ben?language=german"]).await;
    assert!(said.code == 0 && said.text.contains("Hallo, Anna, Ben!"), "{}", said.text);

    // What nobody can serve is no matter of links.
    let odd = wat::parse_str(r#"(component (import "a:b/c" (instance (export "r" (type (sub resource))))))"#);
    let terms = lattice_claims::SignActor::default();
    let odd = stage.signer.signed("odd_s.wasm", &odd.unwrap(), &terms);
    let refused = stage.start_actor(&id, "odd", &odd, 1).await.unwrap_err();
    assert!(refused.contains("a:b/c (no link gives a resource, as r is)"), "{refused}");
    stage.until(&id, |inventory| is(inventory, "odd", &|state| matches!(state, State::Failed(_)))).await;
}

/// The same between two hosts, over NATS; and within one host nothing of it goes over NATS.
#[tokio::test]
async fn every_kind_of_value_goes_to_another_host_and_back() {
    let stage = Stage::set().await;
    let (_near, near) = stage.host(&[]).await;
    let (_far, far) = stage.host(&[]).await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.start_provider(&near, "http", "builtin://http-server").await.unwrap();
    stage.client.put_link(&greeter_to_translator()).await.unwrap();
    stage.start_actor(&near, "greeter", &stage.signer.example("greeter"), 4).await.unwrap();
    stage.start_actor(&far, "translator", &stage.signer.example("translator"), 4).await.unwrap();
    stage.link("http", "greeter", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&near, "http", "greeter", |state| *state == State::Ready).await;
    stage.until(&near, |inventory| is(inventory, "greeter", &|state| *state == State::Ready)).await;
    let get = async |path: &str| {
        let answer = stage.http.get(&format!("http://{address}{path}")).await.unwrap();
        (answer.status, answer.text().trim_end().to_owned())
    };
    let mut calls = stage.calls().await;
    let everything = (200, "every kind of value came back as it went".to_owned());
    assert_eq!(get("/everything").await, everything);
    assert_eq!(get("/Anna?language=french&hour=20").await, (200, "Bonsoir, Anna!".to_owned()));
    assert!(calls.seen().await > 0, "they go over NATS");

    stage.start_actor(&near, "translator", &stage.signer.example("translator"), 4).await.unwrap();
    calls.seen().await;
    assert_eq!(get("/everything").await, everything);
    assert_eq!(calls.seen().await, 0, "what runs in the same process is called there");
}
