//! Hosts of wasmCloud 1.x under the same lattice name: not joined, noticed when they come, forgotten when they are gone.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lattice_core::HostId;
use lattice_testkit::{Host, until};
use lattice_tests::Stage;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const WITHIN: Duration = Duration::from_secs(60);
/// After so long without an answer nobody answers.
const SILENCE: Duration = Duration::from_millis(500);

/// Answers `host.ping` and `host.get` as a host of wasmCloud 1.x does, until it is dropped.
async fn v1_host(stage: &Stage, id: &HostId) -> JoinSet<()> {
    let host = json!({
        "id": id.as_str(), "friendly_name": "old-timer-1901", "labels": { "hostcore.os": "linux" },
        "lattice": "default", "uptime_seconds": 7, "uptime_human": "7 seconds", "version": "1.9.2",
    });
    let mut tasks = JoinSet::new();
    for (operation, response) in [("ping".to_owned(), host), (format!("get.{id}"), v1_inventory(id))] {
        let client = stage.connection.client().clone();
        let mut asked = client.subscribe(format!("wasmbus.ctl.v1.default.host.{operation}")).await.unwrap();
        let answer = json!({ "success": true, "message": "", "response": response }).to_string();
        tasks.spawn(async move {
            while let Some(request) = asked.next().await {
                if let Some(reply) = request.reply {
                    let _ = client.publish(reply, answer.clone().into()).await;
                }
            }
        });
    }
    stage.connection.round_trip(WITHIN).await.unwrap();
    tasks
}

/// An inventory as wasmCloud 1.9.2 writes it.
fn v1_inventory(id: &HostId) -> Value {
    json!({
        "components": [{
            "annotations": { "wasmcloud.dev/managed-by": "wadm" }, "id": "hello",
            "image_ref": "ghcr.io/wasmcloud/components/http-hello-world-rust:0.1.0", "limits": null,
            "max_instances": 1, "revision": 0,
        }],
        "friendly_name": "old-timer-1901",
        "host_id": id.as_str(),
        "labels": { "hostcore.arch": "x86_64", "hostcore.os": "linux", "hostcore.osfamily": "unix" },
        "providers": [{
            "annotations": {}, "id": "httpserver", "image_ref": "ghcr.io/wasmcloud/http-server:0.27.0",
            "name": "http-server-provider", "revision": 0,
        }],
        "uptime_human": "30s",
        "uptime_seconds": 30,
        "version": "1.9.2",
    })
}

/// Says to everybody what a host of wasmCloud 1.9.2 says, as it writes it.
async fn v1_event(stage: &Stage, id: &HostId, name: &str, data: Value) {
    let event = json!({
        "data": data,
        "datacontenttype": "application/json",
        "id": "0193c5b1-8a0f-7b3e-9c57-5f2f0a3b1c77",
        "source": id.as_str(),
        "specversion": "1.0",
        "time": "2026-11-21T01:17:37.123456789Z",
        "type": format!("com.wasmcloud.lattice.{name}"),
    });
    let client = stage.connection.client();
    client.publish(format!("wasmbus.evt.default.{name}"), event.to_string().into()).await.unwrap();
    stage.connection.round_trip(WITHIN).await.unwrap();
}

fn v1_id() -> HostId {
    HostId::new(format!("N{}", "A".repeat(55))).unwrap()
}

#[tokio::test]
async fn a_lattice_of_v1_hosts_is_not_joined_but_by_hand_and_beside_them() {
    let stage = Stage::set().await;
    let old = v1_id();
    let v1 = v1_host(&stage, &old).await;
    let url = stage.nats.url();
    let said = stage.run("wasmcloud", &["--nats-url", &url]).await;
    assert_eq!(said.code, 1, "{}", said.text);
    let names = format!("lattice default has hosts of wasmCloud 1.x: old-timer-1901 ({old})");
    assert!(said.text.contains(&names) && said.text.contains("--beside-v1"), "{}", said.text);
    // It left no trace.
    let subject = "$JS.API.STREAM.INFO.KV_LATTICE_default";
    let bucket = stage.connection.request(subject, "".into(), WITHIN).await.unwrap();
    assert!(String::from_utf8_lossy(&bucket).contains("stream not found"), "{bucket:?}");

    let (_host, id) = stage.host(&["--beside-v1"]).await;
    let ours = stage.hosts().await.into_iter().find(|host| host.id == id).unwrap();
    assert!(ours.notices.iter().any(|line| line.contains("old-timer-1901")), "{ours:?}");
    assert_eq!(stage.client.get_host_inventory(&id).await.unwrap().host_id, id);
    let auction = r#"{"component_ref":"x","component_id":"x","constraints":{}}"#;
    for (operation, body) in [
        ("link.get", ""),
        ("link.put", "{}"),
        ("config.get.x", ""),
        ("claims.get", ""),
        ("component.auction", auction),
    ] {
        let answers = stage.ask_all(operation, body, SILENCE).await;
        assert!(answers.is_empty(), "{operation}: {answers:?}");
    }
    // Where they are gone, anybody may join.
    drop(v1);
    let (_host, _id): (Host, HostId) = stage.host(&[]).await;
}

/// The host says by event that it suffers from the old one; how it says so.
fn is_degraded(host: &HostId, old: &HostId) -> impl Fn(&Value) -> bool {
    let named = format!("lattice default has hosts of wasmCloud 1.x: old-timer-1901 ({old})");
    move |data| {
        data["host_id"] == host.as_str()
            && data["state"] == "degraded"
            && data["reason"]
                .as_str()
                .is_some_and(|why| why.starts_with(&named) && why.contains("--beside-v1"))
    }
}

fn is_ready(host: &HostId) -> impl Fn(&Value) -> bool {
    move |data| data["host_id"] == host.as_str() && data["state"] == "ready" && data.get("reason").is_none()
}

#[tokio::test]
async fn one_that_comes_later_is_told_everywhere_until_it_stops() {
    let stage = Stage::set().await;
    let (mut process, id) = stage.host(&[]).await;
    let mut events = stage.listen().await;
    let old = v1_id();
    v1_event(&stage, &old, "host_heartbeat", v1_inventory(&old)).await;
    events.wait("host_state", is_degraded(&id, &old)).await;
    process
        .process
        .wait_for_line("degraded: lattice default has hosts of wasmCloud 1.x", WITHIN)
        .await
        .unwrap();
    let ours = stage.hosts().await.into_iter().find(|host| host.id == id).unwrap();
    assert_eq!(ours.state.as_deref(), Some("degraded"), "{ours:?}");
    let said = stage.wash(&["get", "hosts"]).await;
    assert!(said.text.contains("degraded: lattice default has hosts of wasmCloud 1.x"), "{}", said.text);

    v1_event(&stage, &old, "host_stopped", json!({ "labels": {} })).await;
    events.wait("host_state", is_ready(&id)).await;
    assert_eq!(stage.hosts().await[0].state.as_deref(), Some("ready"));
    assert_eq!(events.named("host_state").count(), 2, "each change is told once");
}

#[tokio::test]
async fn one_that_has_just_started_is_asked_and_one_that_dies_is_not_there_any_more() {
    let stage = Stage::set().await;
    let (_one, one) = stage.host(&[]).await;
    let mut events = stage.listen().await;
    // One of ours that comes is nobody to worry about.
    let (_two, two) = stage.host(&[]).await;
    stage.until_peers(&[&one, &two], 1).await;

    let (old, started) = (v1_id(), Instant::now());
    let v1 = v1_host(&stage, &old).await;
    let data =
        json!({ "friendly_name": "old-timer-1901", "labels": {}, "uptime_seconds": 0, "version": "1.9.2" });
    v1_event(&stage, &old, "host_started", data).await;
    events.wait("host_state", is_degraded(&one, &old)).await;
    eprintln!("noticed {:?} after it started", started.elapsed());
    // It is asked again, and answers.
    tokio::time::sleep(Duration::from_secs(8)).await;
    for host in stage.hosts().await.into_iter().filter(|host| host.id != old) {
        assert_eq!(host.state.as_deref(), Some("degraded"), "{host:?}");
    }

    drop(v1);
    let died = Instant::now();
    let well = || async {
        stage.hosts().await.iter().all(|host| host.state.as_deref() == Some("ready")).then_some(())
    };
    until("both are well again", WITHIN, well).await.unwrap();
    eprintln!("gone {:?} after it died", died.elapsed());
    for host in [&one, &two] {
        let told = |event: &&lattice_tests::RawEvent| event.data()["host_id"] == host.as_str();
        let ready = is_ready(host);
        if !events.named("host_state").any(|event| ready(event.data())) {
            events.wait("host_state", is_ready(host)).await;
        }
        assert_eq!(events.named("host_state").filter(told).count(), 2, "each change is told once");
    }
}
