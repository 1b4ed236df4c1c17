//! People who sign, and may not.

use anyhow::{Context as _, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{CommandRequest, KeyKind, KeyPair, sign_command};
use lattice_control_interface::{DeleteRoleCommand, PutRoleCommand};
use lattice_core::{Grant, Role, UserKey};
use lattice_testkit::until;
use serde_json::json;

use super::commands::refusal;
use crate::{
    attempt::Outcome,
    scene::{SOON, Scene},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Signs one command with `key`, and sends it.
async fn signed(
    scene: &Scene,
    key: &KeyPair,
    operation: &str,
    body: &str,
    code: &str,
) -> anyhow::Result<Outcome> {
    let subject = format!("wasmbus.ctl.v1.default.{operation}");
    let request = CommandRequest { lattice: "default", subject: &subject, body: body.as_bytes() };
    let token = sign_command(&request, key, now_ms())?;
    refusal(scene, operation, Some(&token), body, code).await
}

/// Gives `key` a role, in lattices that know an admin, and waits until both hosts know.
async fn give(scene: &Scene, key: &KeyPair, grant: Grant) -> anyhow::Result<()> {
    if scene.open {
        return Ok(());
    }
    let id = UserKey::new(key.public_key().as_str())?;
    let admin = scene.client.clone();
    admin.put_role(&PutRoleCommand { key: id.clone(), grant }).await?;
    // Any of two hosts may answer; several answers in a row are by both.
    let known = async || {
        for _ in 0..6 {
            let roles = scene.client.get_roles().await.ok()?;
            roles.iter().find(|role| role.key == id && role.counts)?;
        }
        Some(())
    };
    until("the role is known", SOON, known).await.context("the role is not known")
}

async fn take(scene: &Scene, key: &KeyPair) -> anyhow::Result<()> {
    if !scene.open {
        let key = UserKey::new(key.public_key().as_str())?;
        scene.client.delete_role(&DeleteRoleCommand { key }).await?;
    }
    Ok(())
}

fn label(scene: &Scene) -> (String, &'static str) {
    (format!("label.put.{}", scene.host), r#"{"key":"loot","value":"1"}"#)
}

async fn clean(scene: &Scene, outcome: &Outcome) -> anyhow::Result<()> {
    if matches!(outcome, Outcome::Succeeded { .. }) {
        scene.client.delete_label(&scene.host, "loot").await?;
    }
    let labels = scene.client.get_host_inventory(&scene.host).await?.labels;
    ensure!(!labels.0.contains_key("loot"), "the label is there");
    Ok(())
}

/// A key of one's own, to which nobody gave a role.
pub(crate) fn no_role(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (operation, body) = label(scene);
        let outcome = signed(scene, &KeyPair::generate(KeyKind::User), &operation, body, "no-role").await?;
        clean(scene, &outcome).await.map(|()| outcome)
    }
    .boxed_local()
}

/// A viewer's key.
pub(crate) fn viewer_signs(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let key = KeyPair::generate(KeyKind::User);
        give(scene, &key, Grant::of(Role::Viewer)).await?;
        let (operation, body) = label(scene);
        let outcome = signed(scene, &key, &operation, body, "role-too-low").await?;
        take(scene, &key).await?;
        clean(scene, &outcome).await.map(|()| outcome)
    }
    .boxed_local()
}

/// An operator who may command actors of one name alone.
pub(crate) fn out_of_reach(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let key = KeyPair::generate(KeyKind::User);
        let grant = Grant { names: vec!["shop-*".to_owned()], ..Grant::of(Role::Operator) };
        give(scene, &key, grant).await?;
        let operation = format!("component.scale.{}", scene.host);
        let image = scene.signer.folder().join("hello_s.wasm");
        let body =
            |count: u32| json!({"component_id": "loot", "component_ref": image, "count": count}).to_string();
        let outcome = signed(scene, &key, &operation, &body(1), "out-of-reach").await?;
        if matches!(outcome, Outcome::Succeeded { .. }) {
            super::images::stop(scene, "loot").await?;
        }
        take(scene, &key).await?;
        Ok(outcome)
    }
    .boxed_local()
}

/// An operator who makes himself an admin.
pub(crate) fn own_admin(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let key = KeyPair::generate(KeyKind::User);
        give(scene, &key, Grant::of(Role::Operator)).await?;
        let body = json!({"key": key.public_key().as_str(), "role": "admin"}).to_string();
        // Without an admin nobody gives roles.
        let code = if scene.open { "no-admin" } else { "role-too-low" };
        let outcome = signed(scene, &key, "role.put", &body, code).await?;
        take(scene, &key).await?;
        Ok(outcome)
    }
    .boxed_local()
}
