//! What is packed or kept: registries, provider archives, compiled code.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use flate2::{Compress, Compression, FlushCompress};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{KeyKind, KeyPair, SignProvider, create_provider};
use lattice_control_interface::StartProviderCommand;
use lattice_testkit::Registry;

use super::images::{refused, start, stop};
use crate::{
    attempt::{By, Outcome},
    scene::{Canary, Scene, WITHIN, now, wasm_of},
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

fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, data) in entries {
        let mut header = tar::Header::new_ustar();
        // Past the library's own checks: it would not write such a name.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, *data)?;
    }
    Ok(tar.into_inner()?)
}

/// A provider archive signed by the lattice's own account.
fn archive(signer: &KeyPair, binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    let provider = KeyPair::generate(KeyKind::Provider);
    let terms =
        SignProvider { name: "loot".to_owned(), vendor: "loot".to_owned(), ..SignProvider::default() };
    let binaries = BTreeMap::from([("x86_64-linux".to_owned(), binary.to_vec())]);
    Ok(create_provider(&terms, &binaries, None, signer, provider.public_key(), now())?)
}

/// Looks at an archive with `wash`; what it says if it refuses it.
async fn inspected(scene: &Scene, name: &str, bytes: &[u8]) -> anyhow::Result<Option<String>> {
    let file = scene.signer.file(name, bytes)?.display().to_string();
    let (code, said) = scene.wash(&["claims", "inspect", &file]).await?;
    Ok((code != 0).then_some(said))
}

/// Entries with paths that lead out of the folder, links, devices.
pub(crate) fn path_tricks(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let good = archive(&scene.signer.key, b"#!/bin/sh\n")?;
        ensure!(inspected(scene, "good.par", &good).await?.is_none(), "an honest archive is refused");
        let token = lattice_claims::inspect_provider(&good, &Default::default())?.token;
        let claims = ("claims.jwt", tar::EntryType::Regular, token.as_bytes());
        let target = scene.file("escaped").display().to_string();
        let mut evidence = String::new();
        for (name, kind) in [
            ("../../escaped", tar::EntryType::Regular),
            (target.as_str(), tar::EntryType::Regular),
            ("x86_64-linux.bin/../../escaped", tar::EntryType::Regular),
            ("x86_64-linux.bin", tar::EntryType::Symlink),
            ("x86_64-linux.bin", tar::EntryType::Link),
            ("x86_64-linux.bin", tar::EntryType::Char),
        ] {
            let bad = tar(&[claims, (name, kind, b"loot")])?;
            match inspected(scene, "loot.par", &bad).await? {
                None => return Ok(Outcome::succeeded(format!("{name} ({kind:?}) is taken"))),
                Some(said) => evidence = said,
            }
        }
        ensure!(!scene.file("escaped").exists(), "a file was written outside");
        let line = evidence.lines().find(|line| line.contains("archive")).unwrap_or_default();
        Ok(Outcome::refused(By::Wash, "output of wash", line.trim()))
    }
    .boxed_local()
}

/// More than a gibibyte of nothing in a megabyte of gzip: the same block again and again.
fn bomb() -> anyhow::Result<Vec<u8>> {
    let (mut deflate, block) = (Compress::new(Compression::best(), false), vec![0_u8; 1 << 20]);
    let mut head = tar::Header::new_ustar();
    head.set_path("x86_64-linux.bin")?;
    head.set_size(1 << 33);
    head.set_cksum();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut step = Vec::with_capacity(1 << 16);
    deflate.compress_vec(head.as_bytes(), &mut step, FlushCompress::Full)?;
    out.append(&mut step);
    let mut step = Vec::with_capacity(1 << 16);
    deflate.compress_vec(&block, &mut step, FlushCompress::Full)?;
    for _ in 0..1_100 {
        out.write_all(&step)?;
    }
    Ok(out)
}

/// An archive that unpacks to more than anybody has room for.
pub(crate) fn decompression_bomb(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let bytes = bomb()?;
        let packed = bytes.len();
        match inspected(scene, "bomb.par.gz", &bytes).await? {
            None => Ok(Outcome::succeeded("it is unpacked")),
            Some(said) => {
                ensure!(said.contains("unpacks to more than"), "{packed} bytes: {said}");
                let line = said.lines().find(|line| line.contains("unpacks to more")).unwrap_or_default();
                Ok(Outcome::refused(
                    By::Wash,
                    "output of wash",
                    format!("{} ({packed} bytes packed)", line.trim()),
                ))
            }
        }
    }
    .boxed_local()
}

/// A provider as 2021 started them: any program in an archive, here one of a stranger's, that is run as it is.
pub(crate) fn foreign_provider(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.file("the-foreign-provider-ran");
        let program = format!("#!/bin/sh\ntouch {}\nsleep 60\n", mark.display());
        let bytes = archive(&scene.signer.stranger().key, program.as_bytes())?;
        let file = scene.signer.file("foreign.par", &bytes)?.display().to_string();
        let command = StartProviderCommand::new("loot-provider".parse()?, file);
        let started = scene.client.start_provider_and_wait(&scene.host, &command, WITHIN).await;
        let Err(why) = started else { return Ok(Outcome::succeeded("it runs")) };
        ensure!(!mark.exists(), "it was run before it was refused: {why}");
        // A provider that failed stays in the inventory until it is stopped.
        let _stopped = scene.client.stop_provider(&scene.host, &command.provider_id).await;
        Ok(Outcome::refused(By::Host, "event provider_start_failed, inventory, wash start", why.to_string()))
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
