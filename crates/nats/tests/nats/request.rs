//! Asking and being asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt as _;
use lattice_nats::{ConnectOptions, Connection, Gather, Refused, RequestError, SubscribeError};
use tokio::task::JoinSet;

use crate::{LONG, join, server, server_with};

/// Answers each message on `subject` with `answer`, `copies` times.
async fn answering(conn: &Connection, subject: &str, answer: &'static str, copies: usize) -> JoinSet<()> {
    let mut subscription = conn.subscribe_in_force([(subject.to_owned(), None)], LONG).await.unwrap();
    let client = conn.client().clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(message) = subscription.next().await {
            for _ in 0..copies {
                client.publish(message.reply.clone().unwrap(), answer.into()).await.unwrap();
            }
        }
    });
    tasks
}

#[tokio::test]
async fn one_answer_or_none() {
    let server = server().await;
    let (host, tool) = (join(&server).await, join(&server).await);
    let _host = answering(&host, "greet", "hello", 1).await;
    assert_eq!(tool.request("greet", Bytes::new(), LONG).await.unwrap(), "hello");

    let begun = Instant::now();
    let error = tool.request("nobody", Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::NoResponders { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "known at once");

    let _mute = answering(&host, "mute", "", 0).await;
    let error = tool.request("mute", Bytes::new(), Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, RequestError::Timeout { .. }), "{error:?}");

    let large = Bytes::from(vec![0; tool.max_payload() + 1]);
    let error = tool.request("greet", large, LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { bytes: 1_048_577, max: 1_048_576, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_nothing_behind() {
    let server = server().await;
    let conn = join(&server).await;
    let _mute = answering(&conn, "mute", "", 0).await;
    for _ in 0..20 {
        conn.request("mute", Bytes::new(), Duration::from_millis(5)).await.unwrap_err();
    }
    // A request that is dropped before its time.
    let given_up = conn.request("mute", Bytes::new(), LONG);
    tokio::time::timeout(Duration::from_millis(5), given_up).await.unwrap_err();
    // One that was answered more than once.
    let _chatty = answering(&conn, "chatty", "a", 3).await;
    conn.request("chatty", Bytes::new(), LONG).await.unwrap();
    assert_eq!(conn.waiting_requests(), 0);
}

#[tokio::test]
async fn many_answers_until_enough_quiet_or_the_end_of_the_window() {
    let server = server().await;
    let (a, b, tool) = (join(&server).await, join(&server).await, join(&server).await);
    let _a = answering(&a, "ping", "a", 1).await;
    let _b = answering(&b, "ping", "b", 2).await;
    let all = Gather { window: LONG, quiet: None };

    let begun = Instant::now();
    let mut answers = tool.scatter("ping", Bytes::new(), all, |answers| answers.len() == 3).await.unwrap();
    answers.sort();
    assert_eq!(answers, ["a", "b", "b"]);
    let quiet = Gather { window: LONG, quiet: Some(Duration::from_millis(200)) };
    assert_eq!(tool.scatter("ping", Bytes::new(), quiet, |_| false).await.unwrap().len(), 3);
    assert!(begun.elapsed() < LONG, "neither waits for the whole window");

    let window = Gather { window: Duration::from_millis(200), quiet: None };
    assert_eq!(tool.scatter("ping", Bytes::new(), window, |_| false).await.unwrap().len(), 3);
    let error = tool.scatter("nobody", Bytes::new(), all, |_| false).await.unwrap_err();
    assert!(matches!(error, RequestError::NoResponders { .. }), "{error:?}");
    assert_eq!(tool.waiting_requests(), 0);
}

#[tokio::test]
async fn a_subscription_in_force_is_heard_at_once() {
    let server = server().await;
    let (host, tool) = (join(&server).await, join(&server).await);
    // Flushing alone lost one call in ten here.
    for i in 0..100 {
        let subject = format!("fresh.{i}");
        let _answering = answering(&host, &subject, "here", 1).await;
        assert_eq!(tool.request(&subject, Bytes::new(), LONG).await.unwrap(), "here");
    }
}

const PERMISSIONS: &str = r#"
authorization {
  users: [
    { user: guest, password: guest, permissions: {
        publish: { allow: ["open", "_INBOX.>"] }, subscribe: { allow: ["open", "_INBOX.>"] } } }
  ]
}"#;

#[tokio::test]
async fn what_the_server_refuses_is_denied_at_once() {
    let server = server_with(PERMISSIONS).await;
    let url = server.url().replace("nats://", "nats://guest:guest@");
    let guest = Connection::connect(ConnectOptions::to(&url), LONG).await.unwrap();
    let mut violations = guest.violations();

    let begun = Instant::now();
    let error = guest.request("closed", Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(&error, RequestError::Denied { subject } if subject == "closed"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "not a timeout");
    let violation = violations.recv().await.unwrap();
    assert_eq!((violation.refused, violation.subject.as_str()), (Refused::Publish, "closed"));

    let subjects = [("open".to_owned(), None), ("closed.*".to_owned(), Some("q".to_owned()))];
    let error = guest.subscribe_in_force(subjects, LONG).await.err().unwrap();
    assert!(matches!(&error, SubscribeError::Denied { subject } if subject == "closed.*"), "{error:?}");
    guest.subscribe_in_force([("open".to_owned(), None)], LONG).await.unwrap();
}

/// The refusal comes on another way than what shows a subscription to be in force. Where the processors have much else to do, the
/// second must not be taken for the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_subscription_is_never_taken_for_one_in_force() {
    const LOOKS: usize = 300;
    let server = server_with(PERMISSIONS).await;
    let url = server.url().replace("nats://", "nats://guest:guest@");
    let guest = Connection::connect(ConnectOptions::to(&url), LONG).await.unwrap();
    let (done, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let busy: Vec<_> = (0..8)
        .map(|_| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) && begun.elapsed() < LONG {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    // Several at once, those that are allowed among them: none gets the other's answer.
    let looks = (0..LOOKS).map(|look| {
        let guest = &guest;
        async move {
            let subject = if look % 3 == 0 { "open".to_owned() } else { format!("closed.{look}") };
            let refused = guest.subscribe_in_force([(subject.clone(), None)], LONG).await.err();
            let expected = (look % 3 != 0).then_some(SubscribeError::Denied { subject });
            (refused != expected).then_some((refused, expected))
        }
    });
    let wrong: Vec<_> =
        futures::stream::iter(looks).buffer_unordered(4).filter_map(std::future::ready).collect().await;
    done.store(true, Ordering::Relaxed);
    for thread in busy {
        thread.join().unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
