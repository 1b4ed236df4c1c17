//! Every way of not getting a connection, each with its own error; and getting a lost one back.

use std::time::{Duration, Instant};

use lattice_nats::{ConnectError, ConnectOptions, Connection, Credentials, Secret};
use lattice_testkit::{NatsOptions, NatsServer, free_port};

use crate::{LONG, fake, join, server, server_with};

async fn error_of(options: ConnectOptions, deadline: Duration) -> ConnectError {
    Connection::connect(options, deadline).await.unwrap_err()
}

#[tokio::test]
async fn nobody_listens() {
    let url = format!("nats://127.0.0.1:{}", free_port().unwrap());
    let begun = Instant::now();
    let error = error_of(ConnectOptions::to(&url), LONG).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "known at once");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.is_retryable());
    let text = error.to_string();
    assert!(text.contains(&url) && text.contains("refused") && text.contains("`wash up`"), "{text}");
}

#[tokio::test]
async fn something_else_listens() {
    let (url, _tasks) = fake::greeting("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = error_of(ConnectOptions::to(&url), LONG).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");

    let (url, _tasks) = fake::greeting("").await;
    let error = error_of(ConnectOptions::to(&url), Duration::from_millis(200)).await;
    assert!(matches!(error, ConnectError::Silent { .. }), "{error:?}");
}

#[tokio::test]
async fn an_old_server_is_named_with_its_version() {
    let info = "INFO {\"server_id\":\"X\",\"version\":\"2.9.10\",\"max_payload\":1048576,\"headers\":true,\"proto\":1}\r\n";
    let (url, _tasks) = fake::greeting(info).await;
    let error = error_of(ConnectOptions::to(&url), LONG).await;
    assert!(matches!(&error, ConnectError::TooOld { found, .. } if found == "2.9.10"), "{error:?}");
    assert!(error.to_string().contains("2.11"), "{error}");
}

#[tokio::test]
async fn wrong_and_right_credentials() {
    let server = server_with("authorization { user: anna, password: s3cret }").await;
    let mut options = ConnectOptions::to(&server.url());
    let error = error_of(options.clone(), LONG).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    options.credentials = Credentials::UserPassword { user: "anna".into(), password: Secret::new("wrong") };
    let error = error_of(options.clone(), LONG).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(!error.to_string().contains("wrong") && !error.is_retryable(), "{error}");
    options.credentials = Credentials::UserPassword { user: "anna".into(), password: Secret::new("s3cret") };
    Connection::connect(options, LONG).await.unwrap().close().await;
}

#[tokio::test]
async fn options_that_make_no_sense() {
    let missing = ConnectOptions {
        credentials: Credentials::CredsFile("/nonexistent.creds".into()),
        ..ConnectOptions::default()
    };
    let nowhere = ConnectOptions { servers: Vec::new(), ..ConnectOptions::default() };
    let mut no_ca = ConnectOptions::default();
    no_ca.tls.ca_file = Some("/nonexistent.pem".into());
    for options in [missing, nowhere, no_ca, ConnectOptions::to("nats://[::bad")] {
        let error = error_of(options, LONG).await;
        assert!(matches!(error, ConnectError::Options { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn jetstream_is_there_or_is_missed() {
    let with = server().await;
    let conn = join(&with).await;
    conn.check_jetstream(LONG).await.unwrap();
    assert!(conn.server_version().starts_with("2."), "{}", conn.server_version());
    assert_eq!(conn.max_payload(), 1024 * 1024);

    let options = NatsOptions { jetstream: false, ..NatsOptions::default() };
    let without = NatsServer::start_with(options).await.unwrap();
    let error = join(&without).await.check_jetstream(LONG).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoJetStream { .. }), "{error:?}");
    assert!(error.to_string().contains("`-js`"), "{error}");
}

#[tokio::test]
async fn a_lost_connection_is_seen_and_comes_back_with_its_subscriptions() {
    let mut server = server().await;
    let conn = join(&server).await;
    let mut subscription = conn.subscribe_in_force([("greet".to_owned(), None)], LONG).await.unwrap();
    let mut connected = conn.connected();
    assert!(*connected.borrow_and_update());

    server.stop().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|c| !*c)).await.unwrap().unwrap();
    let error = conn.request("greet", "late".into(), LONG).await.unwrap_err();
    assert!(matches!(error, lattice_nats::RequestError::Disconnected { .. }), "{error:?}");

    server.restart().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|c| *c)).await.unwrap().unwrap();
    conn.round_trip(LONG).await.unwrap();
    join(&server).await.client().publish("greet", "again".into()).await.unwrap();
    // What was asked while the connection was lost was not sent later.
    let message = tokio::time::timeout(LONG, subscription.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"again");
    conn.close().await;
}
