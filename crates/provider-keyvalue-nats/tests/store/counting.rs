use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use lattice_contracts::keyvalue::KeyvalueError;
use lattice_testkit::NatsServer;

use crate::rig::Rig;

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

/// A broker that is frozen: who waits is told in time that nobody knows, and nothing is counted twice when it goes on.
#[tokio::test]
async fn counting_survives_a_broker_that_freezes() {
    let mut server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    assert_eq!(rig.store.increment(&rig.call(), "", "n", 1).await.unwrap(), 1);
    server.pause();
    let within = Duration::from_millis(300);
    let waiting = (0..16).map(|_| async { rig.store.increment(&rig.call_of("a", within), "", "n", 1).await });
    // What was on its way while the server froze may still be answered.
    let mut told = 1;
    for answer in join_all(waiting).await {
        match answer {
            Ok(_) => told += 1,
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("may have been counted") || error.contains("no answer"), "{error}");
            }
        }
    }
    server.resume();
    let sum = rig.store.increment(&rig.call(), "", "n", 1).await.unwrap();
    assert!((told + 1..=18).contains(&sum), "{sum} after {told}");
    let stored = rig.store.get(&rig.call(), "", "n").await.unwrap().unwrap();
    assert_eq!(stored, sum.to_string());
}
