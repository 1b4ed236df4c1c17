//! The lattice's state: each kind of fact written, the bucket deleted, filled, read and copied.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{KeyKind, KeyPair};
use lattice_core::{FactKey, FactKind, LinkKey};
use lattice_nats::{Connection, HeaderMap, RequestError};
use lattice_testkit::until;
use serde_json::{Value, json};

use super::broker::{Answer, NATS_LOG, Proof, ask, publish};
use crate::{
    attempt::{By, Outcome},
    scene::{Ear, SOON, Scene, Seat, WITHIN},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

pub(super) const STREAM: &str = "KV_LATTICE_default";
/// A refusal that is not dropped comes much sooner.
const A_MOMENT: Duration = Duration::from_millis(500);

/// A key of this kind of fact that is not in use.
fn key(kind: FactKind) -> anyhow::Result<FactKey> {
    let new = |kind| KeyPair::generate(kind).public_key().to_string();
    Ok(match kind {
        FactKind::Link => FactKey::Link(LinkKey {
            source: "loot".parse()?,
            target: "calculator".parse()?,
            contract: "demo:calls".parse()?,
            name: "default".parse()?,
        }),
        FactKind::Config => FactKey::Config("loot".parse()?),
        FactKind::Claims => FactKey::Claims(new(KeyKind::Module)),
        FactKind::Host => FactKey::Host(lattice_core::HostId::new(new(KeyKind::Host))?),
        FactKind::Trust => FactKey::Trust(new(KeyKind::Account).parse()?),
        FactKind::Role => FactKey::Role(lattice_core::UserKey::new(new(KeyKind::User))?),
        FactKind::Secret => FactKey::Secret("loot".parse()?),
        FactKind::Lease => FactKey::Lease("loot".to_owned()),
        FactKind::Other => FactKey::Other("later.loot".to_owned()),
        // The enum may grow; the test below fails then.
        strange => bail!("nobody tries to write a fact of the kind {strange:?}"),
    })
}

/// A key of every kind of fact.
fn keys() -> anyhow::Result<Vec<FactKey>> {
    FactKind::ALL.into_iter().map(key).collect()
}

pub(super) fn write_subject(key: &FactKey) -> String {
    format!("$KV.LATTICE_default.{key}")
}

/// How many messages the bucket ever took.
async fn last(scene: &Scene) -> anyhow::Result<u64> {
    let info = js(&scene.people.auditor, &format!("STREAM.INFO.{STREAM}"), "").await?;
    let Answer::Said(info) = info else { bail!("the bucket is not there: {info:?}") };
    info["state"]["last_seq"].as_u64().context("the bucket has no messages")
}

/// Asks JetStream.
pub(super) async fn js(who: &Connection, operation: &str, body: &str) -> anyhow::Result<Answer> {
    ask(who, &format!("$JS.API.{operation}"), HeaderMap::new(), body).await
}

/// Writes each kind of fact.
pub(crate) fn write<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let subjects: Vec<String> = keys()?.iter().map(write_subject).collect();
        // The admin's own command does write such a fact there.
        let mut ear = Ear::on(&scene.people.auditor, &["$KV.LATTICE_default.config.>".to_owned()]).await?;
        let name = "canary".parse()?;
        // Of another value than that of an earlier attempt, which would be written already.
        scene.client.put_config(&name, &[("a".to_owned(), S::ME.to_owned())].into()).await?;
        ear.wait("the fact of the admin's command", |message| message.subject.ends_with("config.canary"))
            .await?;
        let before = last(scene).await?;
        let outcome =
            publish(scene, &S::connection(scene), &subjects, r#"{"version":1}"#, Proof::Elsewhere).await?;
        let is_written = last(scene).await? >= before + subjects.len() as u64;
        ensure!(is_written != matches!(outcome, Outcome::Refused { .. }), "the bucket says otherwise");
        Ok(outcome)
    }
    .boxed_local()
}

/// Floods the bucket.
pub(crate) fn fill<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        const MANY: u64 = 2_000;
        let (who, subject, before) =
            (S::connection(scene), "$KV.LATTICE_default.loot.flood".to_owned(), last(scene).await?);
        for _ in 0..MANY {
            who.client().publish(subject.clone(), Bytes::from(vec![b'x'; 1024])).await?;
        }
        // One more that is answered: by then all before it are in the stream, or none.
        let answer = ask(&who, &subject, HeaderMap::new(), "x").await?;
        let written = last(scene).await? - before;
        match answer {
            Answer::Denied => {}
            _ if written >= MANY => {
                return Ok(Outcome::succeeded(format!("{written} messages are in the bucket")));
            }
            answer => bail!("{answer:?}, and {written} of {MANY} messages are in the bucket"),
        }
        after_flood(&who).await?;
        // Hosts write a few of their own meanwhile.
        ensure!(written < 20, "{written} of {MANY} messages are in the bucket");
        Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", &subject]).await?))
    }
    .boxed_local()
}

/// Waits until the connection keeps up again with what the broker says: while it is behind, the client drops refusals, and later
/// attempts would wait for theirs in vain.
async fn after_flood(who: &Connection) -> anyhow::Result<()> {
    let heard = async || {
        let refused =
            who.ask("$KV.LATTICE_default.loot.over", HeaderMap::new(), Bytes::new(), A_MOMENT).await;
        matches!(refused, Err(RequestError::Denied { .. })).then_some(())
    };
    until("refusals are heard again", SOON, heard).await.context("the connection stays behind")
}

/// Asks JetStream for each of these as `who`; refused if the broker says so of all.
pub(super) async fn asked(
    scene: &Scene,
    who: &Connection,
    operations: &[(String, String)],
    got: &str,
) -> anyhow::Result<Outcome> {
    let (mut denied, mut done, mut other) = (0, 0, Vec::new());
    for (operation, body) in operations {
        match js(who, operation, body).await? {
            Answer::Denied => denied += 1,
            Answer::Said(answer) if answer.get("error").is_none() => done += 1,
            answer => other.push(answer),
        }
    }
    let last = operations.last().map_or("", |(operation, _)| operation.as_str());
    match (denied == operations.len(), done == operations.len()) {
        (true, _) => Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", last]).await?)),
        (_, true) => Ok(Outcome::succeeded(got)),
        _ => bail!("{denied} denied, {done} done, {other:?}"),
    }
}

/// Reads the bucket: a value, all values by a consumer, the stream's description.
pub(crate) fn read<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let consumer = json!({
            "stream_name": STREAM,
            "config": { "name": "loot", "deliver_subject": "loot.here", "ack_policy": "none", "deliver_policy": "all" },
        });
        let one = json!({ "last_by_subj": "$KV.LATTICE_default.link.hello.calculator.demo.calls.default" });
        let operations = [
            (format!("STREAM.INFO.{STREAM}"), String::new()),
            (format!("STREAM.MSG.GET.{STREAM}"), one.to_string()),
            (format!("CONSUMER.CREATE.{STREAM}.loot"), consumer.to_string()),
        ];
        // They are real: the auditor is answered.
        for (operation, body) in &operations {
            let answer = js(&scene.people.auditor, operation, body).await?;
            ensure!(matches!(&answer, Answer::Said(said) if said.get("error").is_none()), "{operation}: {answer:?}");
        }
        let outcome = asked(scene, &S::connection(scene), &operations, "it reads all facts").await;
        js(&scene.people.auditor, &format!("CONSUMER.DELETE.{STREAM}.loot"), "").await?;
        outcome
    }
    .boxed_local()
}

/// Makes a stream that keeps what everybody says, and changes the lattice's own to copy itself elsewhere.
pub(crate) fn eavesdrop<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let loot = json!({ "name": "LOOT", "subjects": ["wasmbus.back.>"], "storage": "memory" }).to_string();
        let outcome = asked(
            scene,
            &S::connection(scene),
            &[("STREAM.CREATE.LOOT".to_owned(), loot)],
            "it keeps copies of all answers",
        )
        .await?;
        let there = js(&scene.people.auditor, "STREAM.INFO.LOOT", "").await?;
        let is_there = matches!(&there, Answer::Said(said) if said.get("error").is_none());
        ensure!(is_there == matches!(outcome, Outcome::Succeeded { .. }), "the stream: {there:?}");
        if is_there {
            js(&scene.people.auditor, "STREAM.DELETE.LOOT", "").await?;
        }
        Ok(outcome)
    }
    .boxed_local()
}

/// Purges the bucket, takes single facts out, and deletes it.
pub(crate) fn delete<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let facts = scene.client.get_links().await?.len();
        ensure!(facts > 0, "there is nothing to lose");
        let before = last(scene).await?;
        let operations = [
            (format!("STREAM.PURGE.{STREAM}"), String::new()),
            (format!("STREAM.DELETE.{STREAM}"), String::new()),
        ];
        let outcome = asked(scene, &S::connection(scene), &operations, "").await?;
        if matches!(outcome, Outcome::Refused { .. }) {
            ensure!(last(scene).await? >= before, "the bucket is another one");
            return Ok(outcome);
        }
        let started = std::time::Instant::now();
        let back = async || {
            let links = scene.client.get_links().await.ok()?.len();
            (links == facts && last(scene).await.is_ok()).then_some(())
        };
        until("the hosts put the facts back", WITHIN, back).await?;
        // Whoever still puts facts back is not disturbed by the next attempt.
        let settled = async || {
            let (one, pause) = (last(scene).await.ok()?, Duration::from_millis(500));
            tokio::time::sleep(pause).await;
            (last(scene).await.ok()? == one).then_some(())
        };
        until("the bucket is settled", WITHIN, settled).await?;
        let took = started.elapsed().as_secs_f64();
        Ok(Outcome::succeeded(format!("all facts are deleted; the hosts put them back ({took:.0} s)")))
    }
    .boxed_local()
}

/// A host's password: writes facts past all hosts that make the thief an admin, and an own account trusted.
pub(crate) fn past_all_hosts(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (person, stranger) = (KeyPair::generate(KeyKind::User), scene.signer.stranger());
        let value =
            |data: Value| json!({"version": 1, "writer": scene.host, "at": "", "data": data}).to_string();
        let role = FactKey::Role(lattice_core::UserKey::new(person.public_key().as_str())?);
        let trust = FactKey::Trust(stranger.account().parse()?);
        for (key, data) in [
            (role, json!({"role": "admin", "by": scene.admin.public_key().as_str()})),
            (trust, json!({"standing": "trusted", "by": scene.admin.public_key().as_str()})),
        ] {
            let written =
                ask(&scene.people.host, &write_subject(&key), HeaderMap::new(), &value(data)).await?;
            ensure!(
                matches!(&written, Answer::Said(said) if said["seq"].is_u64()),
                "it is not written: {written:?}"
            );
        }
        // The facts are in the bucket, and every host has them.
        let heard = async || {
            let entries = scene.client.get_trust().await.ok()?;
            entries.iter().any(|entry| entry.key.as_str() == stranger.account()).then_some(())
        };
        until("the hosts hear of the fact", SOON, heard).await?;
        let image = stranger.file("loot.wasm", &stranger.sign("loot", &crate::scene::wasm_of("hello")?)?)?;
        let started = super::images::start(scene, "loot", &image.display().to_string()).await;
        super::images::stop(scene, "loot").await?;
        if started.is_ok() {
            return Ok(Outcome::succeeded("what the thief signed starts"));
        }
        let signed = scene.client.signed_by(person);
        let refused = signed.put_config(&"loot".parse()?, &[("a".to_owned(), "b".to_owned())].into()).await;
        let why = started.err().unwrap_or_default();
        ensure!(why.contains("is not trusted here"), "{why}");
        let refused = refused.err().context("the thief is an admin")?.to_string();
        ensure!(refused.contains("has no role here"), "{refused}");
        let (_, shown) = scene.wash(&["role", "list"]).await?;
        ensure!(shown.contains("counts nowhere"), "{shown}");
        let (_, shown) = scene.wash(&["trust", "list"]).await?;
        let line = shown.lines().find(|line| line.contains("unconfirmed")).context(shown.clone())?;
        Ok(Outcome::refused(By::Host, "wash role list, wash trust list", line.trim()))
    }
    .boxed_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_of_every_kind_is_tried() {
        let tried: Vec<FactKind> = keys().unwrap().iter().map(FactKey::kind).collect();
        assert_eq!(tried, FactKind::ALL);
    }
}
