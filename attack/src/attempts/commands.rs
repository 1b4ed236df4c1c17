//! A command of the admin's that somebody has heard: sent again, changed, sent elsewhere, kept for later.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{COMMAND_HEADER, COMMAND_LIFE_MS};
use lattice_control_interface::HostLabel;
use lattice_nats::HeaderMap;
use lattice_testkit::until;
use serde_json::Value;

use super::broker::{Answer, ask};
use crate::{
    attempt::{By, Outcome},
    scene::{Captured, Events, SOON, Scene},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// Where an operator sees what hosts refuse of commands.
pub(crate) const REFUSED: &str = "event control_refused, inventory, host log";

/// Sends these very bytes with the operator's password.
async fn send(scene: &Scene, operation: &str, token: Option<&str>, body: &str) -> anyhow::Result<Answer> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(COMMAND_HEADER, token);
    }
    ask(&scene.people.operator, &format!("wasmbus.ctl.v1.default.{operation}"), headers, body).await
}

/// How many commands both hosts have refused.
async fn counted(scene: &Scene) -> anyhow::Result<u64> {
    let first = scene.client.get_host_inventory(&scene.host).await?.control_refused;
    Ok(first + scene.client.get_host_inventory(&scene.spare.id).await?.control_refused)
}

/// Sends something that has to be refused with `code`, and waits until the host has told of a refusal.
pub(crate) async fn refusal(
    scene: &Scene,
    operation: &str,
    token: Option<&str>,
    body: &str,
    code: &str,
) -> anyhow::Result<Outcome> {
    let mut events = Events::of(&scene.people.auditor).await?;
    let before = counted(scene).await?;
    let answer = send(scene, operation, token, body).await?;
    if answer.is_done() {
        return Ok(Outcome::succeeded(format!("the host does it: {operation}")));
    }
    ensure!(answer.code() == Some(code), "{operation}: {answer:?}");
    // What is of the whole lattice any of the two hosts may have answered.
    // Of a flood the first is told of, which may be another command of the same source.
    let is_of_it = |data: &Value| {
        let is_unsigned = data["source"] == "unsigned";
        data["code"] == code && is_unsigned == token.is_none() && data["count"].as_u64() >= Some(1)
    };
    let event = events.wait("control_refused", is_of_it).await?;
    ensure!(counted(scene).await? > before, "no inventory counts it");
    let source = event["source"].as_str().unwrap_or_default();
    ensure!(!source.is_empty(), "the event names no source: {event}");
    Ok(Outcome::refused(
        By::Host,
        REFUSED,
        format!("{code}; source {source}, {} since the last", event["count"]),
    ))
}

/// Sends a captured command in some way; where it needed no signature, what it does is looked at: the label is back.
async fn replay(
    scene: &Scene,
    captured: &Captured,
    change: impl Fn(&Captured) -> (String, Option<String>, String),
    code: &str,
) -> anyhow::Result<Outcome> {
    scene.client.delete_label(&scene.host, "rack").await?;
    let (operation, token, body) = change(captured);
    let outcome = refusal(scene, &operation, token.as_deref(), &body, code).await?;
    let inventory = scene.client.get_host_inventory(&scene.host).await?;
    let is_back = inventory.labels.0.contains_key("rack");
    match &outcome {
        Outcome::Refused { .. } => ensure!(!is_back, "the answer says no, and the label is there"),
        Outcome::Succeeded { .. } => {
            ensure!(is_back || operation != captured.operation, "nothing came of it")
        }
    }
    let label = HostLabel { key: "rack".to_owned(), value: "7".to_owned() };
    scene.client.put_label(&scene.host, &label).await?;
    Ok(outcome)
}

/// As it was, while it would be good.
pub(crate) fn again(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let as_it_was = |it: &Captured| (it.operation.clone(), it.token.clone(), it.body.clone());
        replay(scene, &scene.capture().await?, as_it_was, "token-replayed").await
    }
    .boxed_local()
}

/// With one byte of the body changed.
pub(crate) fn changed_body(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let change = |it: &Captured| (it.operation.clone(), it.token.clone(), it.body.replace('7', "8"));
        replay(scene, &scene.capture().await?, change, "token-mismatch").await
    }
    .boxed_local()
}

/// With one byte of the signature changed.
pub(crate) fn changed_token(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let forge = |token: &String| {
            let (start, end) = token.split_at(token.len() - 10);
            let first = if end.starts_with('x') { 'y' } else { 'x' };
            format!("{start}{first}{}", &end[1..])
        };
        let change = |it: &Captured| (it.operation.clone(), it.token.as_ref().map(forge), it.body.clone());
        replay(scene, &scene.capture().await?, change, "token-forged").await
    }
    .boxed_local()
}

/// To another host.
pub(crate) fn elsewhere(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let operation = format!("label.put.{}", scene.spare.id);
        let change = |it: &Captured| (operation.clone(), it.token.clone(), it.body.clone());
        replay(scene, &scene.capture().await?, change, "token-mismatch").await
    }
    .boxed_local()
}

/// As another command about the same.
pub(crate) fn another_command(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let operation = format!("label.del.{}", scene.host);
        let Captured { token, body, .. } = scene.capture().await?;
        let outcome = refusal(scene, &operation, token.as_deref(), &body, "token-mismatch").await?;
        let inventory = scene.client.get_host_inventory(&scene.host).await?;
        let is_there = inventory.labels.0.contains_key("rack");
        ensure!(is_there == matches!(outcome, Outcome::Refused { .. }), "the label says otherwise");
        Ok(outcome)
    }
    .boxed_local()
}

/// Waits until a command's time is over, where it has one.
pub(crate) async fn until_over(scene: &Scene, captured: &Captured) {
    if !scene.open {
        let over = Duration::from_millis(COMMAND_LIFE_MS) + Duration::from_secs(2);
        tokio::time::sleep(over.saturating_sub(captured.at.elapsed())).await;
    }
}

/// As it was, when its time is over.
pub(crate) fn later(scene: &mut Scene) -> Attempted<'_> {
    async move {
        until_over(scene, &scene.captured).await;
        let as_it_was = |it: &Captured| (it.operation.clone(), it.token.clone(), it.body.clone());
        replay(scene, &scene.captured, as_it_was, "token-expired").await
    }
    .boxed_local()
}

/// A flood of refusals: told once a second, with the count of all.
pub(crate) fn flood(scene: &mut Scene) -> Attempted<'_> {
    async move {
        const MANY: u64 = 200;
        let mut events = Events::of(&scene.people.auditor).await?;
        let (operation, body) = (format!("label.put.{}", scene.host), r#"{"key":"loot","value":"1"}"#);
        let started = Instant::now();
        for _ in 0..MANY {
            let answer = send(scene, &operation, None, body).await?;
            match answer.code() {
                Some("signature-required") => {}
                _ if answer.is_done() => {
                    scene.client.delete_label(&scene.host, "loot").await?;
                    return Ok(Outcome::succeeded("every one of them is carried out"));
                }
                _ => bail!("{answer:?}"),
            }
        }
        let (mut told, mut counted) = (0_u64, 0_u64);
        while counted < MANY {
            let event = events.wait("control_refused", |data| data["source"] == "unsigned").await?;
            (told, counted) = (told + 1, counted + event["count"].as_u64().unwrap_or_default());
        }
        ensure!(told <= started.elapsed().as_secs() + 2, "{told} events tell of {MANY} refusals");
        Ok(Outcome::refused(By::Host, REFUSED, format!("{told} events tell of {counted} refusals")))
    }
    .boxed_local()
}

/// The operator's NATS password without the key that signs.
pub(crate) fn unsigned(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let outcome = refusal(scene, "config.put.loot", None, r#"{"a":"b"}"#, "signature-required").await?;
        if matches!(outcome, Outcome::Succeeded { .. }) {
            scene.client.delete_config(&"loot".parse()?).await?;
            return Ok(outcome);
        }
        // Each of the others, too.
        let (mut does, undoes) = super::control::everything(&super::control::Aim::of(scene));
        does.extend(undoes);
        for (verb, body) in does {
            let (subject, body) = (super::control::subject(&verb), body.to_string());
            let answer = ask(&scene.people.operator, &subject, HeaderMap::new(), &body).await?;
            ensure!(answer.code() == Some("signature-required"), "{verb:?}: {answer:?}");
        }
        let loot =
            async || scene.client.get_config(&"loot".parse().ok()?).await.ok()?.is_none().then_some(());
        until("no configuration of the thief's is there", SOON, loot).await?;
        Ok(outcome)
    }
    .boxed_local()
}
