//! From inside a provider's process: what is around it, its token, the processes of others, floods, and what it says to its host.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use futures::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream};
use lattice_claims::nats::{PROVIDER_TOKEN_SECONDS, UserGrant, UserToken};
use lattice_core::{BackSubject, CallTo, ErrorCode, LatticeName, ProviderId, ProviderSubject, ProviderVerb};
use lattice_nats::{ConnectError, Connection, Credentials, HeaderMap, Refused, Secret};
use lattice_provider_sdk::wire::{HostData, Shutdown};
use lattice_testkit::until;
use tokio::time::{Instant, timeout};

use super::{
    broker::{Listen, NATS_LOG, denials, listen},
    calls::{CALCULATOR, TOLD, call, calls_of},
    doors,
    sandbox::tell,
};
use crate::{
    attempt::{By, Outcome},
    scene::{
        Ear, Events, Inside, Program, SHORT_SECONDS, SOON, Scene, WITHIN, connect_bare, files_below, login,
    },
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// How many characters a seed has.
const SEED_CHARS: usize = 58;
/// The largest file in which keys are looked for; those of keys are a few lines.
const KEY_FILE_BYTES_MAX: usize = 64 * 1024;

/// Whatever looks like a seed in a text.
fn seeds_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit()));
    words.filter(|word| word.len() == SEED_CHARS && word.starts_with('S'))
}

/// Every seed that lies in a file of the lattice's: of hosts, users, the account, and of what signs providers.
fn seeds_on_disk(scene: &Scene) -> BTreeSet<String> {
    let folders = [scene.file(""), scene.spare.host.data_dir().to_owned()];
    let files = folders.iter().flat_map(|folder| files_below(folder));
    let texts = files.filter_map(|file| fs::read_to_string(file).ok());
    let small = texts.filter(|text| text.len() <= KEY_FILE_BYTES_MAX);
    small.flat_map(|text| seeds_in(&text).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What a process finds around it: nothing of its host's, and a token that is its own for an hour.
pub(crate) fn surroundings(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let Inside { pid, told, .. } = &scene.mole;
        let read = |what: &str| {
            let bytes =
                fs::read(format!("/proc/{pid}/{what}")).with_context(|| format!("no {what} of {pid}"))?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (environment, arguments) = (read("environ")?, read("cmdline")?);
        ensure!(arguments.contains("/bin/sh"), "{pid} is another process: {arguments}");
        let is_strange =
            |one: &&str| !(one.is_empty() || one.starts_with("RUST_LOG=") || one.starts_with("OTEL_"));
        if let Some(variable) = environment.split('\0').find(is_strange) {
            return Ok(Outcome::succeeded(format!("its environment has {variable}")));
        }
        for link in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
            let target = fs::read_link(link.path()).unwrap_or_default();
            if target.to_string_lossy().starts_with("socket:") || target.starts_with(scene.data()) {
                return Ok(Outcome::succeeded(format!("it has {} open", target.display())));
            }
        }
        let around = format!("{environment}\n{arguments}\n{}", serde_json::to_string(told)?);
        let seeds = seeds_on_disk(scene);
        ensure!(seeds.iter().any(|seed| seed.starts_with("SN")), "no host's key is found on disk");
        if seeds_in(&around).any(|seed| seeds.contains(seed)) {
            return Ok(Outcome::succeeded("it is told a key of somebody else"));
        }
        let token = its_token(scene.open, told)?;
        Ok(Outcome::refused(
            By::Host,
            "/proc of the process",
            format!("no variables, no keys of others; {token}"),
        ))
    }
    .boxed_local()
}

/// What its token says: that it is itself alone, and for an hour at most.
fn its_token(open: bool, told: &HostData) -> anyhow::Result<String> {
    if open {
        ensure!(told.lattice_rpc_user_seed.is_empty(), "it is told a seed where nobody is asked for one");
        return Ok("no token".to_owned());
    }
    let token = UserToken::read(&told.lattice_rpc_user_jwt)?;
    let lasts = token.expires.context("its token never ends")?.saturating_sub(token.issued);
    ensure!(token.name == told.provider_key && token.grant == UserGrant::Scoped, "its token is {token:?}");
    ensure!(lasts <= PROVIDER_TOKEN_SECONDS, "its token counts for {lasts} s");
    Ok(format!("its token is that of {} for {lasts} s", token.name))
}

/// Its own token, with another provider's name in it.
pub(crate) fn another_name(scene: &mut Scene) -> Attempted<'_> {
    async move {
        if scene.open {
            return doors::connect(scene, Credentials::None).await;
        }
        let told = &scene.mole.told;
        let parts: Vec<&str> = told.lattice_rpc_user_jwt.split('.').collect();
        let [head, claims, signature] = parts[..] else { bail!("a token has three parts") };
        let claims = String::from_utf8(BASE64URL_NOPAD.decode(claims.as_bytes())?)?;
        let renamed = claims.replace(r#""name":"mole""#, r#""name":"vault""#);
        ensure!(renamed != claims, "its name is not found in {claims}");
        let jwt = format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(renamed.as_bytes()));
        ensure!(UserToken::read(&jwt)?.name == "vault", "it says another name: {renamed}");
        // With its own name it is in, by the same seed.
        scene.provider().round_trip(SOON).await?;
        let seed = Secret::new(told.lattice_rpc_user_seed.as_str());
        doors::connect(scene, Credentials::JwtSeed { jwt, seed }).await
    }
    .boxed_local()
}

/// Hears what the process of another provider is told and asked, and takes its calls away.
pub(crate) fn hears_a_neighbour(scene: &mut Scene) -> Attempted<'_> {
    async move {
        scene.vault().await?;
        let call = "wasmbus.call.default.hello.vault.x.y".to_owned();
        let calls = "wasmbus.call.default.*.vault.>".to_owned();
        let (writer, reader) = (scene.host.as_str(), "vault");
        let back = BackSubject { lattice: "default", writer, reader, connection: 1, call: 2 }.to_string();
        let wanted: Vec<Listen> = vec![
            ("wasmbus.rpc.default.vault.>".to_owned(), None, "wasmbus.rpc.default.vault.canary".to_owned()),
            (calls.clone(), None, call.clone()),
            (calls, Some("vault".to_owned()), call),
            ("wasmbus.back.default.*.vault.>".to_owned(), None, back),
            ("wasmbus.inbox.default.vault.>".to_owned(), None, "wasmbus.inbox.default.vault.x.1".to_owned()),
        ];
        listen(scene, &scene.provider(), &wanted).await
    }
    .boxed_local()
}

/// Tells the process of another provider to end, as its host does.
pub(crate) fn ends_a_neighbour(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let pid = scene.vault().await?;
        let (lattice, provider) = (LatticeName::default(), "vault".parse::<ProviderId>()?);
        let subject = ProviderSubject { lattice, provider, verb: ProviderVerb::Shutdown }.to_string();
        let order = Shutdown { host_id: scene.host.to_string(), within_ms: Some(100) };
        let order = bytes::Bytes::from(serde_json::to_vec(&order)?);
        let mut headers = HeaderMap::new();
        headers.insert("host-id", scene.host.as_str());
        let say = async |who: &Connection| {
            who.client().publish_with_headers(subject.clone(), headers.clone(), order.clone()).await?;
            anyhow::Ok(who.round_trip(SOON).await?)
        };
        // A host starts again what ends by itself.
        let another = async || (scene.site().told("vault").await.ok()?.0 != pid).then_some(());
        let what = "the process ends, and another one is started";
        let (who, all) = (scene.provider(), [subject.clone()]);
        let (mut ear, mut violations) = (Ear::on(&scene.people.auditor, &all).await?, who.violations());
        say(&who).await?;
        if denials(scene, Refused::Publish, &all, &mut violations).await? == 0 {
            until(what, WITHIN, another).await?;
            return Ok(Outcome::succeeded("another provider's process ends"));
        }
        ensure!(ear.heard().await?.is_empty(), "it is passed on all the same");
        ensure!(another().await.is_none(), "the process has ended");
        // The same words of somebody who may do end it.
        say(&scene.people.auditor).await?;
        until(what, WITHIN, another).await?;
        Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", &subject]).await?))
    }
    .boxed_local()
}

/// A flood of calls that it has no right to, while another actor is served as ever.
pub(crate) fn flood(scene: &mut Scene) -> Attempted<'_> {
    async move {
        const MANY: u64 = 400;
        const AT_ONCE: usize = 32;
        let auditor = calls_of(&scene.people.auditor, "auditor").await?;
        let calls = calls_of(&scene.provider(), "mole").await?;
        // The same call of somebody who has a link is answered: it is the right that is missing.
        let runs = async || call(&auditor, "hello", &CALCULATOR, CallTo::Host(scene.host.clone())).await.ok();
        until("an actor with a link is answered", WITHIN, runs).await?;
        let mut events = Events::of(&scene.people.auditor).await?;
        let before = scene.client.get_host_inventory(&scene.host).await?.calls_refused;
        let started = Instant::now();
        let to = || CallTo::Host(scene.host.clone());
        let one = |_| call(&calls, "mole", &CALCULATOR, to());
        let flood = stream::iter(0..MANY).map(one).buffer_unordered(AT_ONCE);
        let (answers, hello) = tokio::join!(flood.collect::<Vec<_>>(), tell(scene, "hello", "/"));
        ensure!(hello?.0 == 200, "another actor is not served meanwhile");
        if answers.iter().any(Result::is_ok) {
            return Ok(Outcome::succeeded("calls without a link are answered"));
        }
        let strange =
            answers.iter().find_map(|answer| answer.as_ref().err().filter(|e| e.code != ErrorCode::NoLink));
        ensure!(strange.is_none(), "refused for another reason: {strange:?}");
        let (mut told, mut counted) = (0_u64, 0_u64);
        while counted < MANY {
            let event = events.wait("call_refused", |data| data["source"] == "mole").await?;
            (told, counted) = (told + 1, counted + event["count"].as_u64().unwrap_or_default());
        }
        ensure!(told <= started.elapsed().as_secs() + 2, "{told} events tell of {MANY} refusals");
        let after = scene.client.get_host_inventory(&scene.host).await?.calls_refused;
        ensure!(after >= before + MANY, "the inventory counts {}", after - before);
        let evidence = format!("{told} events tell of {counted} refusals");
        Ok(Outcome::refused(By::Host, TOLD, evidence))
    }
    .boxed_local()
}

/// Gets into a process on the host whose tokens are short. One may be over before somebody has logged in with it, on a machine that
/// is busy: then the next one is taken.
async fn leaver(scene: &Scene) -> anyhow::Result<Inside> {
    const TRIES: u32 = 5;
    let (site, id) = (scene.site_of(&scene.spare.id), "leaver".parse()?);
    let mut last = None;
    for _ in 0..TRIES {
        match site.enter("leaver", Program::Mute).await {
            Ok(inside) => return Ok(inside),
            Err(error) => last = Some(error),
        }
        scene.client.stop_provider(&scene.spare.id, &id).await?;
    }
    Err(last.context("it was tried")?.context("nobody gets into the process in the time of its token"))
}

/// Keeps what it was given when its provider was stopped.
pub(crate) fn after_its_stop(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let Inside { id, pid, told, connection } = leaver(scene).await?;
        let mut ear = Ear::on(&scene.people.auditor, &[format!("wasmbus.rpc.default.{id}.>")]).await?;
        scene.client.stop_provider(&scene.spare.id, &id).await?;
        ensure!(fs::metadata(format!("/proc/{pid}")).is_err(), "the process is still there");
        if scene.open {
            connection.round_trip(SOON).await?;
            return Ok(Outcome::succeeded("it stays connected: it has no token whose time could be over"));
        }
        let token = UserToken::read(&told.lattice_rpc_user_jwt)?;
        let lasts = token.expires.context("its token never ends")?.saturating_sub(token.issued);
        ensure!(lasts.to_string() == SHORT_SECONDS, "its token counts for {lasts} s");
        ear.heard().await?;
        let mut connected = connection.connected();
        timeout(WITHIN, connected.wait_for(|connected| !connected)).await.context("it stays connected")??;
        drop(connected);
        connection.close().await;
        let renewals = ear.heard().await?.iter().filter(|said| said.subject.ends_with("renew")).count();
        ensure!(renewals == 0, "its host gives it another one");
        let before = doors::refusals(scene);
        let refused = async || match connect_bare(login(&told)).await {
            Err(ConnectError::Refused { .. }) => Some(()),
            Ok(_) | Err(_) => None,
        };
        until("its token is refused", WITHIN, refused).await?;
        // That of a provider that runs still counts.
        scene.provider().round_trip(SOON).await?;
        doors::refused_since(scene, before).await
    }
    .boxed_local()
}
