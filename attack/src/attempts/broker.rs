//! Publishing and subscribing where the table of permissions has no row: the broker refuses it, and nobody hears of it.

use anyhow::{bail, ensure};
use bytes::Bytes;
use lattice_nats::{Connection, HeaderMap, Refused, RequestError, Violation};
use serde_json::Value;
use tokio::{
    sync::broadcast::Receiver,
    time::{Instant, timeout_at},
};

use crate::{
    attempt::{By, Outcome},
    scene::{Ear, SOON, Scene},
};

/// The most refusals that a connection keeps for us at once.
const AT_ONCE: usize = 32;
/// Where an operator sees what the broker refused.
pub(crate) const NATS_LOG: &str = "nats-server log";

/// Whether the auditor may send something on the same subjects, to see that they are heard at all. Where that would do harm, the
/// attempt itself shows that its subjects are real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It may.
    Sent,
    /// It may not.
    Elsewhere,
}

/// Publishes `body` as `who` on each of these subjects. Refused if the broker says so of each, and a listener on them hears none.
pub(crate) async fn publish(
    scene: &Scene,
    who: &Connection,
    subjects: &[String],
    body: &str,
    proof: Proof,
) -> anyhow::Result<Outcome> {
    let mut ear = Ear::on(&scene.people.auditor, subjects).await?;
    let mut denied = 0;
    for some in subjects.chunks(AT_ONCE) {
        let mut violations = who.violations();
        for subject in some {
            who.client().publish(subject.clone(), Bytes::copy_from_slice(body.as_bytes())).await?;
        }
        who.round_trip(SOON).await?;
        denied += denials(scene, Refused::Publish, some, &mut violations).await?;
    }
    let is_ours = |payload: &[u8]| payload == body.as_bytes();
    let heard = ear.heard().await?.iter().filter(|message| is_ours(&message.payload)).count();
    if proof == Proof::Sent {
        for subject in subjects {
            scene.people.auditor.client().publish(subject.clone(), Bytes::from_static(b"proof")).await?;
        }
        let proven = ear.heard().await?.iter().filter(|message| &message.payload[..] == b"proof").count();
        ensure!(proven == subjects.len(), "only {proven} of {} subjects are heard at all", subjects.len());
    }
    judge(scene, subjects, denied, heard).await
}

/// How many of these subjects the broker refuses. What it says comes through another channel than messages do, whose
/// reader may be behind, so in a closed lattice it is waited for.
pub(crate) async fn denials(
    scene: &Scene,
    refused: Refused,
    subjects: &[String],
    violations: &mut Receiver<Violation>,
) -> anyhow::Result<usize> {
    let until = Instant::now() + SOON;
    let mut denied = 0;
    while denied < subjects.len() {
        let said = match scene.open {
            true => violations.try_recv().ok(),
            false => timeout_at(until, violations.recv()).await.ok().and_then(Result::ok),
        };
        let Some(violation) = said else { break };
        // What it says of others is the rest of an earlier attempt.
        denied += usize::from(violation.refused == refused && subjects.contains(&violation.subject));
    }
    Ok(denied)
}

async fn judge(scene: &Scene, subjects: &[String], denied: usize, heard: usize) -> anyhow::Result<Outcome> {
    let (all, last) = (subjects.len(), subjects.last().map_or("", String::as_str));
    if denied == all && heard == 0 {
        return Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", last]).await?));
    }
    match denied == 0 && heard == all {
        true => Ok(Outcome::succeeded(format!("all {all} messages were passed on"))),
        false => bail!("of {all} messages {denied} were refused and {heard} passed on"),
    }
}

/// A subject to listen on, perhaps in a queue group, and one that it covers, on which something is said meanwhile.
pub(crate) type Listen = (String, Option<String>, String);

/// Listens as `who`. Refused if the broker says so of each subject, and nothing of what is said on them arrives.
pub(crate) async fn listen(scene: &Scene, who: &Connection, wanted: &[Listen]) -> anyhow::Result<Outcome> {
    let auditor = &scene.people.auditor;
    let said: Vec<String> = wanted.iter().map(|(.., said)| said.clone()).collect();
    let mut proof = Ear::on(auditor, &said).await?;
    let (mut taps, mut denied) = (Vec::new(), 0);
    for some in wanted.chunks(AT_ONCE) {
        let mut violations = who.violations();
        for (subject, queue, _) in some {
            taps.push(match queue {
                Some(queue) => who.client().queue_subscribe(subject.clone(), queue.clone()).await?,
                None => who.client().subscribe(subject.clone()).await?,
            });
        }
        who.round_trip(SOON).await?;
        let subjects: Vec<String> = some.iter().map(|(subject, ..)| subject.clone()).collect();
        denied += denials(scene, Refused::Subscribe, &subjects, &mut violations).await?;
    }
    for subject in &said {
        auditor.client().publish(subject.clone(), Bytes::from_static(b"a secret")).await?;
    }
    let is_secret = |payload: &[u8]| payload == b"a secret";
    let proven = proof.heard().await?.iter().filter(|message| is_secret(&message.payload)).count();
    ensure!(proven >= said.len(), "only {proven} of {} secrets are heard by who may", said.len());
    who.round_trip(SOON).await?;
    let mut heard = 0;
    for tap in &mut taps {
        use futures::{FutureExt as _, StreamExt as _};
        while let Some(Some(message)) = tap.next().now_or_never() {
            heard += usize::from(is_secret(&message.payload));
        }
    }
    match (denied == wanted.len(), denied, heard) {
        (true, _, 0) => {
            let last = wanted.last().map_or("", |(subject, ..)| subject.as_str());
            Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", last]).await?))
        }
        (_, 0, 1..) => Ok(Outcome::succeeded(format!("{heard} messages of others were read"))),
        _ => bail!("of {} subscriptions {denied} were refused, and {heard} messages arrived", wanted.len()),
    }
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The broker does not let this user ask.
    Denied,
    /// Nobody listens there.
    Nobody,
    /// This was answered.
    Said(Value),
}

impl Answer {
    /// Whether it was carried out.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Answer::Said(answer) if answer["success"] == true)
    }

    /// The code of a refusal because of who asked.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Answer::Said(answer) => answer["code"].as_str(),
            _ => None,
        }
    }
}

/// Asks on a subject, with headers; silence is an error.
pub(crate) async fn ask(
    who: &Connection,
    subject: &str,
    headers: HeaderMap,
    body: &str,
) -> anyhow::Result<Answer> {
    match who.ask(subject, headers, Bytes::copy_from_slice(body.as_bytes()), SOON).await {
        Ok(message) => Ok(Answer::Said(serde_json::from_slice(&message.payload)?)),
        Err(RequestError::Denied { .. }) => Ok(Answer::Denied),
        Err(RequestError::NoResponders { .. }) => Ok(Answer::Nobody),
        Err(error) => Err(error.into()),
    }
}
