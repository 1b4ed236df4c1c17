//! Boxes around secrets, as they lie in the bucket, and who opens them.

use std::{fs, path::Path};

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use lattice_claims::{KeyKind, KeyPair, OpenedSecret, SecretError, curve_key, open_secret, seal};
use lattice_control_interface::DeleteSecretCommand;
use lattice_core::{FactKey, HostId, LatticeName, SealedFor, SealedSecret, SecretFact, SecretName};
use lattice_nats::Connection;
use lattice_testkit::until;
use serde_json::{Value, json};

use super::{
    broker::Answer,
    facts::{STREAM, js, write_subject},
};
use crate::scene::{SOON, Scene, files_below};

/// A secret as it is kept.
pub(crate) struct Kept {
    /// The fact, as it is written.
    pub(crate) text: String,
    /// What it says.
    pub(crate) says: SecretFact,
}

/// Reads a secret out of the bucket.
pub(crate) async fn read(who: &Connection, name: &str) -> anyhow::Result<Kept> {
    let subject = write_subject(&FactKey::Secret(name.parse()?));
    let wanted = json!({ "last_by_subj": subject }).to_string();
    let Answer::Said(said) = js(who, &format!("STREAM.MSG.GET.{STREAM}"), &wanted).await? else {
        bail!("the bucket is not answered for")
    };
    let data = said["message"]["data"].as_str().with_context(|| format!("no such secret: {said}"))?;
    let text = String::from_utf8(BASE64.decode(data.as_bytes())?)?;
    let fact: Value = serde_json::from_str(&text)?;
    Ok(Kept { says: serde_json::from_value(fact["data"].clone())?, text })
}

/// Who opens a box: an id, and the key that goes with it.
pub(crate) struct Key {
    id: HostId,
    xkey: KeyPair,
}

impl Key {
    /// Somebody's own.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let id = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str())?;
        Ok(Self { id, xkey: KeyPair::generate(KeyKind::Curve) })
    }

    /// That of the first host, off its disk.
    pub(crate) async fn of_host(scene: &Scene) -> anyhow::Result<Self> {
        let xkey = scene.client.get_host_inventory(&scene.host).await?.xkey.context("it has none")?;
        Self::below(&scene.data(), |key| key.public_key().as_str() == xkey.as_str())
    }

    /// The first key of a host whose files lie below `folder`, and that is as wanted.
    pub(crate) fn below(folder: &Path, is_wanted: impl Fn(&KeyPair) -> bool) -> anyhow::Result<Self> {
        for file in files_below(folder).iter().filter(|file| file.ends_with("host.xk")) {
            let seed = |file: &Path| anyhow::Ok(KeyPair::from_seed(fs::read_to_string(file)?.trim())?);
            let xkey = seed(file)?;
            if is_wanted(&xkey) {
                let own = seed(&file.with_file_name("host.nk"))?;
                return Ok(Self { id: HostId::new(own.public_key().as_str())?, xkey });
            }
        }
        bail!("no host has such a key below {}", folder.display())
    }
}

/// Opens a box as `key`.
pub(crate) fn open(sealed: &SealedSecret, name: &SecretName, key: &Key) -> Result<OpenedSecret, SecretError> {
    open_secret(sealed, (&LatticeName::default(), name), &key.id, &key.xkey)
}

/// The box as somebody who has its public parts alone can make it one for `key`: with a seed of his own sealed to it, and once more
/// with the public half of that seed as the value's key.
pub(crate) fn forged(sealed: &SealedSecret, key: &Key) -> anyhow::Result<[SealedSecret; 2]> {
    let (forger, to) = (KeyPair::generate(KeyKind::Curve), key.xkey.public_key());
    let seed = BASE64.encode(&seal(forger.seed().expose().as_bytes(), to, &forger)?);
    let mut readers = sealed.readers.clone();
    readers.insert(key.id.clone(), SealedFor { xkey: curve_key(to), seed });
    let one = SealedSecret { readers, ..sealed.clone() };
    Ok([one.clone(), SealedSecret { key: curve_key(forger.public_key()), ..one }])
}

/// Deletes a secret that an attempt has written, and waits until every host knows.
pub(crate) async fn forget(scene: &Scene, name: &SecretName) -> anyhow::Result<()> {
    scene.client.delete_secret(&DeleteSecretCommand { name: name.clone() }).await?;
    let gone = async || {
        let there = scene.client.list_secrets().await.ok()?;
        there.iter().all(|entry| entry.name != *name).then_some(())
    };
    until(&format!("secret {name} is gone"), SOON, gone).await?;
    ensure!(read(&scene.people.auditor, name.as_str()).await.is_err(), "its boxes are still there");
    Ok(())
}
