//! Calls: as somebody else, without a link, and answers in another's name.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{bail, ensure};
use bytes::Bytes;
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_contracts::CallContext;
use lattice_core::{
    BackSubject, CallError, CallTo, EntityId, ErrorCode, Hop, InvocationId, LatticeName, LinkName,
    call_subject,
};
use lattice_nats::{
    Called, Calls, Connection,
    remote::{Function, values},
};
use serde_json::Value;
use tokio::time::Instant;

use super::broker::{Listen, NATS_LOG, Proof, listen, publish};
use crate::{
    attempt::{By, Outcome},
    scene::{Events, SOON, Scene, Seat},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// Tells calls apart: a second one of the same id is taken for the first, sent again.
static NEXT: AtomicU64 = AtomicU64::new(7);

/// A function of somebody's, with parameters for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callee {
    id: &'static str,
    interface: &'static str,
    function: &'static str,
    params: &'static [u8],
    /// What it answers to whoever may ask.
    answers: &'static [u8],
}

/// The actor that adds: 2 and 3, which is some(5).
pub(super) const CALCULATOR: Callee = Callee {
    id: "calculator",
    interface: "demo:calls/math@0.1.0",
    function: "add",
    params: &[2, 3],
    answers: &[1, 5],
};

/// The provider's process that keeps values: asked for `loot` in the bucket without a name, it says ok(none).
pub(super) const VAULT: Callee = Callee {
    id: "vault",
    interface: "wasi:keyvalue/store",
    function: "get",
    params: b"\0\x04loot",
    answers: &[0, 0],
};

impl Callee {
    /// The subject of a call of it in the name of `source`.
    pub(super) fn subject(&self, source: &str, to: &CallTo) -> anyhow::Result<String> {
        let (source, target) = (EntityId::new(source)?, EntityId::new(self.id)?);
        let Self { interface, function, .. } = self;
        Ok(call_subject(&LatticeName::default(), &source, to, &target, interface, function))
    }
}

/// Calls in the name of `source`; the bytes that come back.
pub(super) async fn call(
    calls: &Calls,
    source: &str,
    callee: &Callee,
    to: CallTo,
) -> Result<Bytes, CallError> {
    let Callee { id, interface, function, params, .. } = *callee;
    let hop = || Hop::Actor(id.parse().expect("an id"));
    let context = CallContext {
        id: InvocationId::from_bits(NEXT.fetch_add(1, Ordering::Relaxed).into()),
        source: source.parse().expect("an id"),
        target: id.parse().expect("an id"),
        link: LinkName::default(),
        deadline: Instant::now() + SOON,
        depth: 0,
        trace: None,
    };
    let called =
        Called { interface: interface.to_owned(), function: function.to_owned(), ..Called::default() };
    let request = values::offer(Function { interface, function }, params, hop())?.outbound();
    let reply = calls.call(&context, to, called, request).await?;
    values::results(reply, hop()).await
}

pub(super) async fn calls_of(conn: &Connection, me: &str) -> anyhow::Result<Calls> {
    Ok(Calls::open(conn, &LatticeName::default(), &EntityId::new(me)?).await?)
}

/// Both ways to an actor: to whoever serves it, and to the host by name.
pub(super) fn both_ways(scene: &Scene) -> [CallTo; 2] {
    [CallTo::Anyone, CallTo::Host(scene.host.clone())]
}

/// Calls in the name of `source`, each of these ways.
pub(super) async fn as_source(
    scene: &Scene,
    source: &str,
    callee: &Callee,
    ways: &[CallTo],
    expected: ErrorCode,
) -> anyhow::Result<Outcome> {
    // The same bytes of somebody who may use any source get an answer.
    let auditor = calls_of(&scene.people.auditor, "auditor").await?;
    let calls = calls_of(&scene.provider(), "mole").await?;
    let (mut refused, mut answered) = (Vec::new(), 0);
    for to in ways {
        if source != "mole" {
            let answer = call(&auditor, source, callee, to.clone()).await?;
            ensure!(answer == callee.answers, "it is no call that is answered: {answer:?}");
        }
        match call(&calls, source, callee, to.clone()).await {
            Ok(bytes) => answered += usize::from(bytes == callee.answers),
            Err(error) if error.code == expected => refused.push(error),
            Err(error) => bail!("{error}"),
        }
    }
    if refused.is_empty() && answered == ways.len() {
        return Ok(Outcome::succeeded(format!("it calls {} as {source}", callee.id)));
    }
    ensure!(refused.len() == ways.len(), "{answered} were answered, {} refused", refused.len());
    let why = refused.last().map(CallError::to_string).unwrap_or_default();
    if expected == ErrorCode::Denied {
        let words = ["Violation", &format!("default.{source}."), callee.id];
        return Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&words).await?));
    }
    let no_link = format!("{source} has no link to {}", callee.id);
    ensure!(refused.iter().all(|error| error.reason.contains(&no_link)), "refused for another reason: {why}");
    Ok(Outcome::refused(By::Host, "the answer alone", why))
}

/// In the name of an actor that has a link.
pub(crate) fn as_an_actor(scene: &mut Scene) -> Attempted<'_> {
    async move { as_source(scene, "hello", &CALCULATOR, &both_ways(scene), ErrorCode::Denied).await }
        .boxed_local()
}

/// In the name of `wash`, which needs no link.
pub(crate) fn as_wash(scene: &mut Scene) -> Attempted<'_> {
    async move { as_source(scene, "wash", &CALCULATOR, &both_ways(scene), ErrorCode::Denied).await }
        .boxed_local()
}

/// Where an operator sees what was refused by the lack of a right, or by another rule.
pub(crate) const TOLD: &str = "event call_refused, inventory, host log";

/// In its own name, to an actor with which no link joins it.
pub(crate) fn without_link(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mut events = Events::of(&scene.people.auditor).await?;
        let outcome = as_source(scene, "mole", &CALCULATOR, &both_ways(scene), ErrorCode::NoLink).await?;
        let Outcome::Refused { by, .. } = outcome else { return Ok(outcome) };
        let is_told = |data: &Value| {
            data["source"] == "mole" && data["target"] == CALCULATOR.id && data["code"] == "no-link"
        };
        let told = events.wait("call_refused", is_told).await?;
        let inventory = scene.client.get_host_inventory(&scene.host).await?;
        ensure!(inventory.calls_refused > 0, "the inventory does not count it");
        Ok(Outcome::refused(by, TOLD, told.to_string()))
    }
    .boxed_local()
}

fn back(writer: &str, reader: &str) -> String {
    BackSubject { lattice: "default", writer, reader, connection: 1, call: 2 }.to_string()
}

/// Answers in the name of others: on the subjects of replies, and in inboxes.
pub(crate) fn reply_as_others<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let host = scene.host.as_str();
        let subjects = [
            back("calculator", host),
            back(host, "hello"),
            format!("wasmbus.inbox.default.{host}.x.1"),
            "wasmbus.inbox.default.=user.operator.x.1".to_owned(),
            "_INBOX.x.1".to_owned(),
        ];
        let who = S::connection(scene);
        let outcome = publish(scene, &who, &subjects, "forged", Proof::Sent).await?;
        // What is its own is passed on.
        let own = publish(scene, &who, &[S::own_subject(scene)], "its own", Proof::Sent).await;
        match (scene.open, own) {
            (true, _) | (false, Ok(Outcome::Succeeded { .. })) => Ok(outcome),
            (false, own) => bail!("what is its own is not passed on: {own:?}"),
        }
    }
    .boxed_local()
}

/// Reads what comes back to others.
pub(crate) fn read_replies<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let host = scene.host.as_str();
        let wanted: Vec<Listen> = [
            (format!("wasmbus.back.default.*.{host}.>"), back("calculator", host)),
            ("wasmbus.back.>".to_owned(), back("calculator", "hello")),
            (
                "wasmbus.inbox.default.=user.operator.>".to_owned(),
                "wasmbus.inbox.default.=user.operator.x.1".to_owned(),
            ),
            (format!("wasmbus.inbox.default.{host}.>"), format!("wasmbus.inbox.default.{host}.x.1")),
            ("wasmbus.inbox.>".to_owned(), "wasmbus.inbox.default.=user.vera.x.1".to_owned()),
            ("_INBOX.>".to_owned(), "_INBOX.x.1".to_owned()),
        ]
        .into_iter()
        .map(|(subject, said)| (subject, None, said))
        .collect();
        listen(scene, &S::connection(scene), &wanted).await
    }
    .boxed_local()
}

/// Reads calls of others, or takes them away as one of those who serve.
pub(crate) fn read_calls<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let host = scene.host.as_str();
        let call = "wasmbus.call.default.hello.nobody.x.y".to_owned();
        let served = "wasmbus.call.default.*.nobody.>".to_owned();
        let wanted: Vec<Listen> = vec![
            ("wasmbus.call.default.>".to_owned(), None, call.clone()),
            (served, Some("nobody".to_owned()), call),
            (
                "wasmbus.host.default.>".to_owned(),
                None,
                format!("wasmbus.host.default.hello.{host}.nobody.x.y"),
            ),
        ];
        listen(scene, &S::connection(scene), &wanted).await
    }
    .boxed_local()
}
