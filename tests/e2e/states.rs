//! Everything has a state and a reason, at once and everywhere; and what can mend itself does.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use lattice_core::State;
use lattice_testkit::{free_port, until};
use lattice_tests::Stage;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_taken_port_is_told_everywhere_and_bound_when_it_is_free() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let mut events = stage.listen().await;
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap().to_string();
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;

    // Events, of the link and of its provider.
    let reason = format!("address {address} in use; it is bound as soon as it is free");
    let told = |data: &serde_json::Value| {
        data["state"] == "failed" && data["reason"].as_str().is_some_and(|why| why.contains(&reason))
    };
    let link = events.wait("link_state", told).await;
    assert_eq!((&link["source_id"], &link["target"]), (&json!("http"), &json!("hello")));
    assert_eq!(link["host_id"], id.as_str());
    let provider = events.all.iter().rfind(|event| event.name() == "provider_state").unwrap().data().clone();
    let provider = if told(&provider) { provider } else { events.wait("provider_state", told).await };
    assert_eq!(provider["provider_id"], "http");
    // Inventory.
    let failed = |state: &State| matches!(state, State::Failed(why) if why.contains(&reason));
    stage.until_link(&id, "http", "hello", failed).await;
    let inventory = stage.until(&id, |inventory| inventory.providers.len() == 1).await;
    assert!(failed(&inventory.providers[0].state().unwrap()), "{inventory:?}");
    // wash.
    let said = stage.wash(&["get", "inventory"]).await;
    assert!(said.code == 0 && said.text.contains(&format!("failed: {reason}")), "{}", said.text);
    let said = stage.wash(&["get", "links"]).await;
    assert!(said.text.contains(&reason), "{}", said.text);

    // It binds by itself: 1 s after the release, and what a busy machine adds.
    let released = Instant::now();
    drop(squatter);
    events.wait("link_state", |data| data["state"] == "ready").await;
    let took = released.elapsed();
    eprintln!("bound {took:?} after the port's release");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_missing_is_pending_until_it_comes() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    let pending =
        |part: &'static str| move |state: &State| matches!(state, State::Pending(why) if why.contains(part));

    // The actor.
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&id, "http", "hello", pending("hello runs nowhere: wash start actor IMAGE hello")).await;
    let refused = stage.http.get(&format!("http://{address}/")).await.unwrap();
    assert_eq!((refused.status, refused.json()["error"].as_str()), (503, Some("unreachable")));
    // Strangers learn that it does not run, and not what "it" is.
    assert!(refused.text().contains("does not run now"), "{}", refused.text());
    assert!(!refused.text().contains("hello"), "{}", refused.text());
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    let answer = stage.http.get(&format!("http://{address}/")).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "Hello from the lattice!\n"));

    // The configuration: deleted under a link, it stops; put again, it goes on.
    stage.done("config.del.http-hello-http", "").await;
    let needs = "config http-hello-http does not exist; make it: wash config put http-hello-http KEY=VALUE";
    stage.until_link(&id, "http", "hello", pending(needs)).await;
    stage.done("config.put.http-hello-http", json!({ "address": address }).to_string()).await;
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);

    // A provider's own configuration.
    let start =
        json!({ "provider_id": "second", "provider_ref": "builtin://http-server", "config": ["limits"] });
    stage.done(&format!("provider.start.{id}"), start.to_string()).await;
    let second = |wanted: &'static str| {
        move |inventory: &lattice_control_interface::HostInventory| {
            let second = inventory.providers.iter().find(|provider| provider.id.as_str() == "second");
            second
                .and_then(|provider| provider.state())
                .is_some_and(|state| state.to_string().starts_with(wanted))
        }
    };
    stage.until(&id, second("pending: config limits does not exist")).await;
    stage.done("config.put.limits", r#"{"max_headers":"50"}"#).await;
    stage.until(&id, second("ready")).await;

    // A stopped provider has left its port when the answer comes.
    stage.done(&format!("provider.stop.{id}"), r#"{"provider_id":"http"}"#).await;
    TcpListener::bind(&address).expect("the port is free");
    stage
        .until_link(&id, "http", "hello", pending("http runs nowhere: wash start provider IMAGE http"))
        .await;
}

#[tokio::test]
async fn a_link_that_is_configured_wrongly_harms_no_other() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 10).await;
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 10).await.unwrap();
    for (config, says) in [
        (("adress", "127.0.0.1:1"), "did you mean address?"),
        (("address", "localhost:80"), "write an IP address and a port"),
        (("path", "no-slash"), "starts with /"),
    ] {
        stage.link("http", "echo", "wasi:http", &[config]).await;
        let failed = |state: &State| matches!(state, State::Failed(why) if why.contains(says));
        stage.until_link(&id, "http", "echo", failed).await;
        assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
    }
    // A route that another link has.
    stage.link("http", "echo", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&id, "http", "echo", |state| matches!(state, State::Failed(_))).await;
    assert_eq!(
        stage.http.get(&format!("http://{address}/")).await.unwrap().text(),
        "Hello from the lattice!\n"
    );
    // Corrected, it serves.
    stage.link("http", "echo", "wasi:http", &[("address", &address), ("path", "/echo")]).await;
    stage.until_link(&id, "http", "echo", |state| *state == State::Ready).await;
    assert_eq!(stage.http.get(&format!("http://{address}/echo")).await.unwrap().json()["path"], "/echo");
}

#[tokio::test]
async fn actors_serve_while_nats_is_away_and_the_host_comes_back() {
    let mut stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 10).await;
    let url = format!("http://{address}/");
    stage.nats.kill();
    for _ in 0..20 {
        assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
    }
    stage.restart_nats().await;
    let client = stage.client.clone();
    let back = || async { client.get_host_inventory(&id).await.ok() };
    let inventory = until("the host answers again", WITHIN, back).await.unwrap();
    assert_eq!((inventory.components.len(), inventory.providers.len()), (1, 1));
    assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
    // And it is steered again: facts can be written, and are followed.
    stage.link("http", "hello", "wasi:http", &[("address", &address), ("path", "/hello")]).await;
    let moved = || async {
        let answer = stage.http.get(&url).await.unwrap().status;
        (answer == 404).then_some(())
    };
    until("the route has moved", WITHIN, moved).await.unwrap();
    assert_eq!(stage.http.get(&format!("{url}hello")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_frozen_or_emptied_nats_takes_nothing_from_what_is_served() {
    let mut stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 10).await;
    let url = format!("http://{address}/");
    stage.nats.pause();
    for _ in 0..20 {
        assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
    }
    stage.nats.resume();
    let client = stage.client.clone();
    let back = || async { client.get_host_inventory(&id).await.ok() };
    until("the host answers again", WITHIN, back).await.unwrap();

    // A lost disk: no evidence of links is no evidence that they are gone.
    stage.nats.kill();
    stage.nats.wipe_store().unwrap();
    stage.restart_nats().await;
    until("the host answers again", WITHIN, back).await.unwrap();
    // Once a fact has been written to the new bucket, the host has looked at it.
    let written = || async {
        client.put_config(&"probe".parse().unwrap(), &[("a".to_owned(), "b".to_owned())].into()).await.ok()
    };
    until("facts can be written again", WITHIN, written).await.unwrap();
    assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
    let links = stage.client.get_links().await.unwrap();
    assert_eq!(links.len(), 1, "{links:?}");
}
