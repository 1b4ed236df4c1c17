//! Each type against JSON as hosts and tools of wasmCloud 1.9 write it.

use std::fmt::Debug;

use lattice_control_interface::{
    CallComponentCommand, CallComponentReply, ClaimsMap, ComponentAuctionAck, ComponentAuctionRequest,
    CtlResponse, DeleteLinkCommand, DeleteRoleCommand, DeleteSecretCommand, DeleteTrustCommand, Host,
    HostInventory, HostLabel, LinkStatus, ProviderAuctionAck, ProviderAuctionRequest, ProviderDescription,
    PutRoleCommand, PutSecretCommand, PutTrustCommand, RoleChange, RoleEntry, ScaleComponentCommand,
    SecretChange, SecretEntry, StartProviderCommand, StopHostCommand, StopProviderCommand, TrustChange,
    TrustEntry, UpdateComponentCommand,
    events::{
        ActorStateChanged, CallRefused, ComponentScaleFailed, ComponentScaled, ConfigDeleted, ConfigSet,
        ControlAudit, ControlRefused, EventData, HealthCheck, HostStarted, HostStopped, LabelsChanged,
        LinkStateChanged, LinkdefDeleted, LinkdefSetFailed, ProviderStartFailed, ProviderStarted,
        ProviderStateChanged, ProviderStopped,
    },
};
use lattice_core::{ActorId, Event, EventName, HostId, Link, State};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const HOST: &str = "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What version 1 writes is read, and written again as it was.
#[track_caller]
fn same<T: Serialize + DeserializeOwned>(v1: Value) -> T {
    let read: T = serde_json::from_value(v1.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), v1);
    read
}

/// What somebody leaves out reads as `full` says; fields that nobody knows are passed over.
#[track_caller]
fn fills<T: Serialize + DeserializeOwned + Debug>(mut short: Value, full: Value) {
    short["a_field_of_tomorrow"] = json!({"x": [1]});
    let read: T = serde_json::from_value(short).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), full);
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(json: Value) -> String {
    serde_json::from_value::<T>(json).unwrap_err().to_string()
}

#[test]
fn calls_by_hand() {
    same::<CallComponentCommand>(json!({
        "component_id": "calculator", "function": "demo:calls/math.add", "args": ["2", "3"], "timeout_ms": 10000,
    }));
    let http = json!({"method": "PUT", "path": "/a?b=c", "headers": [["x-one", "1"]], "body": "hi"});
    same::<CallComponentCommand>(json!({"component_id": "echo", "http": http}));
    fills::<CallComponentCommand>(json!({"component_id": "echo"}), json!({"component_id": "echo"}));
    fills::<CallComponentCommand>(
        json!({"component_id": "echo", "http": {}}),
        json!({"component_id": "echo", "http": {"method": "", "path": "", "headers": []}}),
    );
    refused::<CallComponentCommand>(json!({"function": "greet"}));
    let reply = json!({"invocation": "00ff", "host_id": HOST});
    let with = |key: &str, value: Value| {
        let mut reply = reply.clone();
        reply[key] = value;
        reply
    };
    same::<CallComponentReply>(with("result", json!("some(5)")));
    same::<CallComponentReply>(with(
        "http",
        json!({"status": 200, "headers": [["a", "b"]], "body_base64": "AA=="}),
    ));
    same::<CallComponentReply>(with(
        "error",
        json!({"hop": "actor a", "code": "trap", "reason": "unreachable"}),
    ));
    fills::<CallComponentReply>(reply.clone(), reply.clone());
}

#[test]
fn envelopes() {
    same::<CtlResponse<u8>>(json!({"success": true, "message": "", "response": 1}));
    same::<CtlResponse<u8>>(json!({"success": true, "message": "Configuration not found"}));
    same::<CtlResponse<u8>>(json!({"success": false, "message": "unsupported subject"}));
    fills::<CtlResponse<u8>>(json!({"success": true}), json!({"success": true, "message": ""}));
    same::<CtlResponse<u8>>(json!({"success": false, "message": "no", "code": "no-role"}));
    refused::<CtlResponse<u8>>(json!({"message": ""}));
    assert_eq!(
        serde_json::to_string(&CtlResponse::ok(7)).unwrap(),
        r#"{"success":true,"message":"","response":7}"#
    );
    let error = CtlResponse::<()>::error("provider with that ID is not running");
    assert_eq!(
        serde_json::to_string(&error).unwrap(),
        r#"{"success":false,"message":"provider with that ID is not running"}"#
    );
}

#[test]
fn hosts() {
    let host: Host = same(json!({
        "id": HOST, "friendly_name": "silent-sun-1234", "labels": {"hostcore.os": "linux", "zone": "a"},
        "lattice": "default", "uptime_seconds": 61, "uptime_human": "1m 1s", "version": "1.9.2",
        "js_domain": "core", "rpc_host": "nats://127.0.0.1:4222", "ctl_host": "nats://127.0.0.1:4222",
    }));
    assert_eq!(host.labels.0["zone"], "a");
    fills::<Host>(
        json!({"id": HOST}),
        json!({"id": HOST, "friendly_name": "", "labels": {}, "lattice": "default", "uptime_seconds": 0}),
    );
    same::<HostLabel>(json!({"key": "zone", "value": "a"}));
    fills::<HostLabel>(json!({"key": "zone"}), json!({"key": "zone", "value": ""}));
    same::<StopHostCommand>(json!({"host_id": HOST, "timeout": 500}));
    fills::<StopHostCommand>(json!({}), json!({"host_id": ""}));
    assert!(refused::<Host>(json!({"id": "nobody"})).contains("host id"));
}

#[test]
fn inventories() {
    let v1 = json!({
        "host_id": HOST, "friendly_name": "silent-sun-1234", "labels": {}, "version": "1.9.2",
        "uptime_human": "1m 1s", "uptime_seconds": 61,
        "components": [{
            "id": "http_hello", "image_ref": "ghcr.io/wasmcloud/hello:1", "name": "hello", "annotations": {"a": "b"},
            "revision": 2, "max_instances": 10, "limits": {"max_memory_limit": "1000000"}
        }, {
            "id": "bare", "image_ref": "file:///tmp/x.wasm", "annotations": {}, "revision": 0, "max_instances": 1,
            "limits": null
        }],
        "providers": [
            {"id": "httpserver", "image_ref": "ghcr.io/wasmcloud/http-server:0.26.0", "name": "http", "revision": 0,
             "annotations": {}},
            {"id": "VAAA", "revision": 0}
        ],
    });
    let mut inventory: HostInventory = same(v1.clone());
    let mut older = v1.clone();
    older["actors"] = older["components"].take();
    older.as_object_mut().unwrap().remove("components");
    assert_eq!(serde_json::from_value::<HostInventory>(older).unwrap(), inventory);

    assert_eq!(inventory.components[0].state(), None, "a host of version 1 tells no states");
    inventory.components[0].set_state(&State::Pending("no link for wasi:keyvalue".into()));
    inventory.providers[0].set_state(&State::Failed("address 127.0.0.1:8080 in use".into()));
    inventory.status.push("unsigned actors are allowed".into());
    let ours = serde_json::to_value(&inventory).unwrap();
    assert_eq!(ours["components"][0]["state"], "pending");
    assert_eq!(ours["providers"][0]["reason"], "address 127.0.0.1:8080 in use");
    let again: HostInventory = serde_json::from_value(ours).unwrap();
    assert_eq!(again.providers[0].state().unwrap().to_string(), "failed: address 127.0.0.1:8080 in use");
    let tomorrow: ProviderDescription =
        serde_json::from_value(json!({"id": "p", "state": "dreaming"})).unwrap();
    assert_eq!((tomorrow.state(), tomorrow.state.as_deref()), (None, Some("dreaming")));

    fills::<HostInventory>(
        json!({"host_id": HOST}),
        json!({"host_id": HOST, "friendly_name": "", "labels": {}, "version": "", "uptime_human": "",
               "uptime_seconds": 0, "components": [], "providers": []}),
    );
}

#[test]
fn our_own_fields_of_an_inventory() {
    let json = json!({
        "host_id": HOST, "components": [{
            "id": "counter", "state": "ready", "signed": true, "issuer": "AAAA", "in_flight": 1, "waiting": 2
        }],
        "links": [{"source_id": "counter", "target": "kv", "name": "default", "wit_namespace": "wasi",
                   "wit_package": "keyvalue", "state": "pending", "reason": "kv is not there yet"}],
        "status": ["unsigned actors are allowed"], "engine": {"pool": "1000 slots of 4 GiB"},
    });
    insta::assert_json_snapshot!(serde_json::from_value::<HostInventory>(json).unwrap(), @r#"
    {
      "host_id": "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "friendly_name": "",
      "labels": {},
      "version": "",
      "uptime_human": "",
      "uptime_seconds": 0,
      "components": [
        {
          "id": "counter",
          "image_ref": "",
          "annotations": {},
          "revision": 0,
          "max_instances": 0,
          "limits": null,
          "state": "ready",
          "signed": true,
          "issuer": "AAAA",
          "in_flight": 1,
          "waiting": 2
        }
      ],
      "providers": [],
      "links": [
        {
          "source_id": "counter",
          "target": "kv",
          "name": "default",
          "wit_namespace": "wasi",
          "wit_package": "keyvalue",
          "state": "pending",
          "reason": "kv is not there yet"
        }
      ],
      "status": [
        "unsigned actors are allowed"
      ],
      "engine": {
        "pool": "1000 slots of 4 GiB"
      }
    }
    "#);
}

#[test]
fn actors() {
    same::<ScaleComponentCommand>(json!({
        "component_ref": "ghcr.io/wasmcloud/hello:1", "component_id": "http_hello", "count": 10,
        "annotations": {"wasmcloud.dev/appspec": "x"}, "component_limits": {"max_memory_limit": "1000000"},
        "host_id": HOST, "config": ["a.b"], "allow_update": true,
    }));
    fills::<ScaleComponentCommand>(
        json!({"component_id": "x"}),
        json!({"component_ref": "", "component_id": "x", "count": 0, "host_id": "", "config": [], "allow_update": false}),
    );
    let ours: ScaleComponentCommand = same(json!({"component_ref": "x", "component_id": "x", "count": 1,
        "host_id": "", "config": [], "allow_update": false, "reuse": 128, "max_queued": 5}));
    assert_eq!((ours.reuse, ours.max_queued), (Some(128), Some(5)));
    assert!(refused::<ScaleComponentCommand>(json!({"component_id": "a.b"})).contains("actor id"));
    assert!(refused::<ScaleComponentCommand>(json!({"component_id": ""})).contains("cannot be empty"));
    refused::<ScaleComponentCommand>(json!({"component_id": "x", "count": -1}));
    let plain = ScaleComponentCommand::new(ActorId::new("x").unwrap(), "ref", 3);
    assert_eq!((plain.count, plain.component_ref.as_str()), (3, "ref"));

    same::<UpdateComponentCommand>(
        json!({"component_id": "x", "new_component_ref": "b", "host_id": HOST, "annotations": {}}),
    );
    same::<ComponentAuctionRequest>(
        json!({"component_ref": "a", "component_id": "not an id, but text", "constraints": {"zone": "a"}}),
    );
    refused::<ComponentAuctionRequest>(json!({"component_id": "x"}));
    same::<ComponentAuctionAck>(
        json!({"component_ref": "a", "component_id": "a", "host_id": HOST, "constraints": {}}),
    );
}

#[test]
fn providers() {
    same::<StartProviderCommand>(json!({
        "provider_id": "httpserver", "provider_ref": "ghcr.io/wasmcloud/http-server:0.26.0", "host_id": HOST,
        "config": ["web"], "annotations": {"a": "b"},
    }));
    fills::<StartProviderCommand>(
        json!({"provider_id": "x"}),
        json!({"provider_id": "x", "provider_ref": "", "host_id": "", "config": []}),
    );
    same::<StopProviderCommand>(json!({"provider_id": "x", "host_id": HOST}));
    fills::<StopProviderCommand>(json!({"provider_ref": "x"}), json!({"provider_id": "x", "host_id": ""}));
    same::<ProviderAuctionRequest>(json!({"provider_ref": "a", "provider_id": "default", "constraints": {}}));
    same::<ProviderAuctionAck>(
        json!({"provider_ref": "a", "provider_id": "default", "host_id": HOST, "constraints": {}}),
    );
}

fn link() -> Value {
    json!({
        "source_id": "http_hello", "target": "kv", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
        "interfaces": ["store", "atomics"], "source_config": [], "target_config": ["redis.url"],
    })
}

#[test]
fn links_and_claims() {
    let read: Link = same(link());
    let delete = DeleteLinkCommand::from(&read.key().unwrap());
    assert_eq!(
        serde_json::to_value(delete).unwrap(),
        json!({"source_id": "http_hello", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
               "target": "kv"})
    );
    fills::<DeleteLinkCommand>(
        json!({"source_id": "a", "wit_namespace": "wasi", "wit_package": "http"}),
        json!({"source_id": "a", "name": "default", "wit_namespace": "wasi", "wit_package": "http"}),
    );
    let status = LinkStatus::new(&read.key().unwrap(), &State::Ready);
    assert_eq!(status.state(), Some(State::Ready));
    same::<Vec<ClaimsMap>>(json!([{"call_alias": "", "iss": "A", "issuer": "A", "name": "hello", "rev": "1",
        "revision": "1", "sub": "M", "subject": "M", "tags": "a,b", "version": "0.1.0"}]));
}

#[test]
fn secrets_of_ours() {
    let (xkey, user) = (format!("X{}", "B".repeat(55)), format!("U{}", "B".repeat(55)));
    let put = json!({"name": "token", "kind": "text", "key": xkey, "value": "dmFsdWU=",
        "readers": {HOST: {"xkey": xkey, "seed": "c2VlZA=="}}});
    same::<PutSecretCommand>(put.clone());
    fills::<PutSecretCommand>(
        json!({"name": "token", "key": xkey, "value": ""}),
        json!({"name": "token", "kind": "", "key": xkey, "value": "", "readers": {}}),
    );
    refused::<PutSecretCommand>(json!({"name": "token"}));
    let mut wrong = put;
    wrong["readers"] = json!({"nobody": {"xkey": xkey, "seed": ""}});
    refused::<PutSecretCommand>(wrong);
    same::<DeleteSecretCommand>(json!({"name": "token"}));
    let entry = json!({"name": "token", "kind": "text", "revision": 1, "at": "2026-11-21T01:17:37Z", "by": user,
        "hosts": [HOST], "waiting": [HOST]});
    same::<SecretChange>(json!({"before": entry, "now": entry}));
    fills::<SecretEntry>(
        json!({"name": "token"}),
        json!({"name": "token", "kind": "", "revision": 0, "at": "", "hosts": []}),
    );
    let command: ScaleComponentCommand =
        same(json!({"component_ref": "a:1", "component_id": "a", "count": 1,
        "host_id": HOST, "config": [], "secrets": ["token"], "allow_update": false}));
    assert_eq!(command.secrets[0].as_str(), "token");
}

#[test]
fn trust_and_roles_of_ours() {
    let (account, user) = (format!("A{}", "B".repeat(55)), format!("U{}", "B".repeat(55)));
    same::<PutTrustCommand>(json!({"key": account}));
    same::<PutTrustCommand>(json!({"key": account, "account": account}));
    refused::<PutTrustCommand>(json!({"key": user}));
    fills::<DeleteTrustCommand>(json!({"key": account}), json!({"key": account, "forget": false}));
    let entry = json!({"key": account, "standing": "trusted", "account": account, "by": user,
        "at": "2026-11-21T01:17:37Z", "through": HOST});
    same::<TrustChange>(json!({"before": entry, "now": entry}));
    fills::<TrustEntry>(json!({"key": account}), json!({"key": account, "standing": "", "at": ""}));
    let limited = json!({"key": user, "role": "operator", "hosts": {"site": "plant"}, "names": ["shop-*"]});
    same::<PutRoleCommand>(limited.clone());
    fills::<PutRoleCommand>(json!({"key": user}), json!({"key": user, "role": ""}));
    same::<DeleteRoleCommand>(json!({"key": user}));
    let mut entry = limited;
    entry["counts"] = json!(true);
    entry["by"] = json!(user);
    entry["at"] = json!("2026-11-21T01:17:37Z");
    entry["through"] = json!(HOST);
    same::<RoleChange>(json!({"before": entry, "lost": [user]}));
    fills::<RoleEntry>(json!({"key": user}), json!({"key": user, "role": "", "counts": false, "at": ""}));
}

#[test]
fn events_about_who_commands() {
    let user = format!("U{}", "B".repeat(55));
    same::<ControlAudit>(json!({"host_id": HOST, "key": user, "role": "operator", "command": "link.put",
        "target": ["a", "b"], "success": true, "message": "successfully set link", "nonce": "n"}));
    fills::<ControlAudit>(
        json!({"host_id": HOST}),
        json!({"host_id": HOST, "command": "", "target": [], "success": false, "message": ""}),
    );
    same::<ControlRefused>(json!({"host_id": HOST, "source": "unsigned", "count": 417, "total": 902,
        "code": "signature-required", "command": "host.stop", "key": user, "reply_to": "_INBOX.x", "message": "m"}));
    fills::<ControlRefused>(
        json!({"host_id": HOST}),
        json!({"host_id": HOST, "source": "", "count": 0, "total": 0, "code": "", "command": "", "message": ""}),
    );
    same::<CallRefused>(json!({"host_id": HOST, "source": "mole", "count": 3, "total": 9, "code": "no-link",
        "target": "hello", "interface": "wasi:http/incoming-handler", "message": "m"}));
    fills::<CallRefused>(
        json!({"host_id": HOST}),
        json!({"host_id": HOST, "source": "", "count": 0, "total": 0, "code": "", "target": "", "interface": "",
            "message": ""}),
    );
}

#[test]
fn events_of_version_1() {
    same::<HostStarted>(json!({"friendly_name": "x", "labels": {}, "uptime_seconds": 0, "version": "1.9.2"}));
    same::<HostStopped>(json!({"labels": {"zone": "a"}}));
    same::<LabelsChanged>(json!({"host_id": HOST, "labels": {}}));
    same::<ComponentScaled>(json!({
        "public_key": "M", "claims": {"call_alias": "x", "issuer": "A", "tags": ["t"], "name": "hello",
        "version": "0.1.0", "revision": 1, "not_before_human": "never", "expires_human": "1700000000"},
        "annotations": {}, "host_id": HOST, "image_ref": "file:///x.wasm", "max_instances": 1, "component_id": "x",
    }));
    same::<ComponentScaled>(json!({
        "annotations": {}, "host_id": HOST, "image_ref": "a", "max_instances": 0, "component_id": "x",
    }));
    same::<ComponentScaleFailed>(json!({
        "annotations": {}, "host_id": HOST, "image_ref": "a", "component_id": "x", "max_instances": 1, "error": "e",
    }));
    same::<ProviderStarted>(json!({
        "host_id": HOST, "provider_id": "p", "image_ref": "a", "annotations": {},
        "claims": {"issuer": "A", "tags": null, "name": "http", "version": "1", "not_before_human": "never",
                   "expires_human": "never"},
        "instance_id": "p", "public_key": "p", "link_name": "default",
    }));
    same::<ProviderStartFailed>(json!({
        "error": "e", "host_id": HOST, "provider_id": "p", "provider_ref": "file:///p", "link_name": "default",
    }));
    same::<ProviderStopped>(json!({
        "host_id": HOST, "provider_id": "p", "annotations": {}, "reason": "stop", "instance_id": "p",
        "public_key": "p", "link_name": "default",
    }));
    same::<HealthCheck>(json!({"host_id": HOST, "provider_id": "p"}));
    let mut failed = link();
    failed["error"] = json!("e");
    same::<LinkdefSetFailed>(failed);
    same::<LinkdefDeleted>(
        json!({"source_id": "a", "name": "default", "wit_namespace": "wasi", "wit_package": "http"}),
    );
    same::<LinkdefDeleted>(
        json!({"source_id": "a", "name": "default", "wit_namespace": "wasi", "wit_package": "http",
        "target": "b", "interfaces": []}),
    );
    same::<ConfigSet>(json!({"config_name": "web.port"}));
    same::<ConfigDeleted>(json!({"config_name": "web.port"}));
}

#[test]
fn events_of_ours() {
    let failed = json!({"host_id": HOST, "provider_id": "p", "state": "failed", "reason": "in use"});
    let read: ProviderStateChanged = same(failed.clone());
    assert_eq!(read.state, State::Failed("in use".into()));
    same::<ActorStateChanged>(json!({"host_id": HOST, "actor_id": "a", "state": "ready"}));
    same::<LinkStateChanged>(json!({"host_id": HOST, "source_id": "a", "target": "b", "name": "default",
        "wit_namespace": "wasi", "wit_package": "http", "state": "pending", "reason": "b is not there yet"}));

    let host = HostId::new(HOST).unwrap();
    let event =
        Event::new(EventName::ProviderState, &host, String::new(), String::new(), read.to_data().unwrap());
    assert_eq!(ProviderStateChanged::read(&event), Some(read));
    assert_eq!(ActorStateChanged::read(&event), None, "another event");
    let mut odd = event;
    odd.data["state"] = json!("dreaming");
    assert_eq!(ProviderStateChanged::read(&odd), None, "a state that nobody knows is not guessed");
}
