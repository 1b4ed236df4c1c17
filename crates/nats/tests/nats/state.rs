//! Facts: written by many, deleted, watched through everything that happens to a bucket.

mod disk;
mod merge;
mod processes;
mod watch;
mod writers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_nats::jetstream::kv;
use lattice_core::{ConfigName, Contract, EntityId, FactKey, Link, LinkName};
use lattice_nats::{ConnectOptions, Connection, FactStore, StateError};
use lattice_testkit::{NatsOptions, NatsServer};
use serde_json::{Map, json};
use tokio::task::JoinSet;

use crate::{LONG, host, join, lattice, server};

async fn open(conn: &Connection, letter: char) -> FactStore {
    FactStore::open(conn, &lattice(), host(letter)).await.unwrap()
}

fn name(text: impl AsRef<str>) -> ConfigName {
    ConfigName::new(text).unwrap()
}

fn values(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("v".to_owned(), text.to_owned())])
}

fn link(source: &str, target: &str) -> Link {
    let contract = Contract::keyvalue();
    Link {
        source: EntityId::new(source).unwrap(),
        target: EntityId::new(target).unwrap(),
        name: LinkName::default(),
        wit_namespace: contract.namespace().to_owned(),
        wit_package: contract.package().to_owned(),
        interfaces: Vec::new(),
        source_config: Vec::new(),
        target_config: vec![name("redis.url")],
        source_secrets: Vec::new(),
        target_secrets: Vec::new(),
        distance: lattice_core::Distance::default(),
    }
}

/// Waits for the event, under a deadline.
async fn until(store: &FactStore, mut is_so: impl FnMut(&lattice_nats::Facts) -> bool) {
    let mut changes = store.subscribe_changes();
    let waiting = async {
        while !is_so(&store.snapshot()) {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("the facts never got there");
}

async fn bucket(conn: &Connection) -> kv::Store {
    conn.jetstream().get_key_value("LATTICE_default").await.unwrap()
}

#[tokio::test]
async fn what_one_host_writes_the_other_knows() {
    let server = server().await;
    let (a, b) = (open(&join(&server).await, 'A').await, open(&join(&server).await, 'B').await);
    let link = link("counter", "kv");
    let key = link.key().unwrap();
    assert_eq!(a.put_link(&link).await.unwrap().number, 1);
    assert_eq!(a.snapshot().link(&key), Some((link.clone(), 1)), "the writer's own view has it at once");
    assert!(b.wait_current(LONG).await);
    assert_eq!(b.snapshot().links().map(|(_, link)| link).collect::<Vec<_>>(), std::slice::from_ref(&link));

    // The same again changes nothing, something else counts on.
    assert_eq!(b.put_link(&link).await.unwrap().number, 1);
    let changed = Link { interfaces: vec!["store".into()], ..link.clone() };
    let version = b.put_link(&changed).await.unwrap();
    assert_eq!((version.number, version.writer.as_str()), (2, host('B').as_str()));

    assert_eq!(a.delete_link(&key).await.unwrap(), Some(changed));
    assert_eq!(a.delete_link(&key).await.unwrap(), None);
    assert!(b.wait_current(LONG).await);
    assert_eq!(b.snapshot().links().count(), 0);
    assert!(b.snapshot().fact(&FactKey::Link(key.clone())).unwrap().deleted, "a tombstone stays");
    assert_eq!(b.put_link(&link).await.unwrap().number, 4, "and counts");

    let claims = Map::from_iter([("name".to_owned(), json!("Counter"))]);
    a.put_claims("MABC", claims.clone()).await.unwrap();
    b.wait_current(LONG).await;
    assert_eq!(b.snapshot().claims().collect::<Vec<_>>(), [("MABC", &claims)]);
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn a_fact_that_changed_since_it_was_seen_is_not_replaced() {
    let server = server().await;
    let (a, b) = (open(&join(&server).await, 'A').await, open(&join(&server).await, 'B').await);
    let key = FactKey::Config(name("web"));
    let seen = a.put_config(&name("web"), &values("1")).await.unwrap();
    let now = a.replace(&key, &seen, json!({"v": "2"})).await.unwrap();
    assert_eq!(now.number, 2);
    // The other host has not looked since, and one of two at once wins.
    let late = b.replace(&key, &seen, json!({"v": "3"})).await.unwrap_err();
    assert!(matches!(late, StateError::Superseded { .. }), "{late}");
    let one = json!({"v": "4"});
    let (first, second) = tokio::join!(a.replace(&key, &now, one), b.replace(&key, &now, json!({"v": "5"})));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    // What is deleted stays so, and what was never there is not made.
    let seen = first.or(second).unwrap();
    assert!(b.delete_config(&name("web")).await.unwrap());
    for (key, seen) in [(&key, &seen), (&FactKey::Config(name("never")), &seen)] {
        let gone = a.replace(key, seen, json!({"v": "6"})).await.unwrap_err();
        assert!(matches!(gone, StateError::Superseded { .. }), "{gone}");
    }
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn a_tombstone_is_a_value_that_expires_in_ninety_days() {
    let server = server().await;
    let conn = join(&server).await;
    let store = open(&conn, 'A').await;
    store.put_config(&name("web"), &values("1")).await.unwrap();
    assert!(store.delete_config(&name("web")).await.unwrap());
    assert!(!store.delete_config(&name("never-there")).await.unwrap());
    let stream = conn.jetstream().get_stream("KV_LATTICE_default").await.unwrap();
    let message = stream.get_last_raw_message_by_subject("$KV.LATTICE_default.config.web").await.unwrap();
    assert_eq!(message.headers.get("Nats-TTL").unwrap().as_str(), (90 * 24 * 3600).to_string());
    assert!(message.headers.get("KV-Operation").is_none(), "never a deletion of JetStream's own");
    let text = std::str::from_utf8(&message.payload).unwrap();
    assert!(text.contains(r#""version":2"#) && text.contains(r#""deleted":true"#), "{text}");
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn many_writers_of_one_fact_all_count() {
    let server = server().await;
    let mut stores = Vec::new();
    for letter in ['A', 'B', 'C', 'D'] {
        stores.push(Arc::new(open(&join(&server).await, letter).await));
    }
    let mut writers = JoinSet::new();
    for (i, store) in stores.iter().enumerate() {
        for j in 0..25 {
            let store = Arc::clone(store);
            writers.spawn(async move { store.put_config(&name("one"), &values(&format!("{i}.{j}"))).await });
        }
    }
    let mut versions = BTreeSet::new();
    while let Some(written) = writers.join_next().await {
        versions.insert(written.unwrap().unwrap().number);
    }
    assert_eq!(versions, (1..=100).collect(), "each write is on top of another one");
    let ends: Vec<_> = futures::future::join_all(stores.iter().map(|store| async {
        assert!(store.wait_current(LONG).await);
        store.snapshot()
    }))
    .await;
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "all see the same end");
}

#[tokio::test]
async fn rubbish_in_the_bucket_is_passed_over_and_overwritten() {
    let server = server().await;
    let conn = join(&server).await;
    let first = open(&conn, 'A').await;
    first.close().await;
    let raw = bucket(&conn).await;
    for (key, value) in [
        ("rumour.x", "{}"),
        ("config.bad", "not json"),
        ("config.worse", r#"{"version":1,"writer":"w","data":{"a":[]}}"#),
        ("link.a.b.wasi.http.default", r#"{"version":1,"writer":"w","data":{}}"#),
        ("config.=GG", "{}"),
        ("config.good", r#"{"version":7,"writer":"w","data":{"v":"1"},"later":true}"#),
    ] {
        raw.put(key, value.into()).await.unwrap();
    }
    raw.delete("config.gone").await.unwrap();
    let store = open(&conn, 'A').await;
    assert_eq!(store.snapshot().len(), 1);
    raw.put("config.bad", "still not".into()).await.unwrap();
    assert!(store.wait_current(LONG).await);
    assert_eq!(store.put_config(&name("bad"), &values("1")).await.unwrap().number, 1);
    assert_eq!(store.put_config(&name("gone"), &values("1")).await.unwrap().number, 1);
    assert_eq!(store.put_config(&name("good"), &values("2")).await.unwrap().number, 8);
    // Somebody's deletion by hand deletes nothing that is known.
    raw.delete("config.good").await.unwrap();
    assert!(store.wait_current(LONG).await);
    assert_eq!(store.snapshot().config(&name("good")), Some(values("2")));
}

#[tokio::test]
async fn every_legal_name_is_stored_and_found() {
    let server = server().await;
    let store = open(&join(&server).await, 'A').await;
    let odd = ["a.b", "über/straße:1", "x=y@[z]", "-_-", "0", &"n".repeat(128)];
    for text in odd {
        store.put_config(&name(text), &values(text)).await.unwrap();
    }
    let again = open(&join(&server).await, 'B').await;
    for text in odd {
        assert_eq!(again.snapshot().config(&name(text)), Some(values(text)), "{text}");
    }
    let bad = store.put(&FactKey::Config(name("x")), json!({"a": 1})).await.unwrap_err();
    assert!(matches!(bad, StateError::Unwritable { .. }), "{bad:?}");
    let large = store.put_config(&name("large"), &values(&"x".repeat(2 << 20))).await.unwrap_err();
    assert!(large.to_string().contains("max_payload"), "{large}");
}

#[tokio::test]
async fn two_hosts_make_the_bucket_at_once() {
    let server: NatsServer = server().await;
    let (a, b) = (join(&server).await, join(&server).await);
    let (a, b) = tokio::join!(open(&a, 'A'), open(&b, 'B'));
    a.put_config(&name("web"), &values("1")).await.unwrap();
    assert!(b.wait_current(LONG).await);
    assert_eq!(b.snapshot().config(&name("web")), Some(values("1")));
}

#[tokio::test]
async fn the_state_of_a_jetstream_domain() {
    let store_dir = tempfile::tempdir().unwrap();
    let config = format!("jetstream {{ domain: \"site\", store_dir: {:?} }}", store_dir.path());
    let options = NatsOptions { jetstream: false, config, ..NatsOptions::default() };
    let server = NatsServer::start_with(options).await.unwrap();
    let of_domain = |domain: &str| ConnectOptions {
        js_domain: Some(domain.to_owned()),
        ..ConnectOptions::to(&server.url())
    };
    let conn = Connection::connect(of_domain("site"), LONG).await.unwrap();
    conn.check_jetstream(LONG).await.unwrap();
    let store = open(&conn, 'A').await;
    store.put_config(&name("web"), &values("1")).await.unwrap();
    store.put_config(&name("web"), &values("2")).await.unwrap();
    let second = open(&conn, 'B').await;
    assert_eq!(second.snapshot().config(&name("web")), Some(values("2")));
    assert!(second.delete_config(&name("web")).await.unwrap());
    assert!(store.wait_current(LONG).await);
    assert_eq!(store.snapshot().config(&name("web")), None);

    let elsewhere = Connection::connect(of_domain("elsewhere"), LONG).await.unwrap();
    let error = elsewhere.check_jetstream(LONG).await.unwrap_err();
    assert!(error.to_string().contains("domain \"elsewhere\""), "{error}");
    let error = FactStore::open(&elsewhere, &lattice(), host('A')).await.err().unwrap();
    assert!(matches!(error, StateError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bucket_that_somebody_made_otherwise_will_do() {
    let server = server().await;
    let conn = join(&server).await;
    let config = kv::Config { bucket: "LATTICE_default".into(), history: 5, ..kv::Config::default() };
    conn.jetstream().create_key_value(config).await.unwrap();
    let store = open(&conn, 'A').await;
    store.put_config(&name("web"), &values("1")).await.unwrap();
    assert!(store.delete_config(&name("web")).await.unwrap(), "here the tombstone does not expire");
    assert!(store.wait_current(LONG).await);
}
