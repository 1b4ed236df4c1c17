use std::collections::BTreeMap;

use lattice_contracts::keyvalue::KeyvalueError;
use lattice_core::{CallError, ErrorCode};
use lattice_testkit::NatsServer;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::rig::{Rig, SOON};

#[tokio::test]
async fn every_operation_does_what_the_contract_says() {
    let server = NatsServer::start().await.unwrap();
    let (one, two) = (Rig::ready(&server, &[]).await, Rig::ready(&server, &[]).await);
    let (store, call) = (&one.store, one.call());
    assert_eq!(store.get(&call, "", "k").await.unwrap(), None);
    assert!(!store.exists(&call, "", "k").await.unwrap());
    store.delete(&call, "", "k").await.unwrap();
    store.set(&call, "", "k", "v".into()).await.unwrap();
    // Another host reads what was written, at once and under either name of the default bucket.
    assert_eq!(two.store.get(&two.call(), "default", "k").await.unwrap().unwrap(), "v");
    assert!(store.exists(&call, "", "k").await.unwrap());
    store.set(&call, "", "empty", "".into()).await.unwrap();
    assert_eq!(store.get(&call, "", "empty").await.unwrap().unwrap(), "");

    let seen = store.get_versioned(&call, "", "k").await.unwrap();
    assert!(two.store.swap(&two.call(), "", "k", seen.revision, "w".into()).await.unwrap());
    assert!(!store.swap(&call, "", "k", seen.revision, "x".into()).await.unwrap());
    assert_eq!(store.get(&call, "", "k").await.unwrap().unwrap(), "w");
    assert!(store.swap(&call, "", "new", 0, "n".into()).await.unwrap());
    assert!(!store.swap(&call, "", "new", 0, "n".into()).await.unwrap());

    two.store.delete(&two.call(), "", "k").await.unwrap();
    assert_eq!(store.get(&call, "", "k").await.unwrap(), None);
    let deleted = store.get_versioned(&call, "", "k").await.unwrap();
    assert!(deleted.value.is_none() && deleted.revision > 0);
    assert!(store.swap(&call, "", "k", deleted.revision, "again".into()).await.unwrap());
    assert_eq!(store.list_keys(&call, "", None).await.unwrap().keys, ["empty", "k", "new"]);
}

#[tokio::test]
async fn keys_are_any_text() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    let (store, call) = (&rig.store, rig.call());
    let mut kept: BTreeMap<String, String> =
        ["", ".", "..", "a.b", "*", ">", "a b", "=", "=3A", "ä/ö:✓", "\0\r\n", "$KV"]
            .iter()
            .map(|key| ((*key).to_owned(), format!("of {key:?}")))
            .collect();
    let mut runner = TestRunner::deterministic();
    for _ in 0..50 {
        let key = any::<String>().new_tree(&mut runner).unwrap().current();
        kept.insert(key.clone(), format!("of {key:?}"));
    }
    kept.insert("k".repeat(1024), "long".into());
    for (key, value) in &kept {
        store.set(&call, "", key, value.clone().into()).await.unwrap();
    }
    for (key, value) in &kept {
        assert_eq!(store.get(&call, "", key).await.unwrap().unwrap(), value.as_bytes(), "{key:?}");
    }
    let listed = store.list_keys(&call, "", None).await.unwrap();
    assert_eq!(listed.keys, kept.keys().cloned().collect::<Vec<_>>());
    for key in kept.keys() {
        store.delete(&call, "", key).await.unwrap();
    }
    assert!(store.list_keys(&call, "", None).await.unwrap().keys.is_empty());
    let too_long = store.get(&call, "", &"k".repeat(1025)).await.unwrap_err();
    assert!(matches!(too_long, KeyvalueError::TooLarge { what: "key", size: 1025, max: 1024 }));
}

#[tokio::test]
async fn keys_come_in_order_by_pages() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    let (store, call) = (&rig.store, rig.call());
    let keys: Vec<String> = (0..1500).map(|i| format!("key {i:04}")).collect();
    let writes = keys.iter().rev().map(|key| store.set(&call, "", key, "v".into()));
    futures::future::try_join_all(writes).await.unwrap();
    let first = store.list_keys(&call, "", None).await.unwrap();
    let second = store.list_keys(&call, "", first.cursor).await.unwrap();
    assert_eq!((first.keys.len(), second.cursor), (1000, None));
    assert_eq!([first.keys, second.keys].concat(), keys);
}

#[tokio::test]
async fn values_are_bounded_by_the_server() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    let (store, call) = (&rig.store, rig.call());
    let max = rig.conn.max_payload() - 512;
    let most = vec![7; max];
    store.set(&call, "", "k", most.clone().into()).await.unwrap();
    assert!(store.get(&call, "", "k").await.unwrap().unwrap() == most);
    let over = store.set(&call, "", "k", vec![7; max + 1].into()).await.unwrap_err();
    assert!(matches!(over, KeyvalueError::TooLarge { what: "value", .. }), "{over}");
    let over = store.swap(&call, "", "k", 1, vec![7; max + 1].into()).await.unwrap_err();
    assert!(matches!(over, KeyvalueError::TooLarge { .. }), "{over}");
}

#[tokio::test]
async fn a_guest_opens_what_its_link_names_and_nothing_else() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[("buckets", "carts, shared=common")]).await;
    rig.link("b", &[("bucket", "common")]).await;
    let (a, b) = (rig.call(), rig.call_of("b", SOON));
    rig.store.set(&a, "shared", "k", "v".into()).await.unwrap();
    assert_eq!(rig.store.get(&b, "", "k").await.unwrap().unwrap(), "v");
    assert_eq!(rig.store.get(&a, "carts", "k").await.unwrap(), None);
    for (call, bucket) in [(&a, ""), (&a, "common"), (&a, "LATTICE_default"), (&b, "carts")] {
        let error = rig.store.open(call, bucket).await.unwrap_err();
        assert!(matches!(error, KeyvalueError::NoSuchStore { .. }), "{bucket}: {error}");
    }
    let stranger = rig.store.open(&rig.call_of("c", SOON), "").await.unwrap_err();
    assert!(matches!(stranger, KeyvalueError::Call(CallError { code: ErrorCode::NoLink, .. })), "{stranger}");
}
