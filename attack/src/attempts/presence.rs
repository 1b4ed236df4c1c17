//! Hosts that are none: a made-up one, and a dead one that seems to live.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{KeyKind, KeyPair};
use lattice_control_interface::Collect;
use lattice_core::{Beat, BeatKind, BeatSubject, HostId, LatticeName};
use lattice_nats::Refused;
use lattice_testkit::until;

use super::broker::{NATS_LOG, Proof, denials, publish};
use crate::{
    attempt::{By, Outcome},
    scene::{Events, SOON, Scene, Seat, WITHIN},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

fn subject(host: &HostId, kind: BeatKind) -> String {
    BeatSubject { lattice: LatticeName::default(), host: host.clone(), kind }.to_string()
}

/// Beats and says hello as a host that is not there.
pub(crate) fn fake_host<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let made_up = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str())?;
        let subjects = [
            subject(&made_up, BeatKind::All),
            subject(&made_up, BeatKind::Neighbours),
            subject(&made_up, BeatKind::Ask),
            "wasmbus.evt.default.host_started".to_owned(),
        ];
        let outcome =
            publish(scene, &S::connection(scene), &subjects, "a beat of nobody", Proof::Sent).await?;
        let hosts = scene.client.get_hosts(Collect::default()).await?;
        ensure!(hosts.iter().all(|host| host.id != made_up), "it is among the hosts");
        Ok(outcome)
    }
    .boxed_local()
}

/// Whether the first host takes the second for lost.
async fn is_lost(scene: &Scene) -> Option<bool> {
    let hosts = scene.client.get_hosts(Collect::default()).await.ok()?;
    let first = hosts.iter().find(|host| host.id == scene.host)?;
    Some(first.lost.iter().any(|lost| lost.id == scene.spare.id))
}

async fn until_lost(scene: &Scene) -> anyhow::Result<()> {
    let lost = async || is_lost(scene).await.filter(|lost| *lost).map(drop);
    until("the dead host is taken for lost", WITHIN, lost).await.context("it is not")
}

/// Beats for a host that was killed, so that it seems to live and is given work.
pub(crate) fn dead_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        scene.spare.host.process.kill();
        until_lost(scene).await?;
        let dead = scene.spare.id.clone();
        let mut beat = Beat { epoch: u64::MAX / 2, sequence: 1, load: 0, goodbye: false };
        let subjects = [subject(&dead, BeatKind::All), subject(&dead, BeatKind::Neighbours)];
        let mut events = Events::of(&scene.people.auditor).await?;
        let who = scene.provider();
        let mut violations = who.violations();
        for subject in &subjects {
            who.client().publish(subject.clone(), Bytes::copy_from_slice(&beat.to_bytes())).await?;
            beat.sequence += 1;
        }
        who.round_trip(SOON).await?;
        let is_back = |data: &serde_json::Value| data.to_string().contains(dead.as_str());
        let denied = denials(scene, Refused::Publish, &subjects, &mut violations).await?;
        let came = events.comes("host_back", is_back, Duration::from_secs(2)).await;
        if denied == 0 {
            ensure!(came, "the beats are passed on, and nobody believes them");
            return Ok(Outcome::succeeded("a dead host lives again, and is given calls"));
        }
        ensure!(denied == subjects.len() && !came, "{denied} of two beats were refused; back: {came}");
        ensure!(is_lost(scene).await == Some(true), "it is taken to live");
        // Of somebody who may, the same bytes are believed.
        let beats = Bytes::copy_from_slice(&beat.to_bytes());
        scene.people.auditor.client().publish(subjects[0].clone(), beats).await?;
        ensure!(
            events.comes("host_back", is_back, SOON).await,
            "nobody believes such a beat, whoever sends it"
        );
        Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", &subjects[0]]).await?))
    }
    .boxed_local()
}

/// Beats with the credentials that were made for one host, in the name of another.
pub(crate) fn as_another_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let key = KeyPair::generate(KeyKind::Host);
        let id = HostId::new(key.public_key().as_str())?;
        let who = match scene.open {
            true => scene.people.host.clone(),
            false => {
                let own = scene.data().join(format!("nats/{}/closed", scene.ports.nats));
                let dir = own.display().to_string();
                let add = ["nats", "user", "add", &dir, "third", "--role", "host", "--host-id", id.as_str()];
                let (code, said) = scene.wash(&add).await?;
                ensure!(code == 0, "{said}");
                let credentials = lattice_nats::Credentials::CredsFile(own.join("users/third.creds"));
                let options = lattice_nats::ConnectOptions::to(&scene.ports.url()).named("third");
                let options = lattice_nats::ConnectOptions { credentials, ..options };
                lattice_nats::Connection::connect(options.as_host(&LatticeName::default(), &id), SOON).await?
            }
        };
        let own = publish(scene, &who, &[subject(&id, BeatKind::Neighbours)], "a beat", Proof::Sent).await?;
        ensure!(matches!(own, Outcome::Succeeded { .. }), "its own beats are not passed on: {own:?}");
        let others = [subject(&scene.host, BeatKind::All), subject(&scene.host, BeatKind::Neighbours)];
        publish(scene, &who, &others, "a beat", Proof::Sent).await
    }
    .boxed_local()
}
