//! Secrets in the lattice that is attacked, and who was given which.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use lattice_claims::{KeyKind, KeyPair};
use lattice_control_interface::ScaleComponentCommand;
use lattice_core::{CtlSubject, CtlVerb, LatticeName, Link};
use lattice_testkit::until;
use tempfile::TempDir;

use super::{Captured, Ear, Scene, WITHIN};

/// What stands in the secrets, and how one of them was put.
#[derive(Clone)]
pub(crate) struct Sealed {
    /// What `api-token` holds, which the actor `keeper` was given.
    pub(crate) api: String,
    /// What `other-token` holds, which the actor `sneak` was given.
    pub(crate) other: String,
    /// What `api-token` held before.
    pub(crate) old: String,
    /// The command that put that, as it went over the wire.
    pub(crate) captured: Captured,
}

/// A value that is nowhere else.
pub(crate) fn marker() -> String {
    KeyPair::generate(KeyKind::Curve).seed().expose().to_owned()
}

impl Sealed {
    /// Puts them by `wash`, and starts the actors that are given them.
    pub(super) async fn put(scene: &Scene) -> anyhow::Result<Self> {
        let subject = CtlSubject { lattice: LatticeName::default(), verb: CtlVerb::SecretPut }.to_string();
        let mut ear = Ear::on(&scene.people.auditor, &[subject]).await?;
        let (old, api, other) = (marker(), marker(), marker());
        put_secret(scene, "api-token", &old).await?;
        let captured = Captured::of(&ear.wait("the command that puts a secret", |_| true).await?)?;
        put_secret(scene, "api-token", &api).await?;
        put_secret(scene, "other-token", &other).await?;
        give(scene, "keeper", "api-token").await?;
        give(scene, "sneak", "other-token").await?;
        Ok(Self { api, other, old, captured })
    }
}

/// Puts a secret as its owner does; what `wash` said.
pub(crate) async fn put_secret(scene: &Scene, name: &str, value: &str) -> anyhow::Result<String> {
    // Nothing of the lattice is there.
    let outside = TempDir::new().context("cannot make a temporary folder")?;
    let file = outside.path().join("value");
    std::fs::write(&file, value).context("cannot write the value of a secret")?;
    let (code, said) =
        scene.wash(&["secret", "put", name, "--from-file", &file.display().to_string()]).await?;
    ensure!(code == 0, "wash secret put {name}: {said}");
    Ok(said)
}

/// Starts an actor that reads secrets, gives it one, and puts it behind the HTTP server, as `{actor}.test`.
pub(crate) async fn give(scene: &Scene, actor: &str, secret: &str) -> anyhow::Result<()> {
    let image = scene.signer.folder().join("keyring_s.wasm").display().to_string();
    let mut command = ScaleComponentCommand::new(actor.parse()?, image, 4);
    command.secrets = vec![secret.parse()?];
    scene.client.scale_component_and_wait(&scene.host, &command, WITHIN).await?;
    let config = format!("{actor}-web").parse()?;
    let (address, host) = (format!("127.0.0.1:{}", scene.ports.http), format!("{actor}.test"));
    let values: BTreeMap<String, String> =
        [("address".to_owned(), address.clone()), ("hostname".to_owned(), host.clone())].into();
    scene.client.put_config(&config, &values).await?;
    let link = Link { source_config: vec![config], ..link("http", actor, ("wasi", "http"))? };
    scene.client.put_link(&link).await?;
    let url = format!("http://{address}/has?name={secret}");
    let answers = async || {
        let answer = scene.http.send("GET", &url, &[("host", &host)], "").await.ok()?;
        (answer.status == 200).then_some(())
    };
    Ok(until(&format!("{actor} has its secret"), WITHIN, answers).await?)
}

/// A link with nothing but its ends.
pub(crate) fn link(source: &str, target: &str, (namespace, package): (&str, &str)) -> anyhow::Result<Link> {
    Ok(Link {
        source: source.parse()?,
        target: target.parse()?,
        name: "default".parse()?,
        wit_namespace: namespace.to_owned(),
        wit_package: package.to_owned(),
        interfaces: Vec::new(),
        source_config: Vec::new(),
        target_config: Vec::new(),
        source_secrets: Vec::new(),
        target_secrets: Vec::new(),
        distance: Default::default(),
    })
}
