//! `secret.put`, `secret.del`, `secret.list`: secrets, which come sealed and are told of without what they hold.

use std::fmt::Display;

use lattice_claims::{SecretError, check_secret};
use lattice_control_interface::{DeleteSecretCommand, PutSecretCommand, SecretChange, SecretEntry};
use lattice_core::{HostId, SecretFact, SecretKind, SecretName};

use super::{
    Ctl,
    guard::Admitted,
    reply::{Answer, Outcome, read},
};
use crate::{lattice::View, secrets::Known};

impl Ctl {
    pub(super) async fn secret_put(&self, body: &[u8], asked: &Admitted) -> Outcome<SecretChange> {
        let command: PutSecretCommand = read("secret put", body)?;
        check(&command)?;
        let PutSecretCommand { name, kind, sealed } = command;
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

/// What can be seen of it by a host that may not be able to open it. What does not pass would lie in the lattice for nobody.
fn check(command: &PutSecretCommand) -> Result<(), String> {
    let PutSecretCommand { name, kind, sealed } = command;
    let refused = |why: &dyn Display| format!("secret {:?}: {why}", name.as_str());
    kind.parse::<SecretKind>().map_err(|error| refused(&error))?;
    sealed.check().map_err(|error| refused(&error))?;
    check_secret(sealed).map_err(|error| refused(&error))
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

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, KeyPair, curve_key, seal_secret};
    use lattice_core::{LatticeName, Secret, SecretContents};

    use super::*;

    #[test]
    fn a_kind_or_a_reader_that_is_none_is_refused_and_named() {
        let host = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str()).unwrap();
        let xkey = curve_key(KeyPair::generate(KeyKind::Curve).public_key());
        let name: SecretName = "token".parse().unwrap();
        let secret = Secret::text("hunter2".to_owned()).unwrap();
        let contents = SecretContents { lattice: LatticeName::default(), name: name.clone(), secret };
        let sealed = seal_secret(&contents, &[(host, xkey)].into()).unwrap();
        let good = PutSecretCommand { name, kind: "text".to_owned(), sealed };
        assert_eq!(check(&good), Ok(()));
        for kind in ["", "Text", "certificate"] {
            let why = check(&PutSecretCommand { kind: kind.to_owned(), ..good.clone() }).unwrap_err();
            assert_eq!(
                why,
                format!("secret \"token\": {kind:?} is no kind of secret; kinds are text and bytes")
            );
        }
        let stranger = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let mut command = good.clone();
        let reader = command.sealed.readers.values().next().unwrap().clone();
        command.sealed.readers.insert(stranger.clone(), reader);
        let why = check(&command).unwrap_err();
        assert!(
            why.starts_with(&format!("secret \"token\": of its reader {stranger} a key is none")),
            "{why}"
        );
        command.sealed.readers.clear();
        assert_eq!(check(&command).unwrap_err(), "secret \"token\": it is sealed to no host");
    }
}
