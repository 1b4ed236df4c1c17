//! The control protocol of version 1, spoken with nothing but NATS and JSON, as other people's tools do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lattice_core::HostId;
use lattice_testkit::Host;
use lattice_tests::{RawEvents, Stage};
use serde_json::{Value, json};

const NOBODY: &str = "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Long enough for an answer that should not come; silence cannot be waited for.
const SILENCE: Duration = Duration::from_millis(400);

fn scale(image: &Path, id: &str, count: u32) -> Value {
    json!({ "component_ref": image.display().to_string(), "component_id": id, "count": count })
}

/// Everything a host told before this has come when the event of this has.
async fn all_told(stage: &Stage, events: &mut RawEvents) {
    stage.done("config.put.barrier", r#"{"a":"b"}"#).await;
    events.wait("config_set", |data| data["config_name"] == "barrier").await;
}

#[tokio::test]
async fn hosts_answer_ping_and_get_and_stop_when_they_are_told() {
    let stage = Stage::set().await;
    let mut events = stage.listen().await;
    let (host, id) = stage.host(&["--heartbeat-interval-seconds", "1", "--label", "zone=lab"]).await;
    answers_ping(&stage, &id).await;
    tells_cloud_events_with_its_inventory(&mut events, &id).await;
    refuses_what_no_host_knows(&stage, &id).await;
    takes_labels(&stage, &mut events, &id).await;
    stops_when_it_is_told(&stage, &mut events, host, &id).await;
}

/// Every host answers, in the envelope.
async fn answers_ping(stage: &Stage, id: &HostId) {
    let answers = stage.ask_all("host.ping", "", SILENCE).await;
    assert_eq!(answers.len(), 1);
    let pinged = &answers[0]["response"];
    assert_eq!((&answers[0]["success"], &pinged["id"]), (&json!(true), &json!(id.as_str())));
    assert_eq!((&pinged["lattice"], &pinged["labels"]["zone"]), (&json!("default"), &json!("lab")));
    let server = json!(stage.nats.url());
    assert_eq!((&pinged["rpc_host"], &pinged["ctl_host"]), (&server, &server));
    assert!(pinged["uptime_seconds"].is_u64() && pinged["version"].is_string());
}

/// The first heartbeat carries the inventory.
async fn tells_cloud_events_with_its_inventory(events: &mut RawEvents, id: &HostId) {
    let started = events.wait("host_started", |_| true).await;
    assert_eq!((&started["labels"]["zone"], &started["uptime_seconds"]), (&json!("lab"), &json!(0)));
    let beat = events.wait("host_heartbeat", |_| true).await;
    assert_eq!(
        (&beat["host_id"], &beat["components"], &beat["providers"]),
        (&json!(id.as_str()), &json!([]), &json!([]))
    );
    for event in &events.all {
        let body = &event.body;
        assert_eq!(
            (&body["specversion"], &body["datacontenttype"]),
            (&json!("1.0"), &json!("application/json"))
        );
        assert_eq!(body["type"], format!("com.wasmcloud.lattice.{}", event.name()));
        assert_eq!(body["source"], id.as_str());
        assert!(body["id"].as_str().is_some_and(|id| id.len() == 36), "{body}");
        assert!(
            body["time"].as_str().is_some_and(|time| time.contains('T') && time.ends_with('Z')),
            "{body}"
        );
        assert!(body["data"].is_object(), "{body}");
    }
}

/// Those who listen refuse it, and it harms nothing.
async fn refuses_what_no_host_knows(stage: &Stage, id: &HostId) {
    assert!(stage.refused(&format!("host.dance.{id}"), "").await.contains("unsupported subject"));
    assert!(stage.refused("link.dance", "{}").await.contains("unsupported subject"));
    for operation in [
        "host.stop",
        "component.scale",
        "component.update",
        "provider.start",
        "provider.stop",
        "label.put",
        "label.del",
    ] {
        for body in
            ["{", "[]", "7", "\"x\"", "{\"host_id\": 7, \"component_id\": 7, \"key\": 7}", "\u{1}\u{2}"]
        {
            let why = stage.refused(&format!("{operation}.{id}"), body).await;
            assert!(why.contains("cannot read"), "{operation} {body}: {why}");
        }
    }
    for operation in ["link.put", "link.del", "component.auction", "provider.auction"] {
        let answers = stage.ask_all(operation, "{", SILENCE).await;
        assert!(answers.len() == 1 && answers[0]["success"] == false, "{operation}: {answers:?}");
    }
    let refused = stage.refused("registry.put", r#"{"example.org":{"token":"secret"}}"#).await;
    assert!(refused.contains("not served") && refused.contains("--oci-user"), "{refused}");
}

async fn takes_labels(stage: &Stage, events: &mut RawEvents, id: &HostId) {
    let label = |tail: &str| format!("label.{tail}.{id}");
    assert_eq!(stage.done(&label("put"), r#"{"key":"rack","value":"7"}"#).await, "successfully put label");
    let told = events.wait("labels_changed", |data| data["labels"]["rack"] == "7").await;
    assert_eq!(told["host_id"], id.as_str());
    assert_eq!(stage.done(&label("del"), r#"{"key":"rack"}"#).await, "successfully deleted label");
    events.wait("labels_changed", |data| data["labels"].get("rack").is_none()).await;
    assert_eq!(
        stage.done(&label("del"), r#"{"key":"rack"}"#).await,
        "successfully deleted label (no such label)"
    );
    for operation in ["put", "del"] {
        let why = stage.refused(&label(operation), r#"{"key":"HostCore.os","value":"x"}"#).await;
        assert!(why.contains("hostcore.* labels cannot be set dynamically"), "{why}");
    }
    all_told(stage, events).await;
    assert_eq!(events.named("labels_changed").count(), 2);
}

/// Another host's id is refused; the own one, or none, is obeyed.
async fn stops_when_it_is_told(stage: &Stage, events: &mut RawEvents, mut host: Host, id: &HostId) {
    let why = stage.refused(&format!("host.stop.{id}"), format!(r#"{{"host_id":"{NOBODY}"}}"#)).await;
    assert!(why.starts_with(&format!("invalid host_id [{NOBODY}]")), "{why}");
    let said = stage.done(&format!("host.stop.{id}"), "").await;
    assert_eq!(said, "successfully handled stop host");
    let stopped = events.wait("host_stopped", |_| true).await;
    assert_eq!(stopped["labels"]["zone"], "lab");
    let status = host.process.wait(Duration::from_secs(20)).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(stage.ask_all("host.ping", "", SILENCE).await.is_empty());
}

/// Images of actors.
struct Images {
    hello: PathBuf,
    echo: PathBuf,
}

#[tokio::test]
async fn actors_are_scaled_and_told_exactly_once() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&["--label", "zone=lab"]).await;
    let mut events = stage.listen().await;
    let images = Images { hello: stage.signer.example("hello"), echo: stage.signer.example("echo") };
    starts_an_actor_and_tells_it_once(&stage, &mut events, &id, &images).await;
    scales_and_replaces_with_leave_alone(&stage, &mut events, &id, &images).await;
    updates(&stage, &mut events, &id, &images).await;
    tells_failures_and_stops(&stage, &mut events, &id, &images).await;
    // Started, resized, resized by the other image, replaced (2), updated (2), stopped (2).
    assert_eq!(events.named("component_scaled").count(), 9);
    assert_eq!(events.named("component_scale_failed").count(), 1);
    shows_claims_as_maps_of_text(&stage).await;
}

/// Acknowledged at once with nothing to say; told once when it is so.
async fn starts_an_actor_and_tells_it_once(
    stage: &Stage,
    events: &mut RawEvents,
    id: &HostId,
    images: &Images,
) {
    let Images { hello, .. } = images;
    let subject = format!("component.scale.{id}");
    let mut command = scale(hello, "web", 5);
    command["annotations"] = json!({ "team": "a" });
    assert_eq!(stage.done(&subject, command.to_string()).await, "");
    let told = events.wait("component_scaled", |_| true).await;
    assert_eq!((&told["component_id"], &told["host_id"]), (&json!("web"), &json!(id.as_str())));
    assert_eq!(
        (&told["max_instances"], &told["image_ref"]),
        (&json!(5), &json!(hello.display().to_string()))
    );
    assert_eq!((&told["annotations"], &told["claims"]["name"]), (&json!({ "team": "a" }), &json!("hello")));
    assert_eq!(told["claims"]["issuer"], stage.signer.account());
    assert_eq!(
        (&told["claims"]["not_before_human"], &told["claims"]["expires_human"]),
        (&json!("never"), &json!("never"))
    );
    assert!(told["public_key"].as_str().is_some_and(|key| key.starts_with('M')), "{told}");
    all_told(stage, events).await;
    assert_eq!(events.named("component_scaled").count(), 1);
}

/// Another count, another image, with leave and without.
async fn scales_and_replaces_with_leave_alone(
    stage: &Stage,
    events: &mut RawEvents,
    id: &HostId,
    images: &Images,
) {
    let Images { hello, echo } = images;
    let subject = format!("component.scale.{id}");
    stage.done(&subject, scale(hello, "web", 9).to_string()).await;
    let told = events.wait("component_scaled", |_| true).await;
    assert_eq!((&told["max_instances"], &told["annotations"]), (&json!(9), &json!({ "team": "a" })));
    let said = stage.done(&subject, scale(echo, "web", 9).to_string()).await;
    assert!(
        said.starts_with("Requested to scale existing component to a different image reference:"),
        "{said}"
    );
    let told = events.wait("component_scaled", |_| true).await;
    assert_eq!(told["image_ref"], hello.display().to_string(), "without leave the image stays");
    let mut command = scale(echo, "web", 3);
    command["allow_update"] = json!(true);
    let said = stage.done(&subject, command.to_string()).await;
    assert!(
        said.starts_with("Requested to scale existing component to a different image reference:"),
        "{said}"
    );
    let told = events.wait("component_scaled", |data| data["image_ref"] == echo.display().to_string()).await;
    assert_eq!(told["max_instances"], 3);
    let told = events.wait("component_scaled", |data| data["max_instances"] == 0).await;
    assert_eq!(told["image_ref"], hello.display().to_string(), "the old image is told gone");
}

async fn updates(stage: &Stage, events: &mut RawEvents, id: &HostId, images: &Images) {
    let Images { hello, echo } = images;
    let update = format!("component.update.{id}");
    let body = |id: &str, image: &Path| {
        json!({ "component_id": id, "new_component_ref": image.display().to_string(), "host_id": "" })
            .to_string()
    };
    assert_eq!(stage.refused(&update, body("nobody", hello)).await, "component nobody not found");
    let said = stage.done(&update, body("web", echo)).await;
    assert_eq!(said, format!("component web already updated to {}", echo.display()));
    let said = stage.done(&update, body("web", hello)).await;
    assert_eq!(said, format!("component web updating from {} to {}", echo.display(), hello.display()));
    events.wait("component_scaled", |data| data["image_ref"] == hello.display().to_string()).await;
    events.wait("component_scaled", |data| data["max_instances"] == 0).await;
}

/// Failure is told with its reason; a stop of what does not run is told too.
async fn tells_failures_and_stops(stage: &Stage, events: &mut RawEvents, id: &HostId, images: &Images) {
    let Images { hello, .. } = images;
    let subject = format!("component.scale.{id}");
    let missing = stage.folder().join("missing.wasm");
    assert_eq!(stage.done(&subject, scale(&missing, "lost", 1).to_string()).await, "");
    let failed = events.wait("component_scale_failed", |_| true).await;
    assert_eq!((&failed["component_id"], &failed["max_instances"]), (&json!("lost"), &json!(1)));
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("missing.wasm")), "{failed}");
    let inventory = stage.ask(&format!("host.get.{id}"), "").await;
    let lost =
        inventory["response"]["components"].as_array().unwrap().iter().find(|c| c["id"] == "lost").unwrap();
    assert_eq!((&lost["state"], &lost["max_instances"]), (&json!("failed"), &json!(0)));
    stage.done(&subject, scale(hello, "web", 0).to_string()).await;
    events.wait("component_scaled", |data| data["component_id"] == "web" && data["max_instances"] == 0).await;
    stage.done(&subject, scale(&missing, "lost", 0).to_string()).await;
    events
        .wait("component_scaled", |data| data["component_id"] == "lost" && data["max_instances"] == 0)
        .await;
    all_told(stage, events).await;
    assert_eq!(stage.ask(&format!("host.get.{id}"), "").await["response"]["components"], json!([]));
}

async fn shows_claims_as_maps_of_text(stage: &Stage) {
    let claims = stage.ask("claims.get", "").await;
    let claims = claims["response"].as_array().unwrap();
    let hello = claims.iter().find(|map| map["name"] == "hello").unwrap();
    for key in ["call_alias", "iss", "issuer", "name", "rev", "revision", "sub", "subject", "tags", "version"]
    {
        assert!(hello[key].is_string(), "{key} in {hello}");
    }
    assert_eq!((&hello["iss"], &hello["sub"]), (&json!(stage.signer.account()), &hello["subject"]));
}

#[tokio::test]
async fn auctions_are_answered_or_met_with_silence() {
    let stage = Stage::set().await;
    let (_one, one) = stage.host(&["--label", "zone=a"]).await;
    let (_two, two) = stage.host(&["--label", "zone=b"]).await;
    let hello = stage.signer.example("hello");
    let actor = |id: &str, constraints: Value| {
        json!({ "component_ref": hello.display().to_string(), "component_id": id, "constraints": constraints }).to_string()
    };
    let bidders = |answers: Vec<Value>| {
        let mut ids: Vec<String> =
            answers.iter().map(|answer| answer["response"]["host_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let mut both = vec![one.to_string(), two.to_string()];
    both.sort();
    assert_eq!(bidders(stage.ask_all("component.auction", actor("web", json!({})), SILENCE).await), both);
    let answers = stage.ask_all("component.auction", actor("web", json!({ "zone": "a" })), SILENCE).await;
    assert_eq!(answers[0]["response"]["component_id"], "web");
    assert_eq!(answers[0]["response"]["constraints"], json!({ "zone": "a" }));
    assert_eq!(bidders(answers), [one.to_string()]);
    assert!(
        stage.ask_all("component.auction", actor("web", json!({ "zone": "c" })), SILENCE).await.is_empty()
    );

    // Who runs it already does not bid.
    stage.start_actor(&one, "web", &hello, 1).await.unwrap();
    stage.start_provider(&one, "http", "builtin://http-server").await.unwrap();
    assert_eq!(
        bidders(stage.ask_all("component.auction", actor("web", json!({})), SILENCE).await),
        [two.to_string()]
    );
    let provider =
        json!({ "provider_ref": "builtin://http-server", "provider_id": "http", "constraints": {} });
    let answers = stage.ask_all("provider.auction", provider.to_string(), SILENCE).await;
    assert_eq!(answers[0]["response"]["provider_ref"], "builtin://http-server");
    assert_eq!(bidders(answers), [two.to_string()]);
}

#[tokio::test]
async fn providers_start_and_stop_once() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&["--heartbeat-interval-seconds", "1"]).await;
    let mut events = stage.listen().await;
    let start = format!("provider.start.{id}");
    let stop = format!("provider.stop.{id}");
    let command = |image: &str| {
        json!({ "provider_id": "http", "provider_ref": image, "host_id": id.as_str(), "config": [], "annotations": { "team": "a" } }).to_string()
    };
    let http = command("builtin://http-server");
    let named = json!({ "host_id": id.as_str(), "provider_id": "http" }).to_string();

    assert_eq!(stage.refused(&stop, named.clone()).await, "provider with that ID is not running");
    assert_eq!(stage.done(&start, http.clone()).await, "successfully started provider");
    let told = events.wait("provider_started", |_| true).await;
    assert_eq!((&told["provider_id"], &told["image_ref"]), (&json!("http"), &json!("builtin://http-server")));
    assert_eq!(
        (&told["public_key"], &told["instance_id"], &told["link_name"]),
        (&json!("http"), &json!("http"), &json!("default"))
    );
    assert_eq!(told["annotations"], json!({ "team": "a" }));
    assert_eq!(stage.refused(&start, http.clone()).await, "provider with that ID is already running");

    // Healthy once, and after that of the same health.
    let told = events.wait("health_check_passed", |_| true).await;
    assert_eq!((&told["host_id"], &told["provider_id"]), (&json!(id.as_str()), &json!("http")));
    events.wait("health_check_status", |data| data["provider_id"] == "http").await;
    assert_eq!(events.named("health_check_passed").count(), 1);

    // v1's older name of the field; answered when it is gone.
    assert_eq!(stage.done(&stop, r#"{"provider_ref":"http"}"#).await, "successfully stopped provider");
    let told = events.wait("provider_stopped", |_| true).await;
    assert_eq!((&told["provider_id"], &told["reason"]), (&json!("http"), &json!("stop")));
    assert_eq!(told["annotations"], json!({ "team": "a" }));
    assert_eq!(stage.refused(&stop, named).await, "provider with that ID is not running");

    // A built-in that does not exist is refused at once; an image that cannot be run fails by event.
    let why = stage.refused(&start, command("builtin://blobstore-tape")).await;
    assert!(why.contains("builtin://keyvalue-nats"), "{why}");
    stage.done(&start, command("localhost:1/provider:1")).await;
    let failed = events.wait("provider_start_failed", |_| true).await;
    assert_eq!(
        (&failed["provider_id"], &failed["provider_ref"]),
        (&json!("http"), &json!("localhost:1/provider:1"))
    );
    assert!(
        failed["error"].as_str().is_some_and(|error| error.contains("localhost:1 cannot be reached")),
        "{failed}"
    );
    // A failed one is no obstacle.
    stage.done(&start, http).await;
    events.wait("provider_started", |_| true).await;
}

#[tokio::test]
async fn links_and_configs_are_put_got_and_deleted() {
    let stage = Stage::set().await;
    let (_host, _id) = stage.host(&[]).await;
    let mut events = stage.listen().await;

    // Configs; names with dots are v1's habit.
    for name in ["web", "my.app.web"] {
        let missing = stage.ask(&format!("config.get.{name}"), "").await;
        assert_eq!(missing, json!({ "success": true, "message": "Configuration not found" }));
        assert_eq!(
            stage.done(&format!("config.put.{name}"), r#"{"address":"127.0.0.1:1"}"#).await,
            "successfully put config"
        );
        events.wait("config_set", |data| data["config_name"] == name).await;
        let found = stage.ask(&format!("config.get.{name}"), "").await;
        assert_eq!(
            found,
            json!({ "success": true, "message": "", "response": { "address": "127.0.0.1:1" } })
        );
    }
    for body in ["{", "[]", r#"{"a":1}"#, r#"{"a":{"b":"c"}}"#] {
        let why = stage.refused("config.put.web", body).await;
        assert!(why.starts_with("config data should be a map of string -> string"), "{why}");
    }
    for _ in 0..2 {
        assert_eq!(stage.done("config.del.my.app.web", "").await, "successfully deleted config");
        events.wait("config_deleted", |data| data["config_name"] == "my.app.web").await;
    }
    assert_eq!(stage.ask("config.get.my.app.web", "").await["message"], "Configuration not found");

    // Links.
    let link = |target: &str, configs: &[&str]| {
        json!({ "source_id": "app", "target": target, "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
                "interfaces": ["store"], "source_config": [], "target_config": configs })
    };
    let why = stage.refused("link.put", link("kv", &["nope"]).to_string()).await;
    assert!(
        why.starts_with(
            "Failed to validate configuration and secrets. Configuration nope not found in config store."
        ),
        "{why}"
    );
    let told = events.wait("linkdef_set_failed", |_| true).await;
    assert_eq!((&told["source_id"], &told["error"]), (&json!("app"), &json!(why)));
    assert_eq!(stage.done("link.put", link("kv", &["web"]).to_string()).await, "successfully set link");
    let told = events.wait("linkdef_set", |_| true).await;
    assert_eq!(told, link("kv", &["web"]));
    let why = stage.refused("link.put", link("other", &[]).to_string()).await;
    assert!(why.starts_with("link already exists with different target, consider deleting the existing link or using a different link name"), "{why}");
    assert!(stage.refused("link.put", link("app", &[]).to_string()).await.contains("linked to itself"));
    // The same ends again replace it; a second put is no second link.
    stage.done("link.put", link("kv", &[]).to_string()).await;
    assert_eq!(stage.ask("link.get", "").await["response"], json!([link("kv", &[])]));
    // A link without the optional fields.
    let short = r#"{"source_id":"http","target":"app","wit_namespace":"wasi","wit_package":"http"}"#;
    stage.done("link.put", short).await;
    assert_eq!(stage.ask("link.get", "").await["response"].as_array().unwrap().len(), 2);

    let delete = |source: &str| {
        json!({ "source_id": source, "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue" })
            .to_string()
    };
    assert_eq!(
        stage.done("link.del", delete("nobody")).await,
        "successfully deleted link (spec doesn't exist)"
    );
    assert_eq!(stage.done("link.del", delete("app")).await, "successfully deleted link");
    let told = events.wait("linkdef_deleted", |_| true).await;
    assert_eq!(
        (&told["source_id"], &told["target"], &told["interfaces"]),
        (&json!("app"), &json!("kv"), &json!(["store"]))
    );
    // Absent, but the source has another: still told, as v1 does.
    assert_eq!(
        stage
            .done("link.del", r#"{"source_id":"http","wit_namespace":"wasi","wit_package":"keyvalue"}"#)
            .await,
        "successfully deleted link"
    );
    let told = events.wait("linkdef_deleted", |_| true).await;
    assert!(told["source_id"] == "http" && told.get("target").is_none(), "{told}");
}

#[tokio::test]
async fn the_inventory_has_the_shape_of_v1_and_says_more() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 7).await;
    let answer = stage.ask(&format!("host.get.{id}"), "").await;
    let mut inventory = answer["response"].clone();
    // What differs from run to run, or with the machine.
    for (key, is_right) in [
        ("friendly_name", inventory["friendly_name"].is_string()),
        ("version", inventory["version"].is_string()),
        ("uptime_human", inventory["uptime_human"].is_string()),
        ("uptime_seconds", inventory["uptime_seconds"].is_u64()),
        ("engine", inventory["engine"].is_object()),
        ("xkey", inventory["xkey"].as_str().is_some_and(|key| key.starts_with('X'))),
        ("labels", inventory["labels"]["hostcore.os"] == "linux"),
    ] {
        assert!(is_right, "{key} in {inventory}");
        inventory.as_object_mut().unwrap().remove(key);
    }
    let actor = inventory["components"][0].as_object_mut().unwrap();
    let digest = actor.remove("digest").unwrap();
    assert!(digest.as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{digest}");
    let image = stage.folder().join("hello_s.wasm").display().to_string();
    assert_eq!(
        inventory,
        json!({
            "host_id": id.as_str(),
            "components": [{
                "id": "hello", "image_ref": image, "name": "hello", "annotations": {}, "revision": 0,
                "max_instances": 7, "limits": null,
                "state": "ready", "signed": true, "issuer": stage.signer.account(), "reuse": 1, "config": [], "secrets": [],
                "in_flight": 0, "waiting": 0,
            }],
            "trusts": [stage.signer.account()], "admins": [],
            "providers": [{
                "id": "http", "image_ref": "builtin://http-server", "revision": 0, "annotations": {}, "config": [],
                "state": "ready",
            }],
            "links": [{
                "source_id": "http", "target": "hello", "name": "default", "wit_namespace": "wasi", "wit_package": "http",
                "state": "ready",
            }],
        }),
        "at {address}"
    );
}

#[tokio::test]
async fn of_two_hosts_one_answers_and_knows_what_the_other_wrote() {
    let stage = Stage::set().await;
    let ((_one, one), (_two, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    for (operation, body) in
        [("link.get", ""), ("claims.get", ""), ("config.get.web", ""), ("config.put.web", "{}")]
    {
        let answers = stage.ask_all(operation, body, SILENCE).await;
        assert_eq!(answers.len(), 1, "{operation}: {answers:?}");
    }
    let key = "k".repeat(128);
    for round in 0..20 {
        let value = json!({ &key: round.to_string() });
        stage.done("config.put.web", value.to_string()).await;
        assert_eq!(stage.ask("config.get.web", "").await["response"], value, "round {round}");
    }
    // What is meant for one is not done by the other.
    stage.done(&format!("label.put.{one}"), r#"{"key":"rack","value":"7"}"#).await;
    let racks = stage.hosts().await;
    let rack = |id| racks.iter().find(|host| host.id == id).unwrap().labels.0.get("rack").cloned();
    assert_eq!((rack(one), rack(two)), (Some("7".to_owned()), None));

    // Names no lattice takes, bodies no reader takes: refused, and everybody lives.
    let long = "n".repeat(300);
    assert!(!stage.refused(&format!("config.put.{long}"), "{}").await.is_empty());
    let deep = "[".repeat(100_000);
    assert!(!stage.refused("link.put", format!(r#"{{"interfaces":{deep}"#)).await.is_empty());
    assert!(!stage.refused("link.put", &b"{\"source_id\":\"\xff\"}"[..]).await.is_empty());
    let odd = json!({ "source_id": "a.b c", "target": "x", "wit_namespace": "wasi", "wit_package": "http" });
    assert!(stage.refused("link.put", odd.to_string()).await.contains("a.b c"));
    assert_eq!(stage.hosts().await.len(), 2);
}
