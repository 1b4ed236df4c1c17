//! The snapshot of a store: whole or old, never torn; refused rather than guessed.

use std::{fs, time::Duration};

use lattice_nats::{FactStore, StateError};

use super::{name, values};
use crate::{LONG, host, join, lattice, server};

#[tokio::test]
async fn a_damaged_or_newer_snapshot_is_kept_aside_and_the_bucket_is_read() {
    let server = server().await;
    let conn = join(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.snapshot");
    let open = || async { FactStore::open_in(&conn, &lattice(), host('A'), folder.path()).await.unwrap() };
    let store = open().await;
    store.put_config(&name("web"), &values("1")).await.unwrap();
    store.close().await;
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let newer = String::from_utf8(whole.clone()).unwrap().replacen("facts 1 ", "facts 2 ", 1).into_bytes();
    let cut = whole[..whole.len() - 9].to_vec();
    for (bytes, kept) in [(cut, "corrupt"), (flipped, "corrupt.2"), (newer, "v2")] {
        fs::write(&file, &bytes).unwrap();
        let store = open().await;
        assert_eq!(store.remembered(), 0);
        assert_eq!(store.snapshot().config(&name("web")), Some(values("1")));
        assert_eq!(fs::read(folder.path().join(format!("facts.snapshot.{kept}"))).unwrap(), bytes);
        // It keeps a snapshot again, and that one is used again.
        store.put_config(&name(kept), &values("1")).await.unwrap();
        store.close().await;
        let store = open().await;
        assert!(store.remembered() >= 2);
        store.close().await;
    }
}

#[tokio::test]
async fn a_change_that_is_not_on_the_disk_is_not_acknowledged() {
    let server = server().await;
    let conn = join(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let store = FactStore::open_in(&conn, &lattice(), host('A'), folder.path()).await.unwrap();
    store.put_config(&name("web"), &values("1")).await.unwrap();
    let blocked = folder.path().join("facts.snapshot.new");
    fs::create_dir(&blocked).unwrap();
    let error = store.put_config(&name("web"), &values("2")).await.unwrap_err();
    assert!(matches!(error, StateError::NotKept { .. }) && error.is_retryable(), "{error:?}");
    assert_eq!(store.snapshot().config(&name("web")), Some(values("2")), "the lattice has it");
    fs::remove_dir(&blocked).unwrap();
    // The same again is acknowledged as soon as the disk takes it.
    let again = || async { store.put_config(&name("web"), &values("2")).await.ok() };
    let version = lattice_testkit::until("the disk has it", LONG, again).await.unwrap();
    assert_eq!(version.number, 2);
    store.close().await;
}

#[tokio::test]
async fn without_nats_a_store_opens_on_what_it_remembers() {
    let mut server = server().await;
    let conn = join(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || async { FactStore::open_in(&conn, &lattice(), host('A'), folder.path()).await };
    let store = open().await.unwrap();
    store.put_config(&name("web"), &values("1")).await.unwrap();
    store.close().await;
    drop(store);
    let mut connected = conn.connected();
    server.stop().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|is| !is)).await.unwrap().unwrap();
    let store = open().await.unwrap();
    assert_eq!(store.snapshot().config(&name("web")), Some(values("1")));
    assert!(!store.wait_current(Duration::from_millis(100)).await);
    server.restart().await.unwrap();
    let put = || async { store.put_config(&name("web"), &values("2")).await.ok() };
    let version = lattice_testkit::until("facts can be written again", LONG, put).await.unwrap();
    assert_eq!(version.number, 2);
    assert!(store.wait_current(LONG).await);
    store.close().await;
    // Who remembers nothing has nothing to open on.
    server.stop().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|is| !is)).await.unwrap().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let refused = FactStore::open_in(&conn, &lattice(), host('A'), empty.path()).await.err().unwrap();
    assert!(matches!(refused, StateError::Unreachable { .. }), "{refused:?}");
}
