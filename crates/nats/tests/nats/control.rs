//! Serving control requests.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt as _;
use lattice_core::{CtlVerb, ctl_prefix};
use lattice_nats::{Connection, ControlCounts, ControlRequest, ControlServer, RespondError};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{LONG, host, join, lattice, server};

fn subject(rest: &str) -> String {
    format!("{}.{rest}", ctl_prefix(&lattice()))
}

async fn ask(conn: &Connection, rest: &str) -> Value {
    let answer = conn.request(&subject(rest), Bytes::from_static(b"{}"), LONG).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

async fn handle(request: ControlRequest) {
    match &request.subject.verb {
        CtlVerb::HostPing => {
            assert!(request.wants_answer());
            request.respond(r#"{"success":true,"message":""}"#).await.unwrap();
        }
        CtlVerb::ConfigGet(name) => {
            let answer = serde_json::json!({"success": true, "message": name.as_str()});
            request.respond(answer.to_string()).await.unwrap();
        }
        CtlVerb::LinkGet => {
            let error = request.respond(vec![b' '; 2 << 20]).await.unwrap_err();
            assert!(matches!(error, RespondError::TooLarge { bytes: 0x20_0000, .. }), "{error:?}");
        }
        CtlVerb::ClaimsGet => panic!("broken on purpose"),
        _ => {}
    }
}

#[tokio::test]
async fn requests_come_typed_and_bad_ones_are_refused() {
    let server = server().await;
    let (conn, tool) = (join(&server).await, join(&server).await);
    let control = ControlServer::serve(&conn, &lattice(), &host('A'), handle).await.unwrap();

    assert_eq!(ask(&tool, "host.ping").await["success"], true);
    assert_eq!(ask(&tool, "config.get.web=2Eport").await["message"], "web.port");
    assert_eq!(ask(&tool, "config.get.a.b").await["message"], "a.b");

    let unknown = ask(&tool, &format!("component.sing.{}", host('A'))).await;
    assert_eq!(unknown["success"], false);
    assert!(unknown["message"].as_str().unwrap().starts_with("unsupported subject"), "{unknown}");

    let large = ask(&tool, "link.get").await;
    assert!(large["message"].as_str().unwrap().contains("max_payload"), "{large}");
    let broken = ask(&tool, "claims.get").await;
    assert!(broken["message"].as_str().unwrap().contains("internal error"), "{broken}");
    assert_eq!(control.counts(), ControlCounts { dropped: 0, panicked: 1, turned_away: 0 });
    // One that broke harms no other; another host's subjects are not ours.
    assert_eq!(ask(&tool, "host.ping").await["success"], true);
    let other = tool.request(&subject(&format!("host.get.{}", host('B'))), Bytes::new(), LONG).await;
    assert!(matches!(other, Err(lattice_nats::RequestError::NoResponders { .. })), "{other:?}");

    control.close(LONG).await;
    conn.round_trip(LONG).await.unwrap();
    let gone = tool.request(&subject("host.ping"), Bytes::new(), LONG).await;
    assert!(matches!(gone, Err(lattice_nats::RequestError::NoResponders { .. })), "{gone:?}");
}

#[tokio::test]
async fn nothing_is_done_or_answered_where_no_answers_are_waited_for() {
    let server = server().await;
    let (conn, tool) = (join(&server).await, join(&server).await);
    let control = ControlServer::serve(&conn, &lattice(), &host('A'), handle).await.unwrap();
    let elsewhere = ["$KV.LATTICE_default.trust.A", "wasmbus.evt.default.x", "wasmbus.inbox.other.anna.1"];
    let subjects = elsewhere.map(|subject| (subject.to_owned(), None));
    let mut heard = tool.subscribe_in_force(subjects, LONG).await.unwrap();
    for reply in elsewhere {
        tool.client().publish_with_reply(subject("host.ping"), reply, Bytes::new()).await.unwrap();
    }
    // Answered after those before it were taken.
    assert_eq!(ask(&tool, "host.ping").await["success"], true);
    conn.round_trip(LONG).await.unwrap();
    tool.round_trip(LONG).await.unwrap();
    assert!(heard.next().now_or_never().is_none(), "an answer that nobody waits for");
    assert_eq!(control.counts().turned_away, 3);
}

#[tokio::test]
async fn more_requests_than_are_served_at_once_are_told_so() {
    let server = server().await;
    let (conn, tool) = (join(&server).await, join(&server).await);
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let handler = move |request: ControlRequest| {
        let gate = Arc::clone(&waiting);
        async move {
            let _open = gate.acquire().await;
            request.respond(r#"{"success":true}"#).await.unwrap();
        }
    };
    let control = ControlServer::serve(&conn, &lattice(), &host('A'), handler).await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..300 {
        let tool = tool.clone();
        asked.spawn(async move { ask(&tool, "host.ping").await["success"] == true });
    }
    // The refusals come while the others still wait.
    for _ in 0..44 {
        assert!(!asked.join_next().await.unwrap().unwrap());
    }
    gate.add_permits(300);
    while let Some(answered) = asked.join_next().await {
        assert!(answered.unwrap());
    }
    control.close(LONG).await;
}

#[tokio::test]
async fn closing_gives_up_what_does_not_end() {
    let server = server().await;
    let conn = join(&server).await;
    let control =
        ControlServer::serve(&conn, &lattice(), &host('A'), |_| std::future::pending()).await.unwrap();
    conn.client().publish(subject("host.ping"), Bytes::new()).await.unwrap();
    conn.round_trip(LONG).await.unwrap();
    tokio::time::timeout(LONG, control.close(Duration::from_millis(10))).await.unwrap();
}
