//! Hearing what is said on the wire, as somebody who may hear everything.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::FutureExt as _;
use lattice_claims::COMMAND_HEADER;
use lattice_control_interface::{Client, HostLabel};
use lattice_core::{CtlSubject, CtlVerb, HostId, LatticeName};
use lattice_nats::{Connection, Message, Subscription};
use serde_json::Value;

use super::{Captured, SOON};

/// A subscription of the auditor's.
pub(crate) struct Ear {
    conn: Connection,
    messages: Subscription,
}

impl Ear {
    /// Listens on these subjects; in force when this returns.
    pub(crate) async fn on(conn: &Connection, subjects: &[String]) -> anyhow::Result<Self> {
        let subjects = subjects.iter().map(|subject| (subject.clone(), None));
        Ok(Self { conn: conn.clone(), messages: conn.subscribe_in_force(subjects, SOON).await? })
    }

    /// All that the server had passed on when this was called.
    pub(crate) async fn heard(&mut self) -> anyhow::Result<Vec<Message>> {
        self.conn.round_trip(SOON).await?;
        let mut heard = Vec::new();
        while let Some(Some(message)) = self.messages.next().now_or_never() {
            heard.push(message);
        }
        Ok(heard)
    }

    /// The next message that is as wanted.
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let waiting = async {
            loop {
                match self.messages.next().await {
                    Some(message) if wanted(&message) => return Some(message),
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        let came = tokio::time::timeout(SOON, waiting).await;
        came.ok().flatten().with_context(|| format!("{what} was not heard within {SOON:?}"))
    }
}

/// The events of the lattice from now on.
pub(crate) struct Events(Ear);

impl Events {
    pub(crate) async fn of(conn: &Connection) -> anyhow::Result<Self> {
        Ok(Self(Ear::on(conn, &["wasmbus.evt.default.>".to_owned()]).await?))
    }

    /// The data of the next event of that name that is as wanted.
    pub(crate) async fn wait(
        &mut self,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let subject = format!("wasmbus.evt.default.{name}");
        let data = |message: &Message| -> Value {
            let event: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            event["data"].clone()
        };
        let is_it = |message: &Message| message.subject.as_str() == subject && wanted(&data(message));
        Ok(data(&self.0.wait(&format!("the event {name}"), is_it).await?))
    }

    /// Whether such an event comes within `time`.
    pub(crate) async fn comes(
        &mut self,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
        time: Duration,
    ) -> bool {
        matches!(tokio::time::timeout(time, self.wait(name, wanted)).await, Ok(Ok(_)))
    }
}

/// Lets the admin set a label, and keeps the command as it went over the wire.
pub(super) async fn capture(
    auditor: &Connection,
    client: &Client,
    host: &HostId,
) -> anyhow::Result<Captured> {
    let verb = CtlVerb::LabelPut(host.clone());
    let subject = CtlSubject { lattice: LatticeName::default(), verb }.to_string();
    let mut ear = Ear::on(auditor, std::slice::from_ref(&subject)).await?;
    client.put_label(host, &HostLabel { key: "rack".to_owned(), value: "7".to_owned() }).await?;
    Captured::of(&ear.wait("the admin's command", |_| true).await?)
}

impl Captured {
    /// A command that was just heard.
    pub(super) fn of(message: &Message) -> anyhow::Result<Self> {
        let token = message.headers.as_ref().and_then(|headers| headers.get(COMMAND_HEADER));
        let operation = message.subject.trim_start_matches("wasmbus.ctl.v1.default.").to_owned();
        let body = String::from_utf8(message.payload.to_vec()).context("a command is text")?;
        Ok(Self { at: Instant::now(), operation, token: token.map(|value| value.as_str().to_owned()), body })
    }
}
