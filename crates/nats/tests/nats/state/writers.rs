//! Several writers at once, each on a connection of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use lattice_core::{FactKey, LatticeName};
use lattice_nats::{Connection, FactStore, Facts};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{link, name, values};
use crate::{LONG, host, join, server};

const WRITERS: usize = 4;

/// One change of a writer to a fact of its own.
#[derive(Debug, Clone, Copy)]
struct Change {
    writer: usize,
    fact: u8,
    is_link: bool,
    is_put: bool,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = (0..WRITERS, 0_u8..5, any::<bool>(), prop_oneof![2 => Just(true), 1 => Just(false)])
        .prop_map(|(writer, fact, is_link, is_put)| Change { writer, fact, is_link, is_put });
    proptest::collection::vec(one, 0..80)
}

/// Puts and deletes of several writers at once: what remains is what the last change of each fact says. Each fact has one
/// writer here, so that the right set is known; one more fact is everybody's, and every change of it counts.
#[test]
fn writers_at_once_end_with_exactly_the_right_set() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (server, conns) = runtime.block_on(async {
        let server = server().await;
        let conns = futures::future::join_all((0..WRITERS).map(|_| join(&server))).await;
        (server, conns)
    });
    let round = AtomicU32::new(0);
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&changes(), |changes| {
            let round = round.fetch_add(1, Ordering::Relaxed);
            runtime.block_on(check(&conns, round, &changes));
            Ok(())
        })
        .unwrap();
    drop(conns);
    runtime.block_on(async { drop(server) });
}

async fn check(conns: &[Connection], round: u32, changes: &[Change]) {
    let lattice = LatticeName::new(format!("round{round}")).unwrap();
    let mut stores = Vec::new();
    for (conn, letter) in conns.iter().zip('A'..) {
        stores.push(Arc::new(FactStore::open(conn, &lattice, host(letter)).await.unwrap()));
    }
    let mut expected = BTreeMap::new();
    let mut writers = JoinSet::new();
    for (writer, store) in stores.iter().enumerate() {
        let own: Vec<(usize, Change)> =
            changes.iter().copied().enumerate().filter(|(_, change)| change.writer == writer).collect();
        for (number, change) in &own {
            let (key, value) = fact(*number, *change);
            match change.is_put {
                true => drop(expected.insert(key, value)),
                false => drop(expected.remove(&key)),
            }
        }
        writers.spawn(write(Arc::clone(store), own, writer));
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let shared = FactKey::Config(name("everybody"));
    for store in &stores {
        assert!(store.wait_current(LONG).await);
        let facts = store.snapshot();
        assert_eq!(facts.fact(&shared).map_or(0, |fact| fact.version), u64::try_from(changes.len()).unwrap());
        assert_eq!(set(&facts, &shared), expected);
        store.close().await;
    }
}

/// What a change puts or deletes.
fn fact(number: usize, change: Change) -> (FactKey, Value) {
    let text = format!("w{}-{}", change.writer, change.fact);
    if change.is_link {
        let link = link(&text, "kv");
        (FactKey::Link(link.key().unwrap()), serde_json::to_value(link).unwrap())
    } else {
        (FactKey::Config(name(text)), serde_json::to_value(values(&number.to_string())).unwrap())
    }
}

async fn write(store: Arc<FactStore>, own: Vec<(usize, Change)>, writer: usize) {
    for (number, change) in own {
        let (key, value) = fact(number, change);
        match change.is_put {
            true => drop(store.put(&key, value).await.unwrap()),
            false => drop(store.delete(&key).await.unwrap()),
        }
        store.put_config(&name("everybody"), &values(&format!("{writer}.{number}"))).await.unwrap();
    }
}

fn set(facts: &Facts, but: &FactKey) -> BTreeMap<FactKey, Value> {
    facts.live().filter(|(key, _)| *key != but).map(|(key, fact)| (key.clone(), fact.data.clone())).collect()
}
