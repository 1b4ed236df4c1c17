//! The control protocol as other people's tools speak it: plain NATS and JSON, none of our types.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::Stage;

/// How long anything that should happen may take, on a busy machine with a debug build.
const WITHIN: Duration = Duration::from_secs(60);

/// One event as it came.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// The subject.
    pub subject: String,
    /// The whole CloudEvent.
    pub body: Value,
}

impl RawEvent {
    /// The last token of the subject.
    #[must_use]
    pub fn name(&self) -> &str {
        self.subject.rsplit('.').next().unwrap_or_default()
    }

    /// The event's data.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }
}

/// Every event of the lattice since it was made.
pub struct RawEvents {
    messages: Pin<Box<dyn Stream<Item = RawEvent> + Send>>,
    /// All that have come, in order.
    pub all: Vec<RawEvent>,
    next: usize,
}

impl RawEvents {
    /// The next event of that name that is as wanted; those before it count as passed.
    ///
    /// # Panics
    /// If it does not come; with all that did.
    pub async fn wait(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + WITHIN;
        loop {
            while let Some(event) = self.all.get(self.next) {
                self.next += 1;
                if event.name() == name && wanted(event.data()) {
                    return event.data().clone();
                }
            }
            match timeout_at(end, self.messages.next()).await {
                Ok(Some(event)) => self.all.push(event),
                _ => panic!("no such {name} among:\n{}", self.shown()),
            }
        }
    }

    /// A line an event, without heartbeats.
    fn shown(&self) -> String {
        let others = self.all.iter().filter(|event| event.name() != "host_heartbeat");
        others.map(|event| format!("{} {}\n", event.name(), event.data())).collect()
    }

    /// Those of that name so far.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a RawEvent> {
        self.all.iter().filter(move |event| event.name() == name)
    }
}

impl Stage {
    /// Sends `body` to a control subject of the default lattice and gives the envelope that answers.
    ///
    /// # Panics
    /// If nobody answers, or with something else than an envelope.
    pub async fn ask(&self, operation: &str, body: impl Into<Bytes>) -> Value {
        let subject = format!("wasmbus.ctl.v1.default.{operation}");
        let request = self.connection.client().request(subject, body.into());
        let reply = tokio::time::timeout(WITHIN, request).await;
        let reply = reply
            .unwrap_or_else(|_| panic!("{operation}: no answer"))
            .unwrap_or_else(|error| panic!("{operation}: {error}"));
        let envelope: Value = serde_json::from_slice(&reply.payload).expect("the answer is JSON");
        assert!(
            envelope["success"].is_boolean() && envelope["message"].is_string(),
            "{operation}: {envelope}"
        );
        envelope
    }

    /// As [`Stage::ask`], with what must be a refusal; gives its text.
    ///
    /// # Panics
    /// As [`Stage::ask`], and if it is carried out.
    pub async fn refused(&self, operation: &str, body: impl Into<Bytes>) -> String {
        let envelope = self.ask(operation, body).await;
        assert_eq!(envelope["success"], false, "{operation}: {envelope}");
        assert!(envelope.get("response").is_none(), "{operation}: {envelope}");
        envelope["message"].as_str().unwrap_or_default().to_owned()
    }

    /// As [`Stage::ask`], with what must be carried out; gives its text.
    ///
    /// # Panics
    /// As [`Stage::ask`], and if it is refused.
    pub async fn done(&self, operation: &str, body: impl Into<Bytes>) -> String {
        let envelope = self.ask(operation, body).await;
        assert_eq!(envelope["success"], true, "{operation}: {envelope}");
        envelope["message"].as_str().unwrap_or_default().to_owned()
    }

    /// All envelopes that answer within `window`.
    ///
    /// # Panics
    /// If NATS fails, or an answer is not JSON.
    pub async fn ask_all(&self, operation: &str, body: impl Into<Bytes>, window: Duration) -> Vec<Value> {
        let client = self.connection.client();
        let inbox = client.new_inbox();
        let mut replies = client.subscribe(inbox.clone()).await.expect("an inbox");
        let subject = format!("wasmbus.ctl.v1.default.{operation}");
        client.publish_with_reply(subject, inbox, body.into()).await.expect("NATS takes it");
        let end = Instant::now() + window;
        let mut answers = Vec::new();
        while let Ok(Some(reply)) = timeout_at(end, replies.next()).await {
            // An empty message says that nobody listens.
            if reply.payload.is_empty() {
                break;
            }
            answers.push(serde_json::from_slice(&reply.payload).expect("the answer is JSON"));
        }
        answers
    }

    /// Hears every event from now on.
    ///
    /// # Panics
    /// If NATS fails.
    pub async fn listen(&self) -> RawEvents {
        let client = self.connection.client();
        let messages = client.subscribe("wasmbus.evt.default.>").await.expect("a subscription");
        self.connection.round_trip(WITHIN).await.expect("the subscription is in force");
        let read = |message: &[u8]| serde_json::from_slice(message).expect("an event is JSON");
        let events = messages.map(move |message| RawEvent {
            subject: message.subject.to_string(),
            body: read(&message.payload),
        });
        RawEvents { messages: Box::pin(events), all: Vec::new(), next: 0 }
    }

    /// Counts the calls that cross NATS from now on.
    ///
    /// # Panics
    /// If NATS fails.
    pub async fn calls(&self) -> CallsSeen {
        let client = self.connection.client();
        let mut all = Vec::new();
        for subject in ["wasmbus.host.default.>", "wasmbus.call.default.>"] {
            all.push(client.subscribe(subject).await.expect("a subscription"));
        }
        self.connection.round_trip(WITHIN).await.expect("the subscriptions are in force");
        CallsSeen {
            connection: self.connection.clone(),
            messages: Box::pin(futures::stream::select_all(all).map(drop)),
        }
    }
}

/// Calls that cross NATS, as whoever may hear all of them sees them.
pub struct CallsSeen {
    connection: lattice_nats::Connection,
    messages: Pin<Box<dyn Stream<Item = ()> + Send>>,
}

impl CallsSeen {
    /// How many there were since the last look.
    ///
    /// # Panics
    /// If NATS fails.
    pub async fn seen(&mut self) -> usize {
        // What the server had before this comes back is here.
        self.connection.round_trip(WITHIN).await.expect("a round trip");
        let mut count = 0;
        while let Some(Some(())) = tokio::task::unconstrained(self.messages.next()).now_or_never() {
            count += 1;
        }
        count
    }
}
