//! Calls: as somebody else, without a link, and answers in another's name.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{bail, ensure};
use bytes::Bytes;
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_contracts::CallContext;
use lattice_core::{
    BackSubject, CallError, CallTo, EntityId, ErrorCode, Hop, InvocationId, LatticeName, LinkName,
};
use lattice_nats::{
    Called, Calls, Connection,
    remote::{Function, values},
};
use tokio::time::Instant;

use super::broker::{Listen, NATS_LOG, Proof, listen, publish};
use crate::{
    attempt::{By, Outcome},
    scene::{Events, SOON, Scene},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// Tells calls apart: a second one of the same id is taken for the first, sent again.
static NEXT: AtomicU64 = AtomicU64::new(7);

const INTERFACE: &str = "demo:calls/math@0.1.0";

/// Lets the calculator add 2 and 3 in the name of `source`; the bytes that come back.
pub(super) async fn add(calls: &Calls, source: &str, to: CallTo) -> Result<Bytes, CallError> {
    let hop = || Hop::Actor("calculator".parse().expect("an id"));
    let context = CallContext {
        id: InvocationId::from_bits(NEXT.fetch_add(1, Ordering::Relaxed).into()),
        source: source.parse().expect("an id"),
        target: "calculator".parse().expect("an id"),
        link: LinkName::default(),
        deadline: Instant::now() + SOON,
        depth: 0,
        trace: None,
    };
    let called = Called { interface: INTERFACE.to_owned(), function: "add".to_owned(), ..Called::default() };
    let request =
        values::offer(Function { interface: INTERFACE, function: "add" }, &[2, 3], hop())?.outbound();
    let reply = calls.call(&context, to, called, request).await?;
    values::results(reply, hop()).await
}

pub(super) async fn calls_of(conn: &Connection, me: &str) -> anyhow::Result<Calls> {
    Ok(Calls::open(conn, &LatticeName::default(), &EntityId::new(me)?).await?)
}

/// Calls in the name of `source`, both to whoever serves and to the host by name.
async fn as_source(scene: &Scene, source: &str, expected: ErrorCode) -> anyhow::Result<Outcome> {
    // The same bytes of somebody who may use any source get an answer: some(5).
    let auditor = calls_of(&scene.people.auditor, "auditor").await?;
    let calls = calls_of(&scene.provider(), "mole").await?;
    let (mut refused, mut answered) = (Vec::new(), 0);
    for to in [CallTo::Anyone, CallTo::Host(scene.host.clone())] {
        if source != "mole" {
            ensure!(add(&auditor, source, to.clone()).await? == [1, 5][..], "it is no call that is answered");
        }
        match add(&calls, source, to).await {
            Ok(bytes) => answered += usize::from(bytes == [1, 5][..]),
            Err(error) if error.code == expected => refused.push(error),
            Err(error) => bail!("{error}"),
        }
    }
    match (refused.as_slice(), answered) {
        ([_, last], 0) if expected == ErrorCode::Denied => {
            let words = ["Violation", &format!("default.{source}.")];
            let evidence = scene.nats_log(&words).await?;
            ensure!(!last.to_string().is_empty(), "a refusal says why");
            Ok(Outcome::refused(By::Broker, NATS_LOG, evidence))
        }
        ([_, last], 0) => Ok(Outcome::refused(By::Host, "the answer alone", last.to_string())),
        ([], 2) => Ok(Outcome::succeeded(format!("it calls actors as {source}"))),
        _ => bail!("{answered} were answered, {} refused", refused.len()),
    }
}

/// In the name of an actor that has a link.
pub(crate) fn as_an_actor(scene: &mut Scene) -> Attempted<'_> {
    async move { as_source(scene, "hello", ErrorCode::Denied).await }.boxed_local()
}

/// In the name of `wash`, which needs no link.
pub(crate) fn as_wash(scene: &mut Scene) -> Attempted<'_> {
    async move { as_source(scene, "wash", ErrorCode::Denied).await }.boxed_local()
}

/// In its own name, to an actor with which no link joins it.
pub(crate) fn without_link(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mut events = Events::of(&scene.people.auditor).await?;
        let outcome = as_source(scene, "mole", ErrorCode::NoLink).await?;
        let Outcome::Refused { by, .. } = outcome else { return Ok(outcome) };
        let told = events.wait("call_refused", |data| data["source"] == "mole").await?;
        let inventory = scene.client.get_host_inventory(&scene.host).await?;
        ensure!(inventory.calls_refused > 0, "the inventory does not count it");
        Ok(Outcome::refused(by, "event call_refused, inventory, host log", told.to_string()))
    }
    .boxed_local()
}

fn back(writer: &str, reader: &str) -> String {
    BackSubject { lattice: "default", writer, reader, connection: 1, call: 2 }.to_string()
}

/// Answers in the name of others: on the subjects of replies, and in inboxes.
pub(crate) fn reply_as_others(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let host = scene.host.as_str();
        let subjects = [
            back("calculator", host),
            back(host, "hello"),
            format!("wasmbus.inbox.default.{host}.x.1"),
            "wasmbus.inbox.default.=user.operator.x.1".to_owned(),
            "_INBOX.x.1".to_owned(),
        ];
        let outcome = publish(scene, &scene.provider(), &subjects, "forged", Proof::Sent).await?;
        // What it writes in its own name is passed on.
        let own = publish(scene, &scene.provider(), &[back("mole", host)], "its own", Proof::Sent).await;
        match (scene.open, own) {
            (true, _) | (false, Ok(Outcome::Succeeded { .. })) => Ok(outcome),
            (false, own) => bail!("its own answers are not passed on: {own:?}"),
        }
    }
    .boxed_local()
}

/// Reads what comes back to others.
pub(crate) fn read_replies(scene: &mut Scene) -> Attempted<'_> {
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
        listen(scene, &scene.provider(), &wanted).await
    }
    .boxed_local()
}

/// Reads calls of others, or takes them away as one of those who serve.
pub(crate) fn read_calls(scene: &mut Scene) -> Attempted<'_> {
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
        listen(scene, &scene.provider(), &wanted).await
    }
    .boxed_local()
}
