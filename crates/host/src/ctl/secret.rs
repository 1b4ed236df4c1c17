//! `secret.put`, `secret.del`, `secret.list`: secrets, which come sealed and are told of without what they hold.

use lattice_claims::SecretError;
use lattice_control_interface::{DeleteSecretCommand, PutSecretCommand, SecretChange, SecretEntry};
use lattice_core::{HostId, SecretFact, SecretName};

use super::{
    Ctl,
    guard::Admitted,
    reply::{Answer, Outcome, read},
};
use crate::{lattice::View, secrets::Known};

impl Ctl {
    pub(super) async fn secret_put(&self, body: &[u8], asked: &Admitted) -> Outcome<SecretChange> {
        let PutSecretCommand { name, kind, sealed } = read("secret put", body)?;
        sealed.check().map_err(|error| format!("secret {:?}: {error}", name.as_str()))?;
        // Who puts it may not have met this host, which then gets it from one that has it. What it was given has to open.
        match self.secrets.open(&name, &sealed) {
            Ok(opened) if opened.secret().kind().word() != kind => {
                return Err(format!("secret {:?} is said to be {kind} and is not", name.as_str()));
            }
            Ok(_) | Err(SecretError::NotForUs { .. }) => {}
            Err(error) => return Err(format!("secret {:?} does not open: {error}", name.as_str())),
        }
        self.lattice.wait_current().await;
        let view = self.lattice.view();
        let revision = view.secrets.get(&name).map_or(0, |known| known.says.revision).saturating_add(1);
        let before = view.secrets.get(&name).map(|known| entry(&view, &name, known));
        let says = SecretFact { revision, kind, at: self.secrets.now(), by: asked.key.clone(), sealed };
        self.lattice.put_secret(&name, &says, None).await.map_err(|error| error.to_string())?;
        Ok(Answer::Data(SecretChange { before, now: self.entry_of(&name) }))
    }

    pub(super) async fn secret_del(&self, body: &[u8]) -> Outcome<SecretChange> {
        let DeleteSecretCommand { name } = read("secret delete", body)?;
        self.lattice.wait_current().await;
        let before = self.entry_of(&name);
        self.lattice.delete_secret(&name).await.map_err(|error| error.to_string())?;
        Ok(Answer::Data(SecretChange { before, now: None }))
    }

    pub(super) async fn secret_list(&self) -> Outcome<Vec<SecretEntry>> {
        self.lattice.wait_current().await;
        let view = self.lattice.view();
        Ok(Answer::Data(view.secrets.iter().map(|(name, known)| entry(&view, name, known)).collect()))
    }

    fn entry_of(&self, name: &SecretName) -> Option<SecretEntry> {
        let view = self.lattice.view();
        view.secrets.get(name).map(|known| entry(&view, name, known))
    }
}

/// What everybody may know of a secret. A host that is away still has what was sealed to it; one that is here with another key
/// than that waits like one that came later.
fn entry(view: &View, name: &SecretName, known: &Known) -> SecretEntry {
    let SecretFact { revision, kind, at, by, sealed } = &known.says;
    let lacks = |host: &HostId| {
        let xkey = view.hosts.get(host).and_then(|told| told.xkey.as_ref());
        xkey.is_some_and(|xkey| !sealed.is_for(host, xkey))
    };
    SecretEntry {
        name: name.clone(),
        kind: kind.clone(),
        revision: *revision,
        at: at.clone(),
        by: by.clone(),
        hosts: sealed.readers.keys().filter(|host| !lacks(host)).cloned().collect(),
        waiting: view.hosts.keys().filter(|host| lacks(host)).cloned().collect(),
    }
}
