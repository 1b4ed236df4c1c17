use std::time::Duration;

use lattice_contracts::{Provider, keyvalue::KeyvalueError};
use lattice_core::State;
use lattice_testkit::{NatsOptions, NatsServer};
use tokio::time::{Instant, timeout};

use crate::rig::{Rig, SOON};

#[tokio::test]
async fn links_that_cannot_be_served_say_why() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::on(&server).await;
    for (key, value, says) in [
        ("buket", "a", "did you mean bucket?"),
        ("bucket", "LATTICE_default", "hold the state of lattices"),
        ("create", "false", "it does not exist"),
        ("replicas", "3", "replicas"),
    ] {
        let state = rig.link("a", &[(key, value)]).await;
        assert_eq!(state.word(), "failed", "{key}={value}: {state}");
        assert!(state.to_string().contains(says), "{state}");
        assert_eq!(rig.recorder.0.borrow().whole, Some(state));
    }
    assert_eq!(rig.link("a", &[]).await, State::Ready);
    assert_eq!(rig.recorder.0.borrow().whole, Some(State::Ready));
}

#[tokio::test]
async fn a_bucket_that_comes_later_makes_the_link_ready() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::on(&server).await;
    let config = [("bucket", "later"), ("create", "false")];
    assert_eq!(rig.link("a", &config).await.word(), "failed");
    Rig::ready(&server, &[("bucket", "later")]).await;
    rig.until("a", |state| *state == State::Ready).await;
    rig.store.set(&rig.call(), "", "k", "v".into()).await.unwrap();
}

#[tokio::test]
async fn without_jetstream_the_link_says_so() {
    let options = NatsOptions { jetstream: false, ..NatsOptions::default() };
    let server = NatsServer::start_with(options).await.unwrap();
    let state = Rig::on(&server).await.link("a", &[]).await;
    assert!(state.to_string().contains("has no JetStream"), "{state}");
}

#[tokio::test]
async fn while_nats_is_away_calls_fail_in_time_and_the_link_comes_back() {
    let mut server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    rig.store.set(&rig.call(), "", "k", "v".into()).await.unwrap();
    server.kill();
    let started = Instant::now();
    let within = Duration::from_secs(1);
    let get = rig.store.get(&rig.call_of("a", within), "", "k").await.unwrap_err();
    let add = rig.store.increment(&rig.call_of("a", within), "", "n", 1).await.unwrap_err();
    let list = rig.store.list_keys(&rig.call_of("a", within), "", None).await.unwrap_err();
    for error in [get, add, list] {
        assert!(matches!(error, KeyvalueError::Backend { .. }), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    rig.until("a", |state| state.word() == "failed").await;
    server.restart().await.unwrap();
    rig.until("a", |state| *state == State::Ready).await;
    assert_eq!(rig.store.get(&rig.call(), "", "k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn stopping_ends_every_task() {
    let server = NatsServer::start().await.unwrap();
    let rig = Rig::ready(&server, &[]).await;
    rig.store.increment(&rig.call(), "", "n", 1).await.unwrap();
    rig.provider.stop(Instant::now() + SOON).await;
    assert!(rig.store.get(&rig.call(), "", "n").await.is_err());
    rig.tasks.close();
    timeout(SOON, rig.tasks.wait()).await.expect("a task outlived the provider");
}
