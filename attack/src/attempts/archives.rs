//! Provider archives that somebody else packed, signed or changed: a host is told to start each, as by its operator.

use std::{fs, path::Path};

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use flate2::{Compress, Compression, FlushCompress};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::inspect_provider;
use lattice_control_interface::{
    DeleteTrustCommand, PutTrustCommand, StartProviderCommand,
    events::{EventData as _, ProviderStartFailed},
};
use lattice_core::{AccountKey, Event, EventName, LatticeName, State};
use lattice_nats::EventStream;
use lattice_testkit::until;
use serde_json::Value;
use tar::EntryType;

use super::sandbox::tell;
use crate::{
    attempt::{By, Outcome},
    scene::{Program, Scene, Signer, Site, WITHIN, files_below, now, target},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

const SEEN: &str = "event provider_start_failed, inventory, wash start";
/// The id under which they are started.
const ID: &str = "loot-provider";

/// A program that leaves a mark where it is run, without any environment, and then waits for its end.
pub(super) fn marking(mark: &Path) -> Vec<u8> {
    format!("#!/bin/sh\n: > '{}'\nexec /bin/cat > /dev/null\n", mark.display()).into_bytes()
}

/// Lets the host start an archive that has to be refused with these words; looked at in answer, event and inventory.
async fn refused(scene: &Scene, image: &str, words: &str) -> anyhow::Result<Outcome> {
    let names = [EventName::ProviderStartFailed];
    let mut events = EventStream::subscribe(&scene.people.auditor, &LatticeName::default(), &names).await?;
    let command = StartProviderCommand::new(ID.parse()?, image);
    let started = scene.client.start_provider_and_wait(&scene.host, &command, WITHIN).await;
    let Err(why) = started else {
        scene.client.stop_provider(&scene.host, &command.provider_id).await?;
        return Ok(Outcome::succeeded("it runs"));
    };
    let why = why.to_string();
    ensure!(why.contains(words), "refused for another reason than {words:?}: {why}");
    let ours =
        |event: &Event| ProviderStartFailed::read(event).filter(|failed| failed.provider_id.as_str() == ID);
    let failed = events.wait_for(WITHIN, ours).await?;
    ensure!(failed.error.contains(words), "the event says {}", failed.error);
    let inventory = scene.client.get_host_inventory(&scene.host).await?;
    let shown =
        inventory.providers.iter().find(|provider| provider.id.as_str() == ID).context("not shown")?;
    ensure!(matches!(shown.state(), Some(State::Failed(reason)) if reason.contains(words)), "{shown:?}");
    // It stays in the inventory until it is stopped.
    scene.client.stop_provider(&scene.host, &command.provider_id).await?;
    Ok(Outcome::refused(By::Host, SEEN, why))
}

/// An archive, and the words with which it has to be refused.
type Bad = (Vec<u8>, String);

/// Each of these is refused by the host, and nothing of them was run. The first is told of.
async fn all_refused(scene: &Scene, mark: &Path, bad: Vec<Bad>) -> anyhow::Result<Outcome> {
    let mut first = None;
    for (bytes, words) in bad {
        let file = scene.signer.file("loot.par", &bytes)?.display().to_string();
        match refused(scene, &file, &words).await? {
            told @ Outcome::Refused { .. } => first = first.or(Some(told)),
            succeeded @ Outcome::Succeeded { .. } => return Ok(succeeded),
        }
        ensure!(!mark.exists(), "it was run, and then refused: {words}");
    }
    first.context("nothing was tried")
}

/// The same archives, looked at with `wash` before anybody starts them.
async fn inspected(scene: &Scene, bad: &[Bad]) -> anyhow::Result<()> {
    for (bytes, words) in bad {
        let file = scene.signer.file("loot.par", bytes)?.display().to_string();
        let (code, said) = scene.wash(&["claims", "inspect", &file, "-o", "json"]).await?;
        let failure: Value = said
            .lines()
            .find_map(|line| serde_json::from_str(line).ok())
            .with_context(|| format!("wash printed no JSON: {said}"))?;
        let told = format!("{} {}", failure["error"], failure["causes"]).replace('\\', "");
        ensure!(code == 1 && told.contains(words.as_str()), "wash refuses it for another reason: {said}");
    }
    Ok(())
}

/// An entry of a tar, as it is written, whatever a library thinks of its name.
type Entry<'a> = (&'a str, EntryType, &'a [u8]);

fn tar(entries: &[Entry<'_>]) -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, data) in entries {
        let mut header = tar::Header::new_ustar();
        // Past the library's own checks: it would not write such a name.
        let room =
            header.as_old_mut().name.get_mut(..name.len()).context("the name is too long for a tar")?;
        room.copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, *data)?;
    }
    Ok(tar.into_inner()?)
}

/// What a good archive is made of: a program of the lattice's own account that leaves a mark, and what is signed of it.
struct Parts {
    program: Vec<u8>,
    claims: String,
    /// What the program is called.
    name: String,
}

impl Parts {
    fn of(signer: &Signer, mark: &Path) -> anyhow::Result<Self> {
        let program = marking(mark);
        let claims = inspect_provider(&signer.pack("loot", &program, None)?, &Default::default())?.token;
        Ok(Self { program, claims, name: format!("{}.bin", target()) })
    }

    fn claims(&self) -> Entry<'_> {
        ("claims.jwt", EntryType::Regular, self.claims.as_bytes())
    }

    fn program(&self) -> Entry<'_> {
        (&self.name, EntryType::Regular, &self.program)
    }
}

/// Put together by the same means, nothing changed, it runs: so it is what is wrong with the others that is refused.
async fn runs(scene: &Scene, parts: &Parts, mark: &Path) -> anyhow::Result<()> {
    let file = scene.signer.file("good.par", &tar(&[parts.claims(), parts.program()])?)?;
    let command = StartProviderCommand::new(ID.parse()?, file.display().to_string());
    scene.client.start_provider(&scene.host, &command).await?;
    until("an honest archive is run", WITHIN, async || mark.exists().then_some(())).await?;
    scene.client.stop_provider(&scene.host, &command.provider_id).await?;
    fs::remove_file(mark).context("its mark cannot be removed")
}

/// Entries with paths that lead out of the folder, links, devices.
pub(crate) fn path_tricks(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("a-trick-ran");
        let parts = Parts::of(&scene.signer, &mark)?;
        runs(scene, &parts, &mark).await?;
        let outside = scene.file("escaped").display().to_string();
        let through = format!("{}/../../escaped", parts.name);
        let mut bad: Vec<Bad> = Vec::new();
        for name in ["../../escaped", &outside, &through] {
            let shown: String = name.chars().take(64).collect();
            let bytes = tar(&[parts.claims(), (name, EntryType::Regular, b"loot"), parts.program()])?;
            bad.push((bytes, format!("the archive holds {shown:?}; allowed are claims.jwt")));
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char] {
            let bytes = tar(&[parts.claims(), (&parts.name, kind, b"loot"), parts.program()])?;
            bad.push((bytes, format!("entry {:?} is a {kind:?}, where a plain file is wanted", parts.name)));
        }
        inspected(scene, &bad).await?;
        let outcome = all_refused(scene, &mark, bad).await?;
        let escaped = files_below(&scene.file("")).into_iter().find(|file| file.ends_with("escaped"));
        Ok(match escaped {
            Some(file) => Outcome::succeeded(format!("{} was written", file.display())),
            None => outcome,
        })
    }
    .boxed_local()
}

/// More than a gibibyte of nothing in a megabyte of gzip: the same block again and again.
fn bomb() -> anyhow::Result<Vec<u8>> {
    let (mut deflate, block) = (Compress::new(Compression::best(), false), vec![0_u8; 1 << 20]);
    let mut head = tar::Header::new_ustar();
    head.set_path(format!("{}.bin", target()))?;
    head.set_size(1 << 33);
    head.set_cksum();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut step = Vec::with_capacity(1 << 16);
    deflate.compress_vec(head.as_bytes(), &mut step, FlushCompress::Full)?;
    out.append(&mut step);
    let mut step = Vec::with_capacity(1 << 16);
    deflate.compress_vec(&block, &mut step, FlushCompress::Full)?;
    for _ in 0..1_100 {
        out.extend_from_slice(&step);
    }
    Ok(out)
}

/// An archive that unpacks to more than anybody has room for, while an actor is served as ever.
pub(crate) fn decompression_bomb(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let bytes = bomb()?;
        let packed = bytes.len();
        let bad = vec![(bytes, "the archive unpacks to more than 1073741824 bytes".to_owned())];
        inspected(scene, &bad).await?;
        let mark = scene.mark("a-bomb-ran");
        let (outcome, hello) = tokio::join!(all_refused(scene, &mark, bad), tell(scene, "hello", "/"));
        ensure!(hello?.0 == 200, "an actor is not served meanwhile");
        Ok(match outcome? {
            Outcome::Refused { by, seen, evidence } => {
                Outcome::refused(by, seen, format!("{evidence} ({packed} bytes packed)"))
            }
            succeeded @ Outcome::Succeeded { .. } => succeeded,
        })
    }
    .boxed_local()
}

/// A provider as 2021 started them: any program in an archive, here one of a stranger's, that is run as it is.
pub(crate) fn foreign_provider(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("the-foreign-provider-ran");
        let bytes = scene.signer.stranger().pack("loot", &marking(&mark), None)?;
        all_refused(scene, &mark, vec![(bytes, "is not trusted here".to_owned())]).await
    }
    .boxed_local()
}

/// Signed, and then one byte of the program changed; a program for another machine, and an interface, that nobody signed.
pub(crate) fn changed(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("a-changed-provider-ran");
        let parts = Parts::of(&scene.signer, &mark)?;
        runs(scene, &parts, &mark).await?;
        let mut other = parts.program.clone();
        // It would leave its mark all the same.
        *other.last_mut().context("the program is not empty")? = b'#';
        let changed = tar(&[parts.claims(), (&parts.name, EntryType::Regular, &other)])?;
        let beside = |name| tar(&[parts.claims(), parts.program(), (name, EntryType::Regular, b"loot")]);
        let bad = vec![
            (changed, format!("{} was changed after it was signed", target())),
            (beside("z80-cpm.bin")?, "z80-cpm is not covered by the signature".to_owned()),
            (beside("world.wasm")?, "world.wasm is not covered by the signature".to_owned()),
        ];
        all_refused(scene, &mark, bad).await
    }
    .boxed_local()
}

/// Two signatures, and two programs of one name: one is good, and readers might disagree on which counts.
pub(crate) fn twice(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("a-second-provider-ran");
        let parts = Parts::of(&scene.signer, &mark)?;
        let foreign = Parts::of(&scene.signer.stranger(), &mark)?;
        let loot = (&*parts.name, EntryType::Regular, &b"loot"[..]);
        let bad = vec![
            (
                tar(&[parts.claims(), foreign.claims(), parts.program()])?,
                "the archive holds claims.jwt twice".to_owned(),
            ),
            (
                tar(&[parts.claims(), parts.program(), loot])?,
                format!("the archive holds {} twice", parts.name),
            ),
        ];
        all_refused(scene, &mark, bad).await
    }
    .boxed_local()
}

/// Its claims with another name in them, and the old signature.
fn rewritten(claims: &str) -> anyhow::Result<String> {
    let parts: Vec<&str> = claims.split('.').collect();
    let [head, body, signature] = parts[..] else { bail!("a token has three parts") };
    let body = String::from_utf8(BASE64URL_NOPAD.decode(body.as_bytes())?)?;
    let other = body.replace("\"loot\"", "\"evil\"");
    ensure!(other != body, "its name is not found in {body}");
    Ok(format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(other.as_bytes())))
}

/// Without a signature, with that of another archive, with one whose time is over, and with claims that were rewritten.
pub(crate) fn badly_signed(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("a-badly-signed-provider-ran");
        let parts = Parts::of(&scene.signer, &mark)?;
        let another = Parts::of(&scene.signer, &scene.file("another"))?;
        let claims = rewritten(&parts.claims)?;
        let rewritten = ("claims.jwt", EntryType::Regular, claims.as_bytes());
        let bad = vec![
            (tar(&[parts.program()])?, "the archive is not signed: it holds no claims.jwt".to_owned()),
            (
                tar(&[another.claims(), parts.program()])?,
                format!("{} was changed after it was signed", target()),
            ),
            (
                scene.signer.pack("loot", &parts.program, Some(now() - 3600))?,
                "its signature expired at".to_owned(),
            ),
            (tar(&[rewritten, parts.program()])?, "the signature is wrong".to_owned()),
        ];
        all_refused(scene, &mark, bad).await
    }
    .boxed_local()
}

/// Well signed, by a key that counted until a moment ago.
pub(crate) fn by_a_revoked_key(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let friend = scene.signer.stranger();
        let key = friend.account().parse::<AccountKey>()?;
        scene.client.put_trust(&PutTrustCommand { key: key.clone(), account: None }).await?;
        let site = Site { signer: &friend, ..scene.site() };
        site.start("turncoat", Program::Honest).await.context("while the key counts")?;
        scene.client.stop_provider(&scene.host, &"turncoat".parse()?).await?;
        scene.client.delete_trust(&DeleteTrustCommand { key, forget: false }).await?;
        let file = friend.folder().join("turncoat.par").display().to_string();
        refused(scene, &file, "was revoked in this lattice").await
    }
    .boxed_local()
}
