//! Writers in processes of their own: this test binary, started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use lattice_core::FactKey;
use lattice_nats::{ConnectOptions, Connection, FactStore};
use lattice_testkit::{Launch, NatsServer, Process};

use super::{link, name, open, values};
use crate::{LONG, host, join, lattice, server};

/// What a child is to do: `writer|endless`, URL, letter, folder.
const TASK: &str = "LATTICE_TEST_WRITER";
const PROCESSES: usize = 4;
const FACTS: usize = 12;
const ROUNDS: usize = 5;

/// Starts this test binary as a writer.
fn child(task: &str, server: &NatsServer, letter: char, folder: &Path) -> Process {
    let task = format!("{task} {} {letter} {}", server.url(), folder.display());
    let launch = Launch::program(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1", "state::processes::writer"])
        .env(TASK, task);
    Process::spawn(launch).unwrap()
}

/// Not a test: what the processes of the tests below do.
#[tokio::test]
#[ignore = "a part of other tests, which start it in a process of its own"]
async fn writer() {
    let Ok(task) = std::env::var(TASK) else { return };
    let [task, url, letter, folder] = task.split(' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let letter = letter.chars().next().unwrap();
    let conn = Connection::connect(ConnectOptions::to(url).named("writer"), LONG).await.unwrap();
    let store = FactStore::open_in(&conn, &lattice(), host(letter), Path::new(folder)).await.unwrap();
    match task {
        "writer" => write(&store, letter).await,
        _ => write_without_end(&store).await,
    }
    store.close().await;
}

/// In each round puts everything and deletes a part of it, which is another one in each round.
async fn write(store: &FactStore, letter: char) {
    for round in 0..ROUNDS {
        let facts = (0..FACTS).map(|i| async move {
            let own = name(format!("{letter}{i}"));
            store.put_config(&own, &values(&round.to_string())).await.unwrap();
            let link = link(&format!("{letter}{i}"), "kv");
            store.put_link(&link).await.unwrap();
            if is_deleted(i, round) {
                store.delete_config(&own).await.unwrap();
                store.delete_link(&link.key().unwrap()).await.unwrap();
            }
            let version =
                store.put_config(&name(format!("all{i}")), &values(&format!("{letter}{round}"))).await;
            println!("\nacknowledged all{i} {}", version.unwrap().number);
        });
        futures::future::join_all(facts).await;
    }
}

fn is_deleted(fact: usize, round: usize) -> bool {
    (fact + round).is_multiple_of(3)
}

async fn write_without_end(store: &FactStore) {
    for i in 0.. {
        store.put_config(&name(format!("c{i}")), &values(&i.to_string())).await.unwrap();
        println!("\nacknowledged c{i} 1");
    }
}

/// The facts whose change a child was told to be safe.
fn acknowledged(process: &Process) -> Vec<(String, u64)> {
    let output = process.output();
    let complete = output.rfind('\n').map_or("", |end| &output[..end]);
    let words = complete.lines().filter_map(|line| line.strip_prefix("acknowledged ")?.split_once(' '));
    words.filter_map(|(fact, version)| Some((fact.to_owned(), version.parse().ok()?))).collect()
}

#[tokio::test]
async fn processes_that_write_at_once_end_with_exactly_the_right_set() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let letters: Vec<char> = ('A'..).take(PROCESSES).collect();
    let mut children: Vec<Process> = letters
        .iter()
        .map(|letter| {
            let own = folder.path().join(letter.to_string());
            std::fs::create_dir(&own).unwrap();
            child("writer", &server, *letter, &own)
        })
        .collect();
    let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for child in &mut children {
        let status = child.wait(LONG * 3).await.unwrap();
        assert!(status.success(), "{}", child.output());
        for (fact, version) in acknowledged(child) {
            assert!(versions.entry(fact).or_default().insert(version), "two changes got one version");
        }
    }

    let mut expected = BTreeSet::new();
    for (letter, i) in letters.iter().flat_map(|letter| (0..FACTS).map(move |i| (letter, i))) {
        if !is_deleted(i, ROUNDS - 1) {
            expected.insert(FactKey::Config(name(format!("{letter}{i}"))));
            expected.insert(FactKey::Link(link(&format!("{letter}{i}"), "kv").key().unwrap()));
        }
    }
    expected.extend((0..FACTS).map(|i| FactKey::Config(name(format!("all{i}")))));
    let conn = join(&server).await;
    let stranger = open(&conn, 'Z').await;
    let seen: BTreeSet<FactKey> = stranger.snapshot().live().map(|(key, _)| key.clone()).collect();
    assert_eq!(seen, expected);
    // Every change of what all wrote is on top of another one.
    let all = u64::try_from(PROCESSES * ROUNDS).unwrap();
    assert_eq!(versions.len(), FACTS);
    assert!(versions.values().all(|of_one| *of_one == (1..=all).collect()), "{versions:?}");
    // What each has on its disk is the same.
    for letter in letters {
        let store =
            FactStore::open_in(&conn, &lattice(), host(letter), &folder.path().join(letter.to_string()))
                .await;
        let store = store.unwrap();
        assert!(store.remembered() > 0);
        assert_eq!(store.snapshot(), stranger.snapshot());
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill_of_the_host_and_the_loss_of_the_bucket() {
    let mut server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let mut child = child("endless", &server, 'A', folder.path());
    let enough = || async { (acknowledged(&child).len() >= 25).then_some(()) };
    lattice_testkit::until("some facts are written", LONG, enough).await.unwrap();
    child.kill();
    let acknowledged = acknowledged(&child);
    server.kill();
    server.wipe_store().unwrap();
    server.restart().await.unwrap();
    let conn = join(&server).await;
    let store = FactStore::open_in(&conn, &lattice(), host('A'), folder.path()).await.unwrap();
    let stranger = open(&join(&server).await, 'B').await;
    for facts in [store.snapshot(), stranger.snapshot()] {
        for (fact, _) in &acknowledged {
            assert_eq!(facts.config(&name(fact)), Some(values(&fact[1..])), "{fact} was acknowledged");
        }
    }
    store.close().await;
}
