//! Images that somebody else wrote, signed or changed.

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{KeyKind, KeyPair, SignActor, sign_actor};
use lattice_control_interface::{
    DeleteTrustCommand, PutTrustCommand, ScaleComponentCommand,
    events::{ComponentScaleFailed, EventData as _},
};
use lattice_core::{ActorId, EventName, LatticeName, State};
use lattice_nats::EventStream;

use crate::{
    attempt::{By, Outcome},
    scene::{Scene, WITHIN, now, wasm_of},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

const SEEN: &str = "event component_scale_failed, inventory, wash start";

/// Starts an actor as its operator does; the text of a refusal.
pub(crate) async fn start(scene: &Scene, id: &str, image: &str) -> Result<(), String> {
    let id = ActorId::new(id).map_err(|error| error.to_string())?;
    let command = ScaleComponentCommand::new(id, image, 1);
    let scaled = scene.client.scale_component_and_wait(&scene.host, &command, WITHIN).await;
    scaled.map(drop).map_err(|error| error.to_string())
}

/// Stops an actor, also one that never started.
pub(crate) async fn stop(scene: &Scene, id: &str) -> anyhow::Result<()> {
    let command = ScaleComponentCommand::new(id.parse()?, "", 0);
    scene.client.scale_component(&scene.host, &command).await?;
    let gone = async || {
        let inventory = scene.client.get_host_inventory(&scene.host).await.ok()?;
        inventory.components.iter().all(|actor| actor.id.as_str() != id).then_some(())
    };
    Ok(lattice_testkit::until(&format!("{id} is gone"), WITHIN, gone).await?)
}

/// Starts an image that has to be refused with these words; looked at in answer, event and inventory.
pub(crate) async fn refused(scene: &Scene, image: &str, by: By, words: &str) -> anyhow::Result<Outcome> {
    let names = [EventName::ComponentScaleFailed];
    let mut events = EventStream::subscribe(&scene.people.auditor, &LatticeName::default(), &names).await?;
    let started = start(scene, "loot", image).await;
    let Err(why) = started else {
        stop(scene, "loot").await?;
        return Ok(Outcome::succeeded("it runs"));
    };
    ensure!(why.contains(words), "refused for another reason: {why}");
    let failed = events.wait_for(WITHIN, ComponentScaleFailed::read).await?;
    ensure!(failed.error.contains(words), "the event says {}", failed.error);
    let inventory = scene.client.get_host_inventory(&scene.host).await?;
    let shown = inventory.components.iter().find(|actor| actor.id.as_str() == "loot").context("not shown")?;
    ensure!(matches!(shown.state(), Some(State::Failed(reason)) if reason.contains(words)), "{shown:?}");
    stop(scene, "loot").await?;
    Ok(Outcome::refused(by, SEEN, why))
}

/// The same with the bytes of a file.
async fn refused_bytes(scene: &Scene, bytes: &[u8], words: &str) -> anyhow::Result<Outcome> {
    let file = scene.signer.file("loot.wasm", bytes)?;
    refused(scene, &file.display().to_string(), By::Host, words).await
}

/// Not signed at all.
pub(crate) fn unsigned(scene: &mut Scene) -> Attempted<'_> {
    async move { refused_bytes(scene, &wasm_of("hello")?, "it is not signed").await }.boxed_local()
}

/// Well signed, by somebody whom nobody trusts.
pub(crate) fn by_a_stranger(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let signed = scene.signer.stranger().sign("loot", &wasm_of("hello")?)?;
        refused_bytes(scene, &signed, "is not trusted here").await
    }
    .boxed_local()
}

/// Well signed, by a key that counted until a moment ago.
pub(crate) fn by_a_revoked_key(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let friend = scene.signer.stranger();
        let signed = friend.sign("loot", &wasm_of("hello")?)?;
        let file = friend.file("friend.wasm", &signed)?.display().to_string();
        let key = friend.account().parse::<lattice_core::AccountKey>()?;
        scene.client.put_trust(&PutTrustCommand { key: key.clone(), account: None }).await?;
        // Any of the hosts may have written it; the one that starts asks the lattice first.
        if let Err(why) = start(scene, "friend", &file).await {
            bail!("while it counts: {why}");
        }
        stop(scene, "friend").await?;
        scene.client.delete_trust(&DeleteTrustCommand { key, forget: false }).await?;
        refused(scene, &file, By::Host, "was revoked in this lattice").await
    }
    .boxed_local()
}

/// Signed, and then one byte of it changed.
pub(crate) fn changed_byte(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mut signed = scene.signer.sign("loot", &wasm_of("hello")?)?;
        let middle = signed.len() / 2;
        signed[middle] ^= 1;
        refused_bytes(scene, &signed, "changed after it was signed").await
    }
    .boxed_local()
}

/// The length of what follows, as WebAssembly writes it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section with this id.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb128(content.len()).as_slice(), content].concat()
}

/// The claims section that stands at the end of a signed file.
fn claims_of(signed: &[u8]) -> anyhow::Result<&[u8]> {
    let name = b"\x0dwasmcloud_jwt";
    let at = signed.windows(name.len()).rposition(|window| window == name).context("it is not signed")?;
    Ok(&signed[at..])
}

/// A stranger's image with a stranger's signature, and a good one copied from elsewhere beside it.
pub(crate) fn two_signatures(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let good = scene.signer.sign("hello", &wasm_of("hello")?)?;
        let mut loot = scene.signer.stranger().sign("loot", &wasm_of("echo")?)?;
        loot.extend(section(0, claims_of(&good)?));
        refused_bytes(scene, &loot, "holds 2 signatures").await
    }
    .boxed_local()
}

/// A good image with a second module put inside, and once more with one behind its end.
pub(crate) fn second_module(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let good = scene.signer.sign("hello", &wasm_of("hello")?)?;
        let module = *b"\0asm\x01\0\0\0";
        // Its own signature inside does not help it either.
        let inner = [&module[..], &section(0, claims_of(&good)?)].concat();
        let mut inside = good[..8].to_vec();
        inside.extend(section(1, &inner));
        inside.extend_from_slice(&good[8..]);
        let first = refused_bytes(scene, &inside, "changed after it was signed").await?;
        let behind = [&good[..], &wasm_of("echo")?].concat();
        match (refused_bytes(scene, &behind, "the wasm is damaged or cut short at byte").await?, first) {
            (Outcome::Succeeded { what }, _) => Ok(Outcome::succeeded(what)),
            (Outcome::Refused { .. }, first) => Ok(first),
        }
    }
    .boxed_local()
}

/// The signature of one image on another.
pub(crate) fn stolen_signature(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let good = scene.signer.sign("hello", &wasm_of("hello")?)?;
        let token = lattice_claims::extract_token(&good)?.context("it is signed")?;
        let loot = lattice_claims::embed_token(&wasm_of("echo")?, token)?;
        refused_bytes(scene, &loot, "changed after it was signed").await
    }
    .boxed_local()
}

/// Well signed, and its time is over.
pub(crate) fn expired(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let module = KeyPair::generate(KeyKind::Module);
        let terms = SignActor { expires: Some(now() - 3600), ..SignActor::default() };
        let key = &scene.signer.key;
        let signed = sign_actor(&wasm_of("hello")?, &terms, key, module.public_key(), now() - 7200)?;
        refused_bytes(scene, &signed, "its signature expired at").await
    }
    .boxed_local()
}
