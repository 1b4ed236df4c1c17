//! Secrets, from outside of the hosts: the bucket they are kept in, the commands about them, and everything that is said or written.

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::events::{ControlAudit, EventData as _};
use lattice_core::{CtlVerb, EventName, FactKey, LatticeName, SecretName};
use lattice_nats::{Connection, EventStream, HeaderMap};
use lattice_testkit::{Host, Launch, Process, until};
use serde_json::{Value, json};

use super::{
    broker::{Answer, ask},
    commands::refusal,
    control, doors,
    facts::{self, STREAM, write_subject},
    sandbox::tell,
    sealed::{self, Key},
};
use crate::{
    attempt::{By, Outcome},
    scene::{Ear, Leak, SOON, Scene, WITHIN, files_below, give, link, marker, put_secret},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What reads sealed secrets, as JetStream is asked for them: one, and all by a consumer.
fn reads() -> anyhow::Result<[(String, String); 2]> {
    let name: SecretName = "api-token".parse()?;
    let one = json!({ "last_by_subj": write_subject(&FactKey::Secret(name)) });
    let consumer = json!({
        "stream_name": STREAM,
        "config": {
            "name": "sealed", "deliver_subject": "loot.sealed", "ack_policy": "none", "deliver_policy": "all",
        },
    });
    Ok([
        (format!("STREAM.MSG.GET.{STREAM}"), one.to_string()),
        (format!("CONSUMER.CREATE.{STREAM}.sealed"), consumer.to_string()),
    ])
}

/// Reads the sealed secrets out of the bucket as `who`, who must not.
async fn from_the_bucket(scene: &mut Scene, who: &Connection) -> anyhow::Result<Outcome> {
    scene.secrets().await?;
    let operations = reads()?;
    // They are real: the auditor is answered.
    for (operation, body) in &operations {
        let answer = facts::js(&scene.people.auditor, operation, body).await?;
        ensure!(
            matches!(&answer, Answer::Said(said) if said.get("error").is_none()),
            "{operation}: {answer:?}"
        );
    }
    let outcome =
        facts::asked(scene, who, &operations, "it has the sealed boxes, and without a host's key no value")
            .await;
    facts::js(&scene.people.auditor, &format!("CONSUMER.DELETE.{STREAM}.sealed"), "").await?;
    outcome
}

/// From a provider's place.
pub(crate) fn as_provider(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let who = scene.provider();
        from_the_bucket(scene, &who).await
    }
    .boxed_local()
}

/// From a viewer's, who may see which secrets there are, and nothing of what they hold.
pub(crate) fn as_viewer(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (who, kept) = (scene.people.viewer.clone(), scene.secrets().await?);
        let listed = ask(&who, &control::subject(&CtlVerb::SecretList), HeaderMap::new(), "{}").await?;
        ensure!(listed.is_done(), "a viewer may list them: {listed:?}");
        let Answer::Said(listed) = listed else { bail!("it was answered") };
        let text = listed.to_string();
        ensure!(text.contains("api-token") && text.contains("other-token"), "it lists them: {text}");
        if [&kept.api, &kept.other].iter().any(|value| Leak::of(value).is_in(text.as_bytes())) {
            return Ok(Outcome::succeeded("the list tells what they hold"));
        }
        ensure!(!text.contains("readers") && !text.contains("\"value\""), "the list has the boxes: {text}");
        from_the_bucket(scene, &who).await
    }
    .boxed_local()
}

/// With an operator's NATS password, which reaches every control subject, and no bucket.
pub(crate) fn as_operator(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let who = scene.people.operator.clone();
        from_the_bucket(scene, &who).await
    }
    .boxed_local()
}

/// With a host's NATS password, which reads the bucket: the boxes are there for it, and do not open.
pub(crate) fn boxes_as_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        let fact = sealed::read(&scene.people.host, "api-token").await?;
        if Leak::of(&kept.api).is_in(fact.text.as_bytes()) {
            return Ok(Outcome::succeeded("what is kept is not sealed"));
        }
        let name = "api-token".parse()?;
        let (key, mut evidence) = (Key::new()?, String::new());
        let [to_itself, of_itself] = &sealed::forged(&fact.says.sealed, &key)?;
        for (tried, words) in [
            (to_itself, "a box does not open"),
            (of_itself, "a box does not open"),
            (&fact.says.sealed, "it is not sealed to host"),
        ] {
            match sealed::open(tried, &name, &key) {
                Ok(_) => return Ok(Outcome::succeeded("a key of its own opens the box")),
                Err(why) => evidence = why.to_string(),
            }
            ensure!(evidence.contains(words), "it does not open for another reason: {evidence}");
        }
        // They are the boxes: the host's own key opens them, which lies in a file of mode 0600 on its machine.
        let opened = sealed::open(&fact.says.sealed, &name, &Key::of_host(scene).await?)?;
        ensure!(opened.secret().expose_text() == Some(kept.api.as_str()), "another value is in it");
        Ok(Outcome::refused(By::Seal, "nowhere: reading leaves no trace", evidence))
    }
    .boxed_local()
}

/// With a host's NATS password: the boxes of one secret written under the name of another, past all hosts, and an actor that was
/// given that other one.
pub(crate) fn under_another_name(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        let fact = sealed::read(&scene.people.host, "api-token").await?;
        let name: SecretName = "loot-token".parse()?;
        let subject = write_subject(&FactKey::Secret(name.clone()));
        let value = json!({ "version": 1, "writer": scene.host, "at": "", "data": fact.says }).to_string();
        let written = ask(&scene.people.host, &subject, HeaderMap::new(), &value).await?;
        ensure!(matches!(&written, Answer::Said(said) if said["seq"].is_u64()), "not written: {written:?}");
        // A host that has not heard of it yet would refuse the start. Any of two may answer; several answers in a row are by both.
        let known = async || {
            for _ in 0..6 {
                scene.client.list_secrets().await.ok()?.iter().find(|entry| entry.name == name)?;
            }
            Some(())
        };
        until("both hosts know the secret", SOON, known).await?;
        let Err(why) = give(scene, "loot", name.as_str()).await else {
            let (_, got) = tell(scene, "loot", "/reveal?name=loot-token").await?;
            super::images::stop(scene, "loot").await?;
            ensure!(got.as_str() == Some(kept.api.as_str()), "it got {got}");
            return Ok(Outcome::succeeded("an actor reads one secret under the name of another"));
        };
        let words = "it was sealed as secret api-token";
        let state = async || {
            let inventory = scene.client.get_host_inventory(&scene.host).await.ok()?;
            let loot = inventory.components.iter().find(|actor| actor.id.as_str() == "loot")?;
            Some(loot.state()?.to_string()).filter(|state| state.contains(words))
        };
        let evidence = until("the actor says why it has no such secret", WITHIN, state).await;
        let evidence = evidence.with_context(|| format!("it was started: {why:#}"))?;
        super::images::stop(scene, "loot").await?;
        sealed::forget(scene, &name).await?;
        Ok(Outcome::refused(By::Host, "inventory, event actor_state, wash start", evidence))
    }
    .boxed_local()
}

/// A box that was heard, an earlier value of one secret, put as another one by somebody who may put secrets.
pub(crate) fn put_under_another_name(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        let mut body: Value = serde_json::from_str(&kept.captured.body)?;
        body["name"] = json!("loot-token");
        let command = serde_json::from_value(body).context("the captured command is one")?;
        let names = [EventName::ControlAudit];
        let mut events =
            EventStream::subscribe(&scene.people.auditor, &LatticeName::default(), &names).await?;
        let put = scene.client.put_secret(&command).await;
        let Err(why) = put else {
            sealed::forget(scene, &command.name).await?;
            return Ok(Outcome::succeeded("the box of one secret is kept as another"));
        };
        let why = why.to_string();
        ensure!(why.contains("it was sealed as secret api-token"), "refused for another reason: {why}");
        let told = events
            .wait_for(SOON, |event| {
                // The end of the attempt before may be told a little later.
                let is_it = |told: &ControlAudit| {
                    told.command == "secret.put" && told.target.iter().any(|name| name == "loot-token")
                };
                ControlAudit::read(event).filter(is_it)
            })
            .await?;
        ensure!(!told.success && told.message.contains("it was sealed as"), "the audit says {told:?}");
        let there = scene.client.list_secrets().await?;
        ensure!(there.iter().all(|entry| entry.name != command.name), "it is there all the same");
        Ok(Outcome::refused(By::Host, "event control_audit, the answer", why))
    }
    .boxed_local()
}

/// The command that put an earlier value, sent again as it was.
pub(crate) fn earlier_value(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        let captured = &kept.captured;
        super::commands::until_over(scene, captured).await;
        // Where nobody asks for a signature, it is left out, and the command never gets old.
        let (operation, token) = (&captured.operation, captured.token.as_deref().filter(|_| !scene.open));
        let outcome = refusal(scene, operation, token, &captured.body, "token-expired").await?;
        let wanted = match &outcome {
            Outcome::Refused { .. } => &kept.api,
            Outcome::Succeeded { .. } => &kept.old,
        };
        // What an actor reads follows within a moment.
        let reads = async || {
            let (_, got) = tell(scene, "keeper", "/reveal?name=api-token").await.ok()?;
            (got.as_str() == Some(wanted.as_str())).then_some(())
        };
        until("the actor reads the value that the answer says", SOON, reads).await?;
        if matches!(outcome, Outcome::Succeeded { .. }) {
            put_secret(scene, "api-token", &kept.api).await?;
        }
        Ok(outcome)
    }
    .boxed_local()
}

/// Joins with a host of one's own, which is given every secret of a lattice that lets it in.
pub(crate) fn own_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        let folder = scene.file("greedy");
        let url = scene.ports.url();
        let shown = folder.display().to_string();
        let args = [
            "--nats-url",
            &url,
            "--data-dir",
            &shown,
            "--cache-dir",
            &shown,
            "--drain-timeout",
            "1",
            "--open",
        ];
        let before = doors::refusals(scene);
        let mut host = Process::spawn(Launch::binary("wasmcloud")?.args(args))?;
        if host.wait_for_line(Host::READY, WITHIN).await.is_err() {
            let said = host.output();
            ensure!(said.contains("authorization violation"), "{said}");
            let holders = scene.client.list_secrets().await?;
            ensure!(
                holders.iter().all(|entry| entry.hosts.len() <= 2),
                "a third host has secrets: {holders:?}"
            );
            return doors::refused_since(scene, before).await;
        }
        let opens = async || {
            let fact = sealed::read(&scene.people.auditor, "api-token").await.ok()?;
            let key = Key::below(&folder, |_| true).ok()?;
            let opened = sealed::open(&fact.says.sealed, &"api-token".parse().ok()?, &key).ok()?;
            (opened.secret().expose_text() == Some(kept.api.as_str())).then_some(())
        };
        until("the host that joined is given the secret", WITHIN, opens).await?;
        host.stop(WITHIN).await?;
        Ok(Outcome::succeeded("a host of somebody else's is given every secret, and opens it"))
    }
    .boxed_local()
}

/// Other names, and other ways to write the one, of a secret that the actor was not given.
const NAMES: [&str; 9] = [
    "other-token",
    "OTHER-TOKEN",
    "secret.other-token",
    "../other-token",
    "sneak/other-token",
    "other-token%00",
    "*",
    "%3E",
    "",
];

/// An actor asks for what it was not given, by every name that might lead there.
pub(crate) fn not_given(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let kept = scene.secrets().await?;
        // The one that was given it reads it, and each reads its own: the way is there.
        for (actor, name, value) in
            [("sneak", "other-token", &kept.other), ("keeper", "api-token", &kept.api)]
        {
            let (status, got) = tell(scene, actor, &format!("/reveal?name={name}")).await?;
            ensure!(status == 200 && got.as_str() == Some(value.as_str()), "{actor} does not read its own");
        }
        let names = NAMES.iter().map(|name| ("keeper", *name)).chain([("sneak", "api-token")]);
        let mut evidence = String::new();
        for (actor, name) in names {
            for door in ["has", "reveal"] {
                let (status, got) = tell(scene, actor, &format!("/{door}?name={name}")).await?;
                if status == 200 {
                    return Ok(Outcome::succeeded(format!("{actor} asks for {name:?} and gets {got}")));
                }
                // No more than that: not even whether there is one.
                ensure!(
                    (status, &got) == (404, &json!({ "error": "not found" })),
                    "{name:?}: {status} {got}"
                );
                evidence = format!("{actor} asks for {name}: {got}");
            }
        }
        Ok(Outcome::refused(By::Host, "the actor's own answer", evidence))
    }
    .boxed_local()
}

/// What `wash` prints for programs.
const LOOKS: [&[&str]; 6] = [
    &["get", "hosts", "-o", "json"],
    &["get", "inventory", "-o", "json"],
    &["get", "links", "-o", "json"],
    &["get", "claims", "-o", "json"],
    &["secret", "list", "-o", "json"],
    &["config", "get", "plain", "-o", "json"],
];

/// Something that was said or printed: what it is, and its text.
type Told = (&'static str, String);

/// A secret is put, given to an actor and to a provider's process, read, and the actor breaks down with it; then everything that
/// was sent, kept, logged and printed is looked through.
pub(crate) fn leaks(scene: &mut Scene) -> Attempted<'_> {
    async move {
        scene.vault().await?;
        let (value, plain) = (marker(), marker());
        let mut ear = Ear::on(&scene.people.auditor, &[">".to_owned()]).await?;
        let mut told = used(scene, &value, &plain).await?;
        for message in ear.heard().await? {
            let payload = String::from_utf8_lossy(&message.payload);
            told.push(("a message", format!("{} {:?} {payload}", message.subject, message.headers)));
        }
        let folders = [scene.file(""), scene.spare.host.data_dir().to_owned()];
        // What is no secret does stand everywhere: whoever finds that would find the other, too.
        let known = Leak::of(&plain);
        for what in ["a message", "wash -o json"] {
            let is_found = told.iter().any(|(place, text)| *place == what && known.is_in(text.as_bytes()));
            ensure!(is_found, "what is no secret is not found in {what} either");
        }
        let kept = async || folders.iter().all(|folder| known.file_below(folder).is_some()).then_some(());
        until("what is no secret is found in the files of both hosts", SOON, kept).await?;

        let secret = Leak::of(&value);
        let leak =
            told.iter().find(|(_, text)| secret.is_in(text.as_bytes())).map(|(what, _)| (*what).to_owned());
        let file = folders.iter().find_map(|folder| secret.file_below(folder));
        super::images::stop(scene, "leaky").await?;
        match leak.or(file.map(|file| file.display().to_string())) {
            Some(what) => Ok(Outcome::succeeded(format!("it stands in {what}"))),
            None => {
                let files: usize = folders.iter().map(|folder| files_below(folder).len()).sum();
                let evidence = format!("{} texts and {files} files are without it", told.len());
                Ok(Outcome::refused(By::Seal, "messages, bucket, files, logs, output of wash", evidence))
            }
        }
    }
    .boxed_local()
}

/// Puts and uses a secret in every way there is, with a configuration beside it that is none; what was said by that.
async fn used(scene: &Scene, value: &str, plain: &str) -> anyhow::Result<Vec<Told>> {
    let mut told = vec![("wash secret put", put_secret(scene, "leak-token", value).await?)];
    let config = [("plain".to_owned(), plain.to_owned())].into();
    scene.client.put_config(&"plain".parse()?, &config).await?;
    give(scene, "leaky", "leak-token").await?;
    let (_, got) = tell(scene, "leaky", "/reveal?name=leak-token").await?;
    ensure!(got.as_str() == Some(value), "the actor does not read it");
    let (status, broken) = tell(scene, "leaky", "/trap?name=leak-token").await?;
    ensure!(status >= 500, "it does not break down: {status}");
    told.push(("the answer of an actor that broke down", broken.to_string()));
    told.push(("what a provider's process says of it", to_a_process(scene).await?));
    for look in LOOKS {
        let (code, text) = scene.wash(look).await?;
        ensure!(code == 0, "wash {}: {text}", look.join(" "));
        told.push(("wash -o json", text));
    }
    told.push(("a host's log", scene.log()));
    told.push(("a host's log", scene.spare.host.process.output()));
    Ok(told)
}

/// Gives the secret to a provider's process that has no use for any, and gives what it says of that.
async fn to_a_process(scene: &Scene) -> anyhow::Result<String> {
    let target_secrets = vec!["leak-token".parse()?];
    let link = lattice_core::Link { target_secrets, ..link("leaky", "vault", ("wasi", "keyvalue"))? };
    scene.client.put_link(&link).await?;
    let says = async || {
        let inventory = scene.client.get_host_inventory(&scene.host).await.ok()?;
        let mut links = inventory.links.iter().flatten();
        let ours =
            links.find(|link| link.source_id.as_str() == "leaky" && link.target.as_str() == "vault")?;
        ours.reason.clone().filter(|why| ours.state == "failed" && why.contains("no use for secrets"))
    };
    Ok(until("the process says that it has no use for a secret", WITHIN, says).await?)
}
