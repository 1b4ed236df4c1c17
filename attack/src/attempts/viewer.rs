//! What somebody who may look tries beyond looking. What others try with the same bytes is in their files, by seat.

use anyhow::{bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_core::{CallTo, CtlVerb, permission::Lane};
use lattice_nats::HeaderMap;

use super::{
    broker::{Answer, Proof, ask, publish},
    calls::{CALCULATOR, VAULT, both_ways, call, calls_of},
    control::{Aim, Request, by_broker, change, everything, read, refused_to_all, subject},
};
use crate::{
    attempt::{By, Outcome},
    scene::{Ear, Scene, Seat, Vera, WITHIN},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// All that changes anything, and auctions, in which hosts are asked to make room.
pub(crate) fn control(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (viewer, aim) = (Vera::connection(scene), Aim::of(scene));
        let may = |(verb, _): &Request| Vera::may(Lane::Publish, &subject(verb));
        let (looks, auctions): (Vec<Request>, Vec<Request>) = read(&aim).into_iter().partition(may);
        for (verb, body) in &looks {
            let answer = ask(&viewer, &subject(verb), HeaderMap::new(), &body.to_string()).await?;
            ensure!(answer.is_done(), "a viewer may look: {verb:?}: {answer:?}");
        }
        let (mut does, mut undoes) = everything(&aim);
        ensure!(looks.len() > 2 && !auctions.is_empty(), "a viewer may look, and no more");
        does.extend(auctions);
        if scene.open {
            // What hosts refuse of everybody shows nothing of viewers.
            does.retain(|(verb, _)| refused_to_all(verb).is_none());
            undoes.retain(|(verb, _)| refused_to_all(verb).is_none());
        }
        change(scene, &viewer, does, undoes).await
    }
    .boxed_local()
}

/// A question that may be asked, to be answered where the asker may not write: over a fact, as an event, as a command, into the API of
/// JetStream.
pub(crate) fn answered_elsewhere(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let elsewhere = [
            "$KV.LATTICE_default.config.loot",
            "$JS.API.STREAM.NAMES",
            "wasmbus.evt.default.loot",
            "wasmbus.ctl.v1.default.config.put.loot",
        ]
        .map(str::to_owned);
        let mut ear = Ear::on(&scene.people.auditor, &elsewhere).await?;
        let (asker, question) = (Vera::connection(scene), subject(&CtlVerb::HostPing));
        for reply in &elsewhere {
            let asked = asker.client().publish_with_reply(question.clone(), reply.clone(), "{}".into());
            asked.await?;
        }
        // Answered after those before it were taken.
        ensure!(ask(&asker, &question, HeaderMap::new(), "{}").await?.is_done(), "a viewer may look");
        let evidence = scene.host_log(&["was turned away", "no inbox"]).await?;
        let heard = ear.heard().await?;
        ensure!(heard.is_empty(), "{} answers went where nobody asked from", heard.len());
        Ok(Outcome::refused(By::Host, "host log, with the reply subject", evidence))
    }
    .boxed_local()
}

/// Calls an actor and a provider's process, by group and by host: in its own name, in those of others, and in that of `wash`.
pub(crate) fn calls(scene: &mut Scene) -> Attempted<'_> {
    async move {
        scene.vault().await?;
        let who = Vera::connection(scene);
        if scene.open {
            let calls = calls_of(&who, "hello").await?;
            let answer = call(&calls, "hello", &CALCULATOR, CallTo::Anyone).await?;
            return Ok(Outcome::succeeded(format!("an actor answers it: {answer:?}")));
        }
        // A call of somebody who may use any name is answered on such a subject.
        let auditor = calls_of(&scene.people.auditor, "auditor").await?;
        call(&auditor, "hello", &CALCULATOR, CallTo::Anyone).await?;
        let mut subjects = Vec::new();
        for callee in [CALCULATOR, VAULT] {
            for source in [Vera::ME, "hello", "mole", "wash"] {
                for to in both_ways(scene) {
                    subjects.push(callee.subject(source, &to)?);
                }
            }
        }
        publish(scene, &who, &subjects, "forged", Proof::Elsewhere).await
    }
    .boxed_local()
}

/// Stops a host: in an open lattice one that came for this alone.
pub(crate) fn stop_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mut guest = if scene.open { Some(scene.guest().await?) } else { None };
        let host = guest.as_ref().map_or(&scene.host, |guest| &guest.id).clone();
        let verb = CtlVerb::HostStop(host.clone());
        match ask(&Vera::connection(scene), &subject(&verb), HeaderMap::new(), "{}").await? {
            Answer::Denied => {
                scene.client.get_host_inventory(&host).await?;
                by_broker(scene, &[(verb, "{}".to_owned())]).await
            }
            answer if answer.is_done() => {
                if let Some(guest) = &mut guest {
                    guest.host.process.wait(WITHIN).await?;
                }
                Ok(Outcome::succeeded("a host is gone"))
            }
            answer => bail!("{answer:?}"),
        }
    }
    .boxed_local()
}
