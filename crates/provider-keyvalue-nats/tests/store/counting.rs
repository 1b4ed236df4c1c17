use futures::future::join_all;
use lattice_contracts::keyvalue::KeyvalueError;
use lattice_testkit::NatsServer;
use std::collections::BTreeSet;

use crate::rig::{Rig, SOON};

/// 32 at once on each of three keys, from each of two hosts: every sum is seen once, and none is missing.
#[tokio::test(flavor = "multi_thread")]
async fn increments_are_exact_under_any_concurrency() {
    let server = NatsServer::start().await.unwrap();
    let (one, two) = (Rig::ready(&server, &[]).await, Rig::ready(&server, &[]).await);
    const EACH: i64 = 20;
    let callers = [&one, &two].into_iter().flat_map(|rig| ["x", "y", "z"].map(|key| (rig, key)));
    let callers = callers.flat_map(|caller| std::iter::repeat_n(caller, 32));
    let counted = join_all(callers.map(|(rig, key)| async move {
        let mut seen = Vec::new();
        for _ in 0..EACH {
            seen.push(rig.store.increment(&rig.call(), "", key, 1).await.unwrap());
        }
        assert!(seen.is_sorted(), "a caller saw the counter go back");
        (key, seen)
    }))
    .await;
    for key in ["x", "y", "z"] {
        let of_key = counted.iter().filter(|(counted, _)| *counted == key);
        let sums: Vec<i64> = of_key.flat_map(|(_, sums)| sums.iter().copied()).collect();
        assert_eq!(i64::try_from(sums.len()).unwrap(), 2 * 32 * EACH);
        assert_eq!(BTreeSet::from_iter(sums), (1..=2 * 32 * EACH).collect());
        let stored = one.store.get(&one.call(), "", key).await.unwrap().unwrap();
        assert_eq!(stored, (2 * 32 * EACH).to_string());
    }
}

#[tokio::test]
async fn what_cannot_be_counted_changes_nothing() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    let (store, call) = (&rig.store, rig.call());
    store.set(&call, "", "word", "hello".into()).await.unwrap();
    let error = store.increment(&call, "", "word", 1).await.unwrap_err();
    assert!(matches!(&error, KeyvalueError::NotANumber { key } if key == "word"), "{error}");
    assert_eq!(store.increment(&call, "", "n", i64::MAX).await.unwrap(), i64::MAX);
    let error = store.increment(&call, "", "n", 1).await.unwrap_err();
    assert!(error.to_string().contains("overflows"), "{error}");
    assert_eq!(store.increment(&call, "", "n", -1).await.unwrap(), i64::MAX - 1);
    // Values of others are counted on, whatever the writer here remembers.
    store.set(&call, "", "n", "40".into()).await.unwrap();
    assert_eq!(store.increment(&call, "", "n", 2).await.unwrap(), 42);
    store.delete(&call, "", "n").await.unwrap();
    assert_eq!(store.increment(&call, "", "n", 5).await.unwrap(), 5);
}

/// A broker that is frozen and goes on again: acknowledgements are late, connections are made anew, and nothing that
/// was told as counted is missing or counted twice.
#[tokio::test]
async fn counting_survives_a_broker_that_freezes() {
    let mut server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    assert_eq!(rig.store.increment(&rig.call(), "", "n", 1).await.unwrap(), 1);
    server.pause();
    let increments =
        join_all((0..16).map(|_| async { rig.store.increment(&rig.call_of("a", SOON), "", "n", 1).await }));
    let thaw = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.resume();
    };
    let (counted, ()) = tokio::join!(increments, thaw);
    let told = 1 + i64::try_from(counted.iter().filter(|sum| sum.is_ok()).count()).unwrap();
    let stored = rig.store.get(&rig.call(), "", "n").await.unwrap().unwrap();
    let stored: i64 = std::str::from_utf8(&stored).unwrap().parse().unwrap();
    let unsure = i64::try_from(counted.iter().filter(|sum| sum.is_err()).count()).unwrap();
    assert!((told..=told + unsure).contains(&stored), "{stored} stored, {told} told");
}
