//! A watch that ends, stalls, skips or looks at another bucket is noticed, and made anew, within 4 s.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer;
use futures::TryStreamExt;
use lattice_nats::{Connection, FactStore, StateError};

use super::{link, name, open, until, values};
use crate::{LONG, host, join, lattice, server};

/// How long a watch may be blind.
const BLIND_MAX: Duration = Duration::from_secs(4);
/// What a busy machine may add in a test.
const SLACK: Duration = Duration::from_secs(10);

async fn consumers(conn: &Connection) -> Vec<consumer::Info> {
    let stream = conn.jetstream().get_stream("KV_LATTICE_default").await.unwrap();
    stream.consumers().try_collect().await.unwrap()
}

/// A change elsewhere is seen in time, whatever became of the watch.
async fn sees_a_change(store: &FactStore, writer: &FactStore, text: &str) {
    let began = Instant::now();
    writer.put_config(&name("probe"), &values(text)).await.unwrap();
    until(store, |facts| facts.config(&name("probe")) == Some(values(text))).await;
    assert!(began.elapsed() < BLIND_MAX + SLACK, "seen after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_watch_whose_consumer_is_gone_is_made_anew() {
    let server = server().await;
    let (conn, other) = (join(&server).await, join(&server).await);
    let (store, writer) = (open(&conn, 'A').await, open(&other, 'B').await);
    sees_a_change(&store, &writer, "before").await;
    let stream = other.jetstream().get_stream("KV_LATTICE_default").await.unwrap();
    for consumer in consumers(&other).await {
        stream.delete_consumer(&consumer.name).await.unwrap();
    }
    sees_a_change(&store, &writer, "after").await;
}

#[tokio::test]
async fn a_watch_that_skips_is_made_anew() {
    let server = server().await;
    let (conn, other) = (join(&server).await, join(&server).await);
    let store = open(&conn, 'A').await;
    let forger = other.client();
    let consumers = consumers(&other).await;
    assert_eq!(consumers.len(), 1);
    let deliver = consumers[0].config.deliver_subject.clone().unwrap();
    // As if messages 1 to 6 had been lost on their way: the seventh names its place.
    let place = format!("$JS.ACK.KV_LATTICE_default.{}.1.7.7.1700000000000000000.0", consumers[0].name);
    forger.publish_with_reply(deliver, place, "not a value".into()).await.unwrap();
    forger.flush().await.unwrap();
    let writer = open(&other, 'B').await;
    sees_a_change(&store, &writer, "after").await;
    let link = link("counter", "kv");
    writer.put_link(&link).await.unwrap();
    until(&store, |facts| facts.links().count() == 1).await;
}

#[tokio::test]
async fn a_server_that_froze_or_was_killed_is_followed_again() {
    let mut server = server().await;
    let (conn, other) = (join(&server).await, join(&server).await);
    let (store, writer) = (open(&conn, 'A').await, open(&other, 'B').await);
    server.pause();
    let is_blind = || async { (!store.wait_current(Duration::from_millis(500)).await).then_some(()) };
    lattice_testkit::until("the server is frozen", LONG, is_blind).await.unwrap();
    server.resume();
    written_again(&writer, "after the freeze").await;
    sees_a_change(&store, &writer, "frozen").await;

    server.kill();
    let mut connected = conn.connected();
    tokio::time::timeout(LONG, connected.wait_for(|is| !is)).await.unwrap().unwrap();
    let error = store.put_config(&name("late"), &values("1")).await.unwrap_err();
    assert!(matches!(error, StateError::Unreachable { .. }), "{error:?}");
    server.restart().await.unwrap();
    written_again(&writer, "after the kill").await;
    sees_a_change(&store, &writer, "killed").await;
    assert!(store.snapshot().config(&name("late")).is_none(), "what was refused is not written later");
    store.close().await;
}

async fn written_again(writer: &FactStore, text: &str) {
    let put = || async { writer.put_config(&name("again"), &values(text)).await.ok() };
    lattice_testkit::until("facts can be written again", LONG, put).await.unwrap();
}

#[tokio::test]
async fn who_asks_reads_what_was_just_written_elsewhere_or_waits_half_a_second() {
    let server = server().await;
    let (a, b) = (open(&join(&server).await, 'A').await, open(&join(&server).await, 'B').await);
    for i in 0..100 {
        let (writer, reader) = if i % 2 == 0 { (&a, &b) } else { (&b, &a) };
        writer.put_config(&name("web"), &values(&i.to_string())).await.unwrap();
        assert!(reader.wait_current(Duration::from_millis(500)).await);
        assert_eq!(reader.snapshot().config(&name("web")), Some(values(&i.to_string())));
    }
    // A watch that does not deliver holds nobody up for longer.
    let other = join(&server).await;
    let stream = other.jetstream().get_stream("KV_LATTICE_default").await.unwrap();
    for consumer in consumers(&other).await {
        stream.delete_consumer(&consumer.name).await.unwrap();
    }
    a.put_config(&name("web"), &values("unseen")).await.unwrap();
    let began = Instant::now();
    let is_current = b.wait_current(Duration::from_millis(500)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(is_current, b.snapshot().config(&name("web")) == Some(values("unseen")));
}

#[tokio::test]
async fn a_restarted_host_reads_only_what_changed_since() {
    let server = server().await;
    let (conn, other) = (join(&server).await, join(&server).await);
    let folder = tempfile::tempdir().unwrap();
    let open = || async { FactStore::open_in(&conn, &lattice(), host('A'), folder.path()).await.unwrap() };
    let store = open().await;
    for i in 0..20 {
        store.put_config(&name(format!("c{i}")), &values("1")).await.unwrap();
    }
    assert!(store.wait_current(LONG).await);
    store.close().await;
    let writer = super::open(&other, 'B').await;
    writer.put_config(&name("c3"), &values("2")).await.unwrap();
    writer.delete_config(&name("c4")).await.unwrap();
    writer.close().await;

    let store = open().await;
    assert_eq!(store.remembered(), 20);
    assert!(store.wait_current(LONG).await);
    assert_eq!(store.snapshot().configs().count(), 19);
    assert_eq!(store.snapshot().config(&name("c3")), Some(values("2")));
    let from: Vec<_> = consumers(&other).await.into_iter().map(|info| info.config.deliver_policy).collect();
    let resumed = consumer::DeliverPolicy::ByStartSequence { start_sequence: 21 };
    assert!(from.contains(&resumed), "{from:?}");
    store.close().await;
}
