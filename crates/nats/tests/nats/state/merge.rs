//! A bucket that is lost while hosts know its facts: they bring it back, all of it, and nothing that was deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use async_nats::jetstream::kv;
use lattice_core::FactKey;
use lattice_nats::{Connection, FactStore, Facts};
use lattice_testkit::NatsServer;
use serde_json::Value;
use tempfile::TempDir;

use super::{bucket, link, name, open, until, values};
use crate::{LONG, host, join, lattice, server};

async fn open_in(conn: &Connection, letter: char, folder: &Path) -> FactStore {
    FactStore::open_in(conn, &lattice(), host(letter), folder).await.unwrap()
}

/// Everything that is known and not deleted.
fn live(facts: &Facts) -> BTreeMap<String, Value> {
    facts.live().map(|(key, fact)| (key.to_string(), fact.data.clone())).collect()
}

/// How a bucket gets lost.
enum Loss {
    /// Somebody deletes the stream.
    Deleted,
    /// The server loses its disk.
    Wiped,
}

impl Loss {
    async fn happen(&self, server: &mut NatsServer, other: &Connection) {
        match self {
            Loss::Deleted => {
                other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
            }
            Loss::Wiped => {
                server.kill();
                server.wipe_store().unwrap();
                server.restart().await.unwrap();
            }
        }
    }
}

/// Two hosts go on while a third is away; then the bucket is lost, and the third comes back with what it knew.
async fn nothing_is_lost_and_nothing_revived(loss: Loss) {
    let mut server = server().await;
    let other = join(&server).await;
    let folders: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let a = open_in(&join(&server).await, 'A', folders[0].path()).await;
    let b = open_in(&join(&server).await, 'B', folders[1].path()).await;
    let away = open_in(&join(&server).await, 'C', folders[2].path()).await;
    for i in 0..40 {
        a.put_config(&name(format!("c{i}")), &values("old")).await.unwrap();
        b.put_link(&link(&format!("l{i}"), "kv")).await.unwrap();
    }
    assert!(away.wait_current(LONG).await);
    assert_eq!(away.snapshot().len(), 80);
    away.close().await;
    drop(away);

    // Whatever of this the third one would bring back is outdated.
    let mut outdated = BTreeSet::new();
    for i in 0..20 {
        assert!(a.wait_current(LONG).await);
        a.delete_config(&name(format!("c{i}"))).await.unwrap();
        b.put_config(&name(format!("c{}", i + 20)), &values("new")).await.unwrap();
        let key = link(&format!("l{i}"), "kv").key().unwrap();
        b.delete_link(&key).await.unwrap();
        a.put_config(&name(format!("more{i}")), &values("1")).await.unwrap();
        outdated.extend([
            format!("config.c{i}"),
            format!("config.c{}", i + 20),
            FactKey::Link(key).to_string(),
        ]);
    }
    assert!(a.wait_current(LONG).await && b.wait_current(LONG).await);
    let expected = live(&a.snapshot());
    assert_eq!(expected.len(), 20 + 20 + 20);

    let connected = [&a, &b];
    loss.happen(&mut server, &other).await;
    let back = open_in(&join(&server).await, 'C', folders[2].path()).await;
    for store in connected.into_iter().chain([&back]) {
        until(store, |facts| live(facts) == expected).await;
    }
    // Who knows nothing of it reads it from the bucket.
    let stranger = open(&join(&server).await, 'D').await;
    until(&stranger, |facts| live(facts) == expected && facts.len() == a.snapshot().len()).await;

    // And none that lost went silently.
    let mut told = BTreeSet::new();
    for store in [&a, &b, &back] {
        let mut overridden = store.overridden().unwrap();
        while let Ok(one) = overridden.try_recv() {
            assert!((one.kept.version, &one.kept.writer) > (one.lost.version, &one.lost.writer));
            told.insert(one.key.to_string());
        }
    }
    assert_eq!(told, outdated);
    for store in [&a, &b, &back, &stranger] {
        store.close().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_deleted_comes_back_whole() {
    nothing_is_lost_and_nothing_revived(Loss::Deleted).await;
}

#[tokio::test]
async fn a_server_that_lost_its_disk_gets_everything_back() {
    nothing_is_lost_and_nothing_revived(Loss::Wiped).await;
}

#[tokio::test]
async fn what_a_stranger_wrote_into_the_new_bucket_stays_and_what_is_older_loses() {
    let server = server().await;
    let (conn, other) = (join(&server).await, join(&server).await);
    let store = open(&conn, 'A').await;
    store.put_config(&name("kept"), &values("old")).await.unwrap();
    store.put_config(&name("kept"), &values("older")).await.unwrap();

    other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
    let second = open(&other, 'B').await;
    assert!(second.snapshot().is_empty());
    second.put_config(&name("new"), &values("1")).await.unwrap();
    second.put_config(&name("kept"), &values("lost")).await.unwrap();
    let began = Instant::now();
    until(&store, |facts| facts.config(&name("new")).is_some()).await;
    until(&second, |facts| facts.config(&name("kept")) == Some(values("older"))).await;
    assert!(began.elapsed() < Duration::from_secs(10), "noticed after {:?}", began.elapsed());
    let lost = store.overridden().unwrap().recv().await.unwrap();
    assert_eq!(lost.key, FactKey::Config(name("kept")));
    assert_eq!((lost.kept.version, lost.lost.version), (2, 1));
    assert_eq!(lost.lost.writer, host('B').as_str());
    // The next change is on top of all.
    assert_eq!(second.put_config(&name("kept"), &values("newer")).await.unwrap().number, 3);
    assert!(store.wait_current(LONG).await);
    assert_eq!(store.snapshot().config(&name("kept")), Some(values("newer")));
}

/// Who has something to write waits for his turn, and looks at the bucket again: what he had lost by the first look is told all the same.
#[tokio::test]
async fn what_loses_is_told_also_by_a_host_that_has_something_to_write() {
    let server = server().await;
    let other = join(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(&join(&server).await, 'A', folder.path()).await;
    store.put_config(&name("kept"), &values("old")).await.unwrap();
    store.put_config(&name("late"), &values("1")).await.unwrap();
    store.close().await;
    drop(store);
    // Meanwhile another host makes the bucket anew, and has a newer version of one of the two, and nothing of the other.
    other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
    let second = open(&other, 'B').await;
    second.put_config(&name("kept"), &values("new")).await.unwrap();
    second.put_config(&name("kept"), &values("newer")).await.unwrap();

    let store = open_in(&join(&server).await, 'A', folder.path()).await;
    until(&second, |facts| facts.config(&name("late")) == Some(values("1"))).await;
    until(&store, |facts| facts.config(&name("kept")) == Some(values("newer"))).await;
    let told = tokio::time::timeout(LONG, store.overridden().unwrap().recv()).await.unwrap().unwrap();
    assert_eq!((told.key, told.kept.version, told.lost.version), (FactKey::Config(name("kept")), 2, 1));
}

/// What this host remembers to be deleted is not acknowledged as deleted before the bucket has it, too.
#[tokio::test]
async fn a_delete_is_acknowledged_when_the_bucket_has_it() {
    let server = server().await;
    let other = join(&server).await;
    let store = open(&join(&server).await, 'A').await;
    store.put_config(&name("gone"), &values("1")).await.unwrap();
    store.delete_config(&name("gone")).await.unwrap();
    let kept = bucket(&other).await;
    // The bucket is set back to before the delete.
    let before = format!(r#"{{"version":1,"writer":"{}","data":{{}}}}"#, host('A'));
    kept.put("config.gone", before.into()).await.unwrap();
    store.delete_config(&name("gone")).await.unwrap();
    let stored = kept.get("config.gone").await.unwrap().unwrap();
    assert!(serde_json::from_slice::<Value>(&stored).unwrap()["deleted"] == true, "{stored:?}");
}

#[tokio::test]
async fn one_host_at_a_time_writes_the_facts_back() {
    const FACTS: u64 = 200;
    let server = server().await;
    let other = join(&server).await;
    let mut stores = Vec::new();
    for letter in 'A'..='D' {
        stores.push(open(&join(&server).await, letter).await);
    }
    let puts = (0..FACTS).map(|i| {
        let store = &stores[0];
        async move { store.put_config(&name(format!("c{i}")), &values("1")).await.unwrap() }
    });
    futures::future::join_all(puts).await;
    for store in &stores {
        assert!(store.wait_current(LONG).await);
    }
    other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
    let whole = || async {
        let stream = other.jetstream().get_stream("KV_LATTICE_default").await.ok()?;
        let state = stream.cached_info().state.clone();
        // The lease is the one key more; it may have expired already.
        (state.subjects_count >= FACTS).then_some(state.last_sequence)
    };
    let last = lattice_testkit::until("the facts are back", LONG, whole).await.unwrap();
    for store in &stores {
        until_current(store).await;
    }
    assert!(last < FACTS + 40, "{last} messages for {FACTS} facts: several hosts wrote them");
}

async fn until_current(store: &FactStore) {
    let current = || async { store.wait_current(Duration::from_millis(500)).await.then_some(()) };
    lattice_testkit::until("the view is current", LONG, current).await.unwrap();
}

/// The bucket is somebody else's, whose keys never expire, and the holder of the lease is dead.
#[tokio::test]
async fn a_lease_whose_holder_died_is_taken_over() {
    let server = server().await;
    let other = join(&server).await;
    let store = open(&join(&server).await, 'A').await;
    store.put_config(&name("kept"), &values("1")).await.unwrap();
    other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
    let config = kv::Config { bucket: "LATTICE_default".to_owned(), ..kv::Config::default() };
    let raw = other.jetstream().create_key_value(config).await.unwrap();
    raw.put("lease.merge", format!(r#"{{"holder":"{}"}}"#, host('Z')).into()).await.unwrap();
    let there = || async { bucket(&other).await.get("config.kept").await.unwrap() };
    let fact = lattice_testkit::until("the fact is written back", LONG, there).await.unwrap();
    assert!(fact.starts_with(br#"{"version":1"#));
    store.close().await;
}

#[tokio::test]
async fn a_bucket_that_is_set_back_gets_what_it_lost() {
    let mut server = server().await;
    let conn = join(&server).await;
    let store = open(&conn, 'A').await;
    store.put_config(&name("early"), &values("1")).await.unwrap();
    server.stop().await.unwrap();
    let backup = server.copy_store().unwrap();
    server.restart().await.unwrap();
    let mut connected = conn.connected();
    tokio::time::timeout(LONG, connected.wait_for(|is| *is)).await.unwrap().unwrap();
    let put = || async { store.put_config(&name("late"), &values("1")).await.ok() };
    lattice_testkit::until("facts can be written again", LONG, put).await.unwrap();
    store.delete_config(&name("early")).await.unwrap();

    server.stop().await.unwrap();
    server.put_store_back(&backup).unwrap();
    server.restart().await.unwrap();
    let reader = join(&server).await;
    let there = || async { bucket(&reader).await.get("config.late").await.unwrap() };
    lattice_testkit::until("what was lost is there again", LONG, there).await.unwrap();
    let stranger = open(&reader, 'B').await;
    assert_eq!(live(&stranger.snapshot()).keys().collect::<Vec<_>>(), ["config.late"]);
}

/// How the host that knows what is lost meets the bucket again.
#[derive(Clone, Copy)]
enum Meets {
    /// It was running all the time.
    Running,
    /// It was stopped before, and remembers.
    Restarted,
}

/// The bucket is restored from an older copy, and others write so much before the host is back that nothing about its size or
/// age tells.
async fn a_bucket_that_is_set_back_and_written_past(meets: Meets) {
    const STRANGERS: &str = "authorization { user: stranger, password: secret }";
    let mut server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let conn = join(&server).await;
    let store = open_in(&conn, 'A', folder.path()).await;
    for early in ["early", "deleted", "changed"] {
        store.put_config(&name(early), &values("1")).await.unwrap();
    }
    server.stop().await.unwrap();
    let backup = server.copy_store().unwrap();
    server.restart().await.unwrap();
    tokio::time::timeout(LONG, conn.connected().wait_for(|is| *is)).await.unwrap().unwrap();
    let put = || async { store.put_config(&name("late"), &values("1")).await.ok() };
    lattice_testkit::until("facts can be written again", LONG, put).await.unwrap();
    store.delete_config(&name("deleted")).await.unwrap();
    store.put_config(&name("changed"), &values("2")).await.unwrap();
    until_current(&store).await;
    let known = live(&store.snapshot());
    let running = match meets {
        Meets::Running => Some(store),
        Meets::Restarted => {
            store.close().await;
            None
        }
    };

    // Nobody but a stranger gets in until the stream is longer than it was.
    server.stop().await.unwrap();
    server.put_store_back(&backup).unwrap();
    server.configure(STRANGERS);
    server.restart().await.unwrap();
    let url = server.url().replace("nats://", "nats://stranger:secret@");
    let stranger = Connection::connect(lattice_nats::ConnectOptions::to(&url), LONG).await.unwrap();
    let other = open(&stranger, 'B').await;
    for i in 0..10 {
        other.put_config(&name(format!("other{i}")), &values("1")).await.unwrap();
    }
    assert_eq!(other.snapshot().config(&name("late")), None, "the copy is older");
    assert_eq!(other.snapshot().config(&name("deleted")), Some(values("1")));
    other.close().await;
    stranger.close().await;
    server.stop().await.unwrap();
    server.configure("");
    server.restart().await.unwrap();

    let began = Instant::now();
    let store = match running {
        Some(store) => store,
        None => open_in(&join(&server).await, 'A', folder.path()).await,
    };
    let reader = join(&server).await;
    let there = || async { bucket(&reader).await.get("config.late").await.ok().flatten() };
    lattice_testkit::until("what was lost is there again", LONG, there).await.unwrap();
    eprintln!("there again after {:?}", began.elapsed());
    let everything: BTreeMap<String, Value> = known
        .into_iter()
        .chain((0..10).map(|i| (format!("config.other{i}"), serde_json::json!({"v": "1"}))))
        .collect();
    until(&store, |facts| live(facts) == everything).await;
    let newcomer = open(&reader, 'C').await;
    until(&newcomer, |facts| live(facts) == everything).await;
    store.close().await;
    newcomer.close().await;
}

#[tokio::test]
async fn a_bucket_set_back_and_written_past_is_noticed_by_a_host_that_was_running() {
    a_bucket_that_is_set_back_and_written_past(Meets::Running).await;
}

#[tokio::test]
async fn a_bucket_set_back_and_written_past_is_noticed_by_a_host_that_was_stopped() {
    a_bucket_that_is_set_back_and_written_past(Meets::Restarted).await;
}
