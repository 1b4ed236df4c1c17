//! Events out and in.

use std::time::Duration;

use lattice_core::EventName;
use lattice_nats::{EventError, EventPublisher, EventStream};
use serde_json::json;

use crate::{LONG, host, join, lattice, server};

#[tokio::test]
async fn events_arrive_in_order_with_id_and_time() {
    let server = server().await;
    let (conn, tool) = (join(&server).await, join(&server).await);
    let mut all = EventStream::subscribe(&tool, &lattice(), &[]).await.unwrap();
    let names = [EventName::ConfigDeleted];
    let mut one = EventStream::subscribe(&tool, &lattice(), &names).await.unwrap();
    let publisher = EventPublisher::new(&conn, &lattice(), &host('A'));
    publisher.publish(EventName::ConfigSet, json!({"config_name": "web"}));
    conn.client().publish("wasmbus.evt.default.config_deleted", "no event".into()).await.unwrap();
    publisher.publish(EventName::ConfigDeleted, json!({"config_name": "web"}));
    assert!(publisher.flush(LONG).await);

    let first = all.next().await.unwrap();
    assert_eq!(first.name(), Some(EventName::ConfigSet));
    assert_eq!(first.source, host('A').as_str());
    assert!(first.time.ends_with('Z') && first.id.len() == 36, "{first:?}");
    let deleted = one.wait_for(LONG, |event| Some(event.data["config_name"].clone())).await.unwrap();
    assert_eq!(deleted, "web");
    let nothing = one.wait_for(Duration::from_millis(20), |_| Some(())).await;
    assert!(matches!(nothing, Err(EventError::Timeout { .. })), "{nothing:?}");
    publisher.close(LONG).await;
}

#[tokio::test]
async fn events_of_a_time_without_nats_come_later_as_far_as_the_queue_holds_them() {
    let mut server = server().await;
    let conn = join(&server).await;
    let publisher = EventPublisher::new(&conn, &lattice(), &host('A'));
    // This connection's own subscription is made again before anything is sent.
    let mut events = EventStream::subscribe(&conn, &lattice(), &[]).await.unwrap();
    let mut connected = conn.connected();
    server.stop().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|c| !*c)).await.unwrap().unwrap();
    for i in 0..1000 {
        publisher.publish(EventName::ConfigSet, json!({"config_name": i.to_string()}));
    }
    assert!(!publisher.flush(Duration::from_millis(10)).await);

    server.restart().await.unwrap();
    for i in 0..200 {
        let event = tokio::time::timeout(LONG, events.next()).await.unwrap().unwrap();
        assert_eq!(event.data["config_name"], i.to_string());
    }
    publisher.close(LONG).await;
}
