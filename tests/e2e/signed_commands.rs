//! Commands signed by a person: hosts that ask for it take no others, whoever holds the NATS password; each command is good for
//! once; and everybody can see who did what.

use std::time::{Duration, Instant};

use lattice_claims::{
    COMMAND_HEADER, COMMAND_LIFE_MS, CommandRequest, KeyKind, KeyPair, SignActor, sign_command,
};
use lattice_control_interface::{
    Client, ControlError, DeleteRoleCommand, DeleteTrustCommand, PutRoleCommand, PutTrustCommand,
    ScaleComponentCommand,
};
use lattice_core::{
    AccountKey, ActorId, Grant, HostId, LatticeName, Link, Role, RoleFact, Standing, TrustFact, UserKey,
};
use lattice_nats::{FactStore, HeaderMap};
use lattice_testkit::{Host, until};
use lattice_tests::{RawEvents, Signer, Stage, wasm_of};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(10);

fn user() -> KeyPair {
    KeyPair::generate(KeyKind::User)
}

fn id_of(key: &KeyPair) -> UserKey {
    UserKey::new(key.public_key().as_str()).unwrap()
}

/// Who does not have to be told apart from those who may: hosts that take signed commands alone.
async fn strict_host(stage: &Stage, admin: &KeyPair, flags: &[&str]) -> (Host, HostId) {
    let admin = admin.public_key().as_str();
    stage.host(&[&["--require-signed-control", "--admin", admin], flags].concat()).await
}

/// A client that signs with `key`.
fn by(stage: &Stage, key: &KeyPair) -> Client {
    stage.client.signed_by(key.clone())
}

async fn give(stage: &Stage, admin: &KeyPair, key: &KeyPair, grant: Grant) {
    by(stage, admin).put_role(&PutRoleCommand { key: id_of(key), grant }).await.unwrap();
}

async fn put_config(client: &Client, name: &str) -> Result<String, ControlError> {
    let values = [("a".to_owned(), "b".to_owned())].into();
    client.put_config(&name.parse().unwrap(), &values).await
}

/// True if each host refuses the configuration with `why`. Whichever host is free takes such a command: of two, one has all of these
/// once in two thousand times.
async fn refused_by_all(client: &Client, name: &str, why: &str) -> bool {
    for _ in 0..12 {
        let tried = put_config(client, name).await;
        if tried.is_ok() || code(tried) != why {
            return false;
        }
    }
    true
}

/// Waits until something is so.
async fn eventually<T>(what: &str, so: impl AsyncFn() -> Option<T>) -> T {
    let so = &so;
    until(what, WITHIN, move || so()).await.unwrap()
}

/// The code of a refusal.
#[track_caller]
fn code<T: std::fmt::Debug>(outcome: Result<T, ControlError>) -> String {
    match outcome {
        Err(ControlError::NotAllowed { code, message }) => {
            assert!(message.contains("; "), "a refusal says what to do: {message}");
            code
        }
        other => panic!("not refused because of who asks: {other:?}"),
    }
}

fn subject(operation: &str) -> String {
    format!("wasmbus.ctl.v1.default.{operation}")
}

fn token(key: &KeyPair, operation: &str, body: &str, at_ms: u64) -> String {
    let subject = subject(operation);
    let request = CommandRequest { lattice: "default", subject: &subject, body: body.as_bytes() };
    sign_command(&request, key, at_ms).unwrap()
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Sends these very bytes, as somebody does who has heard them; the answer.
async fn send(stage: &Stage, operation: &str, token: &str, body: &str) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert(COMMAND_HEADER, token);
    let sent = stage.connection.ask(&subject(operation), headers, body.to_owned().into(), WITHIN).await;
    serde_json::from_slice(&sent.unwrap().payload).unwrap()
}

fn done(answer: &Value) -> bool {
    answer["success"] == true
}

#[tokio::test]
async fn who_signs_and_may_is_obeyed_and_nobody_else() {
    let stage = Stage::set().await;
    let people = People { root: user(), operator: user(), viewer: user(), stranger: user() };
    let (_one, one) = strict_host(&stage, &people.root, &["--label", "site=plant"]).await;
    let (_two, two) = strict_host(&stage, &people.root, &["--label", "site=shop"]).await;
    let (mut events, mut refusals) = (stage.listen().await, stage.listen().await);
    the_password_of_nats_changes_nothing(&stage, &one).await;
    everybody_may_look(&stage, &one).await;
    admins_give_roles_and_nobody_else(&stage, &people).await;
    who_did_what_can_be_seen(&people, &mut events, &mut refusals).await;
    wash_finds_the_only_user_key(&stage, &people.operator, &one).await;
    roles_reach_as_far_as_they_say(&stage, &people.root, &one, &two).await;
    a_role_that_is_taken_is_gone(&stage, &people).await;
}

struct People {
    /// An admin by the hosts' flags.
    root: KeyPair,
    operator: KeyPair,
    viewer: KeyPair,
    stranger: KeyPair,
}

/// By our tools, by others', by hand.
async fn the_password_of_nats_changes_nothing(stage: &Stage, one: &HostId) {
    assert_eq!(code(put_config(&stage.client, "web").await), "signature-required");
    let said = stage.wash(&["config", "put", "web", "a=b"]).await;
    assert!(said.code == 1 && said.text.contains("takes signed commands alone"), "{}", said.text);
    assert!(said.text.contains("wash keys gen user"), "the remedy: {}", said.text);
    for operation in [
        format!("host.stop.{one}"),
        format!("component.scale.{one}"),
        format!("component.update.{one}"),
        format!("component.call.{one}"),
        format!("provider.start.{one}"),
        format!("provider.stop.{one}"),
        format!("label.put.{one}"),
        format!("label.del.{one}"),
        "link.put".to_owned(),
        "link.del".to_owned(),
        "config.put.web".to_owned(),
        "config.del.web".to_owned(),
        "trust.put".to_owned(),
        "trust.del".to_owned(),
        "role.put".to_owned(),
        "role.del".to_owned(),
    ] {
        let answer = stage.ask(&operation, "{}").await;
        assert_eq!(
            (&answer["success"], &answer["code"]),
            (&json!(false), &json!("signature-required")),
            "{answer}"
        );
    }
}

async fn everybody_may_look(stage: &Stage, one: &HostId) {
    assert_eq!(stage.hosts().await.len(), 2);
    for operation in
        ["link.get", "claims.get", "config.get.web", "trust.get", "role.get", &format!("host.get.{one}")]
    {
        assert!(done(&stage.ask(operation, "").await), "{operation}");
    }
}

/// Nobody gives oneself a role; the admin of the flags does.
async fn admins_give_roles_and_nobody_else(stage: &Stage, people: &People) {
    let People { root, operator, viewer, stranger } = people;
    let own = PutRoleCommand { key: id_of(stranger), grant: Grant::of(Role::Admin) };
    assert_eq!(code(by(stage, stranger).put_role(&own).await), "no-role");
    let seed = root.seed().expose();
    for (key, role) in [(operator, "operator"), (viewer, "viewer")] {
        let key = key.public_key().as_str();
        let said = stage.wash(&["role", "add", key, role, "--signing-key", seed]).await;
        assert!(
            said.code == 0 && said.text.contains(&format!("{key} is {role} in lattice default")),
            "{}",
            said.text
        );
    }
    // Either host may answer, and the one that did not write hears of it a moment later.
    eventually("the operator may", async || put_config(&by(stage, operator), "web").await.ok()).await;
    eventually("the viewer is known", async || {
        let refused = code(put_config(&by(stage, viewer), "web").await);
        (refused == "role-too-low").then_some(())
    })
    .await;
    assert_eq!(code(put_config(&by(stage, stranger), "web").await), "no-role");
    let own = PutRoleCommand { key: id_of(operator), grant: Grant::of(Role::Admin) };
    assert_eq!(code(by(stage, operator).put_role(&own).await), "role-too-low");
}

async fn who_did_what_can_be_seen(people: &People, events: &mut RawEvents, refusals: &mut RawEvents) {
    let People { operator, viewer, .. } = people;
    let audit = events.wait("control_audit", |data| data["command"] == "config.put").await;
    assert_eq!(audit["key"], operator.public_key().as_str());
    assert_eq!((&audit["role"], &audit["target"]), (&json!("operator"), &json!(["web"])));
    assert_eq!((&audit["success"], &audit["message"]), (&json!(true), &json!("successfully put config")));
    let told = refusals.wait("control_refused", |data| data["source"] == viewer.public_key().as_str()).await;
    assert_eq!(
        (&told["code"], &told["command"], &told["count"]),
        (&json!("role-too-low"), &json!("config.put"), &json!(1))
    );
}

/// An actor is started, called and stopped by an operator.
async fn wash_finds_the_only_user_key(stage: &Stage, operator: &KeyPair, one: &HostId) {
    let file = stage.signer.example("calculator").display().to_string();
    std::fs::create_dir_all(stage.folder().join("keys")).unwrap();
    std::fs::write(stage.folder().join("keys/op_user.nk"), operator.seed().expose()).unwrap();
    for args in [
        &["start", "actor", &file, "calc", "--host-id", one.as_str()][..],
        &["call", "calc", "demo:calls/math.add", "2", "3"],
        &["stop", "actor", "calc"],
    ] {
        let said = stage.wash(args).await;
        assert_eq!(said.code, 0, "wash {args:?}: {}", said.text);
    }
}

async fn roles_reach_as_far_as_they_say(stage: &Stage, root: &KeyPair, one: &HostId, two: &HostId) {
    let limited = user();
    let plant = Grant {
        hosts: [("site".to_owned(), "plant".to_owned())].into(),
        names: vec!["shop-*".to_owned()],
        ..Grant::of(Role::Operator)
    };
    give(stage, root, &limited, plant).await;
    let hello = stage.signer.example("hello").display().to_string();
    let scale = |name: &str| ScaleComponentCommand::new(name.parse::<ActorId>().unwrap(), hello.clone(), 1);
    let limited = by(stage, &limited);
    eventually("both hosts know", async || {
        let there = code(limited.scale_component(two, &scale("shop-hello")).await) == "out-of-reach";
        let here = limited.scale_component(one, &scale("shop-hello")).await.is_ok();
        (there && here).then_some(())
    })
    .await;
    assert_eq!(code(limited.scale_component(one, &scale("hello")).await), "out-of-reach");
    assert_eq!(code(limited.scale_component(two, &scale("shop-hello")).await), "out-of-reach");
    put_config(&limited, "shop-web").await.unwrap();
    assert_eq!(code(put_config(&limited, "web").await), "out-of-reach");
    assert_eq!(code(limited.stop_host(one, None).await), "out-of-reach");
    // A configuration says where the links lead that use it: who changes it touches them, and what they give.
    let link: Link = serde_json::from_value(json!({
        "source_id": "bank", "target": "out", "wit_namespace": "wasi", "wit_package": "http", "target_config": ["shop-web"],
    }))
    .unwrap();
    by(stage, root).put_link(&link).await.unwrap();
    eventually("both hosts know the link", async || {
        refused_by_all(&limited, "shop-web", "out-of-reach").await.then_some(())
    })
    .await;
}

async fn a_role_that_is_taken_is_gone(stage: &Stage, people: &People) {
    let People { root, operator, .. } = people;
    let (key, seed) = (operator.public_key().as_str(), root.seed().expose());
    let said = stage.wash(&["role", "del", key, "--signing-key", seed]).await;
    assert!(said.code == 0 && said.text.contains("has no role in lattice default any more"), "{}", said.text);
    eventually("both hosts know", async || {
        refused_by_all(&by(stage, operator), "web", "no-role").await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_command_is_good_for_once_for_one_subject_and_for_its_time() {
    let stage = Stage::set().await;
    let root = user();
    let (mut host, id) = strict_host(&stage, &root, &[]).await;
    let (_other, other) = strict_host(&stage, &root, &[]).await;
    let operation = format!("label.put.{id}");
    let body = r#"{"key":"rack","value":"7"}"#;

    // Captured and sent again: within its life, after it, with a byte changed, to another host, on another subject.
    let (sent, captured) = (now_ms(), token(&root, &operation, body, now_ms()));
    assert!(done(&send(&stage, &operation, &captured, body).await));
    let again = async |operation: &str, token: &str, body: &str| {
        let answer = send(&stage, operation, token, body).await;
        assert!(!done(&answer), "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(again(&operation, &captured, body).await, "token-replayed");
    assert_eq!(again(&operation, &captured, &body.replace('7', "8")).await, "token-mismatch");
    assert_eq!(again(&format!("label.put.{other}"), &captured, body).await, "token-mismatch");
    assert_eq!(again(&format!("label.del.{id}"), &captured, body).await, "token-mismatch");
    let mut forged: Vec<char> = captured.chars().collect();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == 'x' { 'y' } else { 'x' };
    let forged: String = forged.into_iter().collect();
    assert_eq!(again(&operation, &forged, body).await, "token-forged");
    assert_eq!(again(&operation, "nonsense", body).await, "token-malformed");
    let early = token(&root, &operation, body, now_ms() + 60_000);
    assert_eq!(again(&operation, &early, body).await, "token-early");
    let old = token(&root, &operation, body, now_ms() - COMMAND_LIFE_MS - 1_000);
    assert_eq!(again(&operation, &old, body).await, "token-expired");
    // A scale and a link of one host's subject are not good on another's, nor is a command of the lattice as one of a host.
    let link =
        json!({"source_id": "a", "target": "b", "wit_namespace": "wasi", "wit_package": "http"}).to_string();
    let (scale, put) = (format!("component.scale.{id}"), "link.put".to_owned());
    for (of, body) in [(&scale, r#"{"component_id":"a","count":0}"#), (&put, link.as_str())] {
        let captured = token(&root, of, body, now_ms());
        assert!(done(&send(&stage, of, &captured, body).await));
        for elsewhere in
            [format!("component.scale.{other}"), format!("component.update.{id}"), "link.del".to_owned()]
        {
            assert_eq!(again(&elsewhere, &captured, body).await, "token-mismatch");
        }
    }

    // A host that starts anew takes nothing that was issued before.
    let before = token(&root, &operation, body, now_ms());
    host.process.kill();
    host.again(&[]).await.unwrap();
    assert_eq!(again(&operation, &before, body).await, "token-forgotten");
    let fresh = token(&root, &operation, body, now_ms());
    assert!(done(&send(&stage, &operation, &fresh, body).await));

    // For as long as it would be good it is known, and then it is too old.
    let last = loop {
        let answer = again(&operation, &captured, body).await;
        if answer == "token-expired" {
            break now_ms();
        }
        assert_eq!(answer, "token-forgotten");
        assert!(now_ms() < sent + COMMAND_LIFE_MS + 5_000, "it does not expire");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(last >= sent + COMMAND_LIFE_MS, "it expired {} ms after its issue", last - sent);
}

#[tokio::test]
async fn a_flood_of_refusals_is_an_event_a_second_with_a_count() {
    let stage = Stage::set().await;
    let root = user();
    let (_host, id) = strict_host(&stage, &root, &[]).await;
    let mut events = stage.listen().await;
    let start = Instant::now();
    for _ in 0..500 {
        let answer = stage.ask(&format!("label.put.{id}"), r#"{"key":"a","value":"b"}"#).await;
        assert_eq!(answer["code"], "signature-required");
    }
    let lasted = start.elapsed();
    let (mut told, mut counted) = (0, 0);
    while counted < 500 {
        let event = events.wait("control_refused", |data| data["source"] == "unsigned").await;
        (told, counted) = (told + 1, counted + event["count"].as_u64().unwrap());
        assert_eq!((&event["code"], &event["command"]), (&json!("signature-required"), &json!("label.put")));
        assert!(event["reply_to"].is_string() && event["total"].as_u64().unwrap() >= counted, "{event}");
    }
    assert_eq!(counted, 500);
    assert!(told <= lasted.as_secs() + 3, "{told} events in {lasted:?}");
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.control_refused, 500);
    assert!(inventory.status.iter().any(|line| line.starts_with("500 control requests were refused")));
}

/// Signed and unsigned commands side by side, where nothing has to be signed.
#[tokio::test]
async fn where_nothing_has_to_be_signed_tools_of_version_1_work_and_trust_and_roles_are_the_admins() {
    let stage = Stage::set().await;
    let (root, friend) = (user(), user());
    let (_host, id) = stage.host(&["--admin", root.public_key().as_str()]).await;
    let mut events = stage.listen().await;

    // As today, and told of as nobody's.
    stage.done("config.put.web", r#"{"a":"b"}"#).await;
    let audit = events.wait("control_audit", |data| data["command"] == "config.put").await;
    assert!(audit.get("key").is_none() && audit["success"] == true, "{audit}");
    // Signed by somebody without a role it says who it was, and no more.
    put_config(&by(&stage, &friend), "web").await.unwrap();
    let audit = events.wait("control_audit", |data| data["command"] == "config.put").await;
    assert_eq!((audit["key"].as_str(), audit.get("role")), (Some(friend.public_key().as_str()), None));
    // A bad signature is none.
    let operation = format!("label.put.{id}");
    let body = r#"{"key":"rack","value":"7"}"#;
    let old = token(&friend, &operation, body, now_ms() - COMMAND_LIFE_MS - 1_000);
    assert_eq!(send(&stage, &operation, &old, body).await["code"], "token-expired");

    // Trust and roles are not for everybody.
    let other = Signer::new(stage.folder());
    let account = other.account();
    let trust = PutTrustCommand { key: account.parse().unwrap(), account: None };
    assert_eq!(code(stage.client.put_trust(&trust).await), "signature-required");
    assert_eq!(code(by(&stage, &friend).put_trust(&trust).await), "no-role");
    let role = PutRoleCommand { key: id_of(&friend), grant: Grant::of(Role::Admin) };
    assert_eq!(code(stage.client.put_role(&role).await), "signature-required");
    assert_eq!(code(by(&stage, &friend).put_role(&role).await), "no-role");

    // Whoever can write to the bucket is no admin by that, and makes nobody trusted.
    let writer = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
    let store = FactStore::open(&stage.connection, &LatticeName::default(), writer).await.unwrap();
    let fact = RoleFact { grant: Grant::of(Role::Admin), by: Some(id_of(&root)), order: None };
    store.put_role(&id_of(&friend), &fact).await.unwrap();
    let says = TrustFact::new(Standing::Trusted, None, Some(id_of(&root)), None);
    store.put_trust(&account.parse().unwrap(), &says).await.unwrap();
    let image = other.signed("other.wasm", &wasm_of("hello"), &SignActor::default());
    let why = stage.start_actor(&id, "other", &image, 1).await.unwrap_err();
    assert!(why.contains("is not trusted here"), "{why}");
    assert_eq!(code(by(&stage, &friend).put_trust(&trust).await), "no-role");
    let listed = stage.wash(&["role", "list"]).await.text;
    assert!(listed.contains("counts nowhere") && listed.contains("flag of"), "{listed}");
    assert!(stage.wash(&["trust", "list"]).await.text.contains("unconfirmed"));

    // The admin says so, and it counts; with the admin who said so goes what it said.
    let deputy = user();
    give(&stage, &root, &deputy, Grant::of(Role::Admin)).await;
    by(&stage, &deputy).put_trust(&trust).await.unwrap();
    let entry = stage.client.get_trust().await.unwrap().pop().unwrap();
    assert_eq!((entry.by.clone(), entry.standing()), (Some(id_of(&deputy)), Standing::Trusted));
    stage.start_actor(&id, "other", &image, 1).await.unwrap();
    let seed = root.seed().expose();
    let said = stage.wash(&["role", "del", deputy.public_key().as_str(), "--signing-key", seed]).await;
    assert!(said.code == 0 && said.text.contains(account), "it says what is lost: {}", said.text);
    let why = stage.start_actor(&id, "third", &image, 1).await.unwrap_err();
    assert!(why.contains("is not trusted here"), "{why}");
    let why = by(&stage, &root)
        .delete_role(&lattice_control_interface::DeleteRoleCommand { key: id_of(&root) })
        .await;
    assert!(why.unwrap_err().to_string().contains("--admin of this host"));

    // What a signature costs.
    let timed = async |client: &Client| {
        let (start, label) =
            (Instant::now(), lattice_control_interface::HostLabel { key: "rack".into(), value: "7".into() });
        for _ in 0..100 {
            client.put_label(&id, &label).await.unwrap();
        }
        start.elapsed() / 100
    };
    let (unsigned, signed) = (timed(&stage.client).await, timed(&by(&stage, &root)).await);
    println!("a command of {unsigned:?} takes {signed:?} when it is signed");
}

/// Waits until the lattice has a role, or trust, and gives it as it is written there.
async fn written<T>(store: &FactStore, read: impl Fn(&lattice_nats::Facts) -> Option<T>) -> T {
    eventually("the fact is there", async || read(&store.snapshot())).await
}

#[tokio::test]
async fn an_old_order_that_is_put_back_counts_nothing() {
    let stage = Stage::set().await;
    let (root, friend) = (user(), user());
    let (mut host, id) = strict_host(&stage, &root, &[]).await;
    // Somebody with a host's credentials, who keeps what the lattice said.
    let writer = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
    let store = FactStore::open(&stage.connection, &LatticeName::default(), writer).await.unwrap();
    let key = id_of(&friend);
    let role_of = async |grant: Grant| {
        written(&store, |facts| {
            facts.roles().find(|(of, says, _)| **of == key && says.grant == grant).map(|(_, says, _)| says)
        })
        .await
    };
    let events = tokio::sync::Mutex::new(stage.listen().await);
    let put_back = async |old: &RoleFact| {
        store.put_role(&key, old).await.unwrap();
        eventually("the host has heard of it, and does not count it", async || {
            let roles = stage.client.get_roles().await.unwrap();
            roles
                .iter()
                .any(|entry| entry.key == key && entry.grant == old.grant && !entry.counts)
                .then_some(())
        })
        .await;
        assert_eq!(code(put_config(&by(&stage, &friend), "web").await), "no-role");
        let is_told = |data: &Value| data["code"] == "order-over" && data["command"] == "role.put";
        let told = events.lock().await.wait("control_refused", is_told).await;
        assert!(told["source"].as_str().unwrap().starts_with("NAAA"), "{told}");
    };

    // An operator becomes a viewer, and would be an operator again; then it is nothing, and would be either.
    give(&stage, &root, &friend, Grant::of(Role::Operator)).await;
    put_config(&by(&stage, &friend), "web").await.unwrap();
    let operator = role_of(Grant::of(Role::Operator)).await;
    give(&stage, &root, &friend, Grant::of(Role::Viewer)).await;
    let viewer = role_of(Grant::of(Role::Viewer)).await;
    put_back(&operator).await;
    by(&stage, &root).delete_role(&DeleteRoleCommand { key: key.clone() }).await.unwrap();
    put_back(&viewer).await;
    put_back(&operator).await;

    // An account that was trusted, and is revoked.
    let other = Signer::new(stage.folder());
    let account: AccountKey = other.account().parse().unwrap();
    let image = other.signed("other.wasm", &wasm_of("hello"), &SignActor::default());
    by(&stage, &root).put_trust(&PutTrustCommand { key: account.clone(), account: None }).await.unwrap();
    let start = async |id: &HostId, name: &str| {
        let command = ScaleComponentCommand::new(name.parse().unwrap(), image.display().to_string(), 1);
        by(&stage, &root).scale_component_and_wait(id, &command, 3 * WITHIN).await.map(drop)
    };
    start(&id, "other").await.unwrap();
    let trusted =
        written(&store, |facts| facts.trust().find(|(of, ..)| **of == account).map(|(_, says, _)| says))
            .await;
    by(&stage, &root)
        .delete_trust(&DeleteTrustCommand { key: account.clone(), forget: false })
        .await
        .unwrap();
    // A host that came when it was revoked already has heard of that order alone.
    let (mut late, late_id) = strict_host(&stage, &root, &[]).await;
    store.put_trust(&account, &trusted).await.unwrap();
    let unconfirmed = async || {
        let entries = stage.client.get_trust().await.unwrap();
        entries.iter().any(|entry| entry.key == account && entry.standing == "unconfirmed").then_some(())
    };
    eventually("what was put back is not confirmed", unconfirmed).await;
    for host in [&id, &late_id] {
        let why = start(host, "third").await.unwrap_err().to_string();
        assert!(why.contains("is not trusted here"), "{why}");
    }
    late.process.stop(Duration::from_secs(30)).await.unwrap();

    // Nor does a later life of the host take it; only what is ordered anew counts.
    host.process.stop(Duration::from_secs(30)).await.unwrap();
    host.again(&[]).await.unwrap();
    put_back(&operator).await;
    eventually("what was put back is not confirmed", unconfirmed).await;
    give(&stage, &root, &friend, Grant::of(Role::Operator)).await;
    put_config(&by(&stage, &friend), "web").await.unwrap();
}

#[tokio::test]
async fn a_host_that_nobody_could_command_does_not_start() {
    let stage = Stage::set().await;
    let url = stage.nats.url();
    for (flags, why) in [
        (&["--require-signed-control"][..], "without --admin"),
        (&["--admin", "nonsense"], "--admin"),
        (&["--admin", stage.signer.account()], "--admin"),
    ] {
        let said = stage.run("wasmcloud", &[&["--nats-url", &url], flags].concat()).await;
        assert!(said.code != 0 && said.text.contains(why), "{flags:?}: {}", said.text);
    }
}
