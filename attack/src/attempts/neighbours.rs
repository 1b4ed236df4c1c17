//! A provider's process calls that of another provider: straight over NATS, as callers that know no hosts do, and through its host.

use anyhow::{Context as _, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::DeleteLinkCommand;
use lattice_core::{CallTo, ErrorCode, Hop, Link};
use lattice_testkit::until;
use serde_json::Value;

use super::calls::{TOLD, VAULT, as_source, call, calls_of};
use crate::{
    attempt::{By, Outcome},
    scene::{Events, Scene, WITHIN, link},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// Who has a link to the other provider. Nothing of that name runs.
const FRIEND: &str = "friend";

/// Gives `friend` a link to the other provider, and waits until its process answers whoever may call as `friend`.
async fn befriended(scene: &mut Scene) -> anyhow::Result<Link> {
    scene.vault().await?;
    let link = link(FRIEND, "vault", ("wasi", "keyvalue"))?;
    scene.client.put_link(&link).await?;
    let auditor = calls_of(&scene.people.auditor, "auditor").await?;
    let answers = async || call(&auditor, FRIEND, &VAULT, CallTo::Anyone).await.ok();
    until("the other provider answers somebody with a link", WITHIN, answers).await?;
    Ok(link)
}

/// Takes the link away, and waits until the process refuses.
async fn unlink(scene: &Scene, link: &Link) -> anyhow::Result<()> {
    scene.client.delete_link(&DeleteLinkCommand::from(&link.key()?)).await?;
    let auditor = calls_of(&scene.people.auditor, "auditor").await?;
    let refuses = async || {
        let refused = call(&auditor, FRIEND, &VAULT, CallTo::Anyone).await.err()?;
        (refused.code == ErrorCode::NoLink).then_some(())
    };
    Ok(until("the other provider refuses somebody without a link", WITHIN, refuses).await?)
}

/// In its own name, without a link: its process refuses, and the host has nothing to call it by.
pub(crate) fn without_link(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let link = befriended(scene).await?;
        let calls = calls_of(&scene.provider(), "mole").await?;
        let mut events = Events::of(&scene.people.auditor).await?;
        let straight = call(&calls, "mole", &VAULT, CallTo::Anyone).await;
        let by_host = call(&calls, "mole", &VAULT, CallTo::Host(scene.host.clone())).await;
        unlink(scene, &link).await?;
        if straight.is_ok() || by_host.is_ok() {
            return Ok(Outcome::succeeded("it reads what another provider keeps"));
        }
        let past_host = by_host.err().context("it was not answered")?;
        let is_by_host = past_host.hop == Hop::Host(scene.host.clone());
        let words = "vault does not run on this host, or does not serve wasi:keyvalue/store";
        ensure!(is_by_host && past_host.reason.contains(words), "refused for another reason: {past_host}");
        let why = straight.err().context("it was not answered")?;
        let is_by_process = why.hop == Hop::Provider("vault".parse()?) && why.code == ErrorCode::NoLink;
        let is_for_link = why.reason.contains("mole has no link to vault for wasi:keyvalue");
        ensure!(is_by_process && is_for_link && why.not_run, "refused for another reason: {why}");
        // The process tells its host, and the host the lattice.
        let is_told =
            |data: &Value| data["source"] == "mole" && data["target"] == "vault" && data["code"] == "no-link";
        let told = events.wait("call_refused", is_told).await?;
        Ok(Outcome::refused(By::Process, TOLD, told.to_string()))
    }
    .boxed_local()
}

/// In the name of somebody who has a link.
pub(crate) fn as_a_friend(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let link = befriended(scene).await?;
        let outcome = as_source(scene, FRIEND, &VAULT, &[CallTo::Anyone], ErrorCode::Denied).await?;
        unlink(scene, &link).await?;
        Ok(outcome)
    }
    .boxed_local()
}
