//! What others keep for a host: registries, and compiled code.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_testkit::Registry;

use super::images::{refused, start, stop};
use crate::{
    attempt::{By, Outcome},
    scene::{Canary, Scene, wasm_of},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// Pushes a file as its owner does.
async fn push(scene: &Scene, image: &str, file: &Path) -> anyhow::Result<()> {
    let (code, said) = scene.wash(&["reg", "push", image, &file.display().to_string()]).await?;
    ensure!(code == 0, "wash reg push: {said}");
    Ok(())
}

/// Every file below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// A registry whose disk somebody has written to: other bytes under the same digest.
pub(crate) fn other_bytes(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let registry = Registry::start().await?;
        let image = format!("{}/shop/web:1.0.0", registry.address());
        let bytes = scene.signer.sign("web", &wasm_of("hello")?)?;
        push(scene, &image, &scene.signer.file("web.wasm", &bytes)?).await?;
        if let Err(why) = start(scene, "web", &image).await {
            bail!("the honest image does not start: {why}");
        }
        stop(scene, "web").await?;
        // Another image, so that no cache has it: pushed whole, and then falsified on the registry's disk.
        let image = format!("{}/shop/web:1.0.1", registry.address());
        let bytes = scene.signer.sign("web", &wasm_of("hello")?)?;
        push(scene, &image, &scene.signer.file("web.wasm", &bytes)?).await?;
        let is_layer = |path: &PathBuf| fs::read(path).is_ok_and(|stored| stored == bytes);
        let layer = files(registry.store())?.into_iter().find(is_layer).context("the layer is on no disk")?;
        let mut other = scene.signer.sign("web", &wasm_of("hello")?)?;
        other.resize(bytes.len(), 0);
        fs::write(&layer, &other)?;
        refused(scene, &image, By::Fetch, "was promised").await
    }
    .boxed_local()
}

/// The tag moved to an image of the attacker's, well signed by himself.
pub(crate) fn moved_tag(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let registry = Registry::start().await?;
        let image = format!("{}/shop/web:2.0.0", registry.address());
        let honest = scene.signer.sign("web", &wasm_of("hello")?)?;
        push(scene, &image, &scene.signer.file("web.wasm", &honest)?).await?;
        if let Err(why) = start(scene, "web", &image).await {
            bail!("the honest image does not start: {why}");
        }
        stop(scene, "web").await?;
        let loot = scene.signer.stranger().sign("web", &wasm_of("hello")?)?;
        push(scene, &image, &scene.signer.file("loot.wasm", &loot)?).await?;
        refused(scene, &image, By::Host, "is not trusted here").await
    }
    .boxed_local()
}

/// A registry that promises eight bytes and sends more than that.
pub(crate) fn more_than_promised(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest("0"), "size": 2},
            "layers": [{"mediaType": "application/wasm", "digest": digest("1"), "size": 8}],
        });
        // Asked for the layer, it says the same.
        let body = manifest.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\nconnection: close";
        let length = body.len();
        let liar = Canary::answering(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}")).await?;
        let image = format!("127.0.0.1:{}/shop/web:1.0.0", liar.port);
        refused(scene, &image, By::Fetch, "which is the limit").await
    }
    .boxed_local()
}

/// Compiled code that somebody else wrote into the cache: of another actor, and of the same one with a byte changed.
pub(crate) fn poisoned_code(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let folder = scene.file("cache/code");
        let entries = || -> anyhow::Result<Vec<PathBuf>> {
            Ok(files(&folder)?
                .into_iter()
                .filter(|path| path.extension().is_some_and(|end| end == "code"))
                .collect())
        };
        let before = entries()?;
        let image = scene.signer.file("cached.wasm", &scene.signer.sign("cached", &wasm_of("hello")?)?)?;
        let image = image.display().to_string();
        let run = async || start(scene, "cached", &image).await.map_err(anyhow::Error::msg);
        run().await?;
        let own = entries()?.into_iter().find(|path| !before.contains(path)).context("no code was kept")?;
        let whole = fs::read(&own)?;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let other = fs::read(before.first().context("no other code is kept")?)?;
        let mut seen = String::new();
        for (poison, words) in
            [(flipped, "was not written by this host, or was changed since"), (other, "is of another wasm")]
        {
            stop(scene, "cached").await?;
            fs::write(&own, poison)?;
            let refusals = || scene.log().matches("cached code not used").count();
            let known = refusals();
            run().await?;
            if refusals() == known {
                return Ok(Outcome::succeeded("code of somebody else is run"));
            }
            ensure!(fs::read(&own)?.len() == whole.len(), "it was not compiled anew");
            seen = scene.host_log(&["cached code not used", words]).await?;
        }
        stop(scene, "cached").await?;
        Ok(Outcome::refused(By::CodeCache, "host log", seen))
    }
    .boxed_local()
}
