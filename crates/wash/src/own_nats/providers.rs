//! The keys by which hosts sign the credentials of their provider processes: one for each lattice, which can sign nothing else.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use lattice_claims::{
    KeyKind, KeyPair,
    nats::{ProviderSigner, ScopedKey},
};
use lattice_core::{
    LatticeName,
    permission::{Role, Template},
};

use super::{
    OwnNats,
    folder::{FILE_BYTES_MAX, cannot},
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

impl OwnNats {
    /// The file of the key for providers of `lattice`. It lies beside the credentials of hosts, where hosts look for it.
    pub(crate) fn provider_key(&self, lattice: &LatticeName) -> PathBuf {
        self.root.join("users").join(ProviderSigner::file_name(lattice))
    }

    /// Makes the key for providers of `lattice` where there is none, and lets the account's token name it; true if servers that
    /// run have to hear of it. Doing the same again changes nothing.
    ///
    /// # Errors
    /// A file cannot be read or written, or holds something else.
    pub(crate) fn ensure_provider_key(&self, lattice: &LatticeName) -> Outcome<bool> {
        let signer = match self.read_provider_key(lattice)? {
            Some(signer) => signer,
            None => self.new_provider_key(lattice)?,
        };
        let template = Template::of(Role::Provider, lattice);
        let mut account = self.account_token()?;
        let named = account.scoped_keys.iter_mut().find(|one| one.key == *signer.key.public_key());
        match named {
            Some(one) if one.template == template => return Ok(false),
            // What providers may do has changed with the version.
            Some(one) => one.template = template,
            None => account.scoped_keys.push(ScopedKey {
                key: signer.key.public_key().clone(),
                role: Role::Provider,
                template,
            }),
        }
        self.sign_account(account)?;
        Ok(true)
    }

    /// Makes a new key for providers of `lattice`, and lets the account's token name no other for it: whoever has an old one signs nothing
    /// more that servers take, once they have heard. Doing it again after a process died in between does the rest.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn renew_provider_key(&self, lattice: &LatticeName) -> Outcome {
        let file = self.provider_key(lattice);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove", &file, error));
            }
            _ => {}
        }
        let signer = self.new_provider_key(lattice)?;
        let mut account = self.account_token()?;
        // By the lattice: what an earlier version let its keys sign is another template.
        account.scoped_keys.retain(|one| one.template.lattice().as_ref() != Some(lattice));
        let (key, template) = (signer.key.public_key().clone(), Template::of(Role::Provider, lattice));
        account.scoped_keys.push(ScopedKey { key, role: Role::Provider, template });
        self.sign_account(account)
    }

    /// The lattices with a key whose provider processes may do what an earlier version, or a later one, let them.
    ///
    /// # Errors
    /// The account's token cannot be read.
    pub(crate) fn lattices_with_other_templates(&self) -> Outcome<BTreeSet<LatticeName>> {
        let account = self.account_token()?;
        Ok(account.scoped_keys.iter().filter_map(renewed).filter_map(|one| one.lattice()).collect())
    }

    /// Lets provider processes do what this version lets them; servers that run have to hear of it, if anything changed.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn renew_templates(&self) -> Outcome {
        let mut account = self.account_token()?;
        let before = account.clone();
        for one in &mut account.scoped_keys {
            if let Some(template) = renewed(one) {
                one.template = template;
            }
        }
        if account == before { Ok(()) } else { self.sign_account(account) }
    }

    fn read_provider_key(&self, lattice: &LatticeName) -> Outcome<Option<ProviderSigner>> {
        let file = self.provider_key(lattice);
        let text = match files::read_text(&file, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &file, error)),
        };
        let unusable = |why: String| {
            let text = format!("{} is not usable: {why}", file.display());
            Failure::say(Exit::Refused, text).help("move it away, and a new one is made")
        };
        let signer = ProviderSigner::read(&text).map_err(|error| unusable(error.to_string()))?;
        if signer.account != *self.account.public_key() || signer.lattice != *lattice {
            return Err(unusable("it belongs to another NATS or lattice".to_owned()));
        }
        Ok(Some(signer))
    }

    /// Written before the account's token names it: of two processes that make one, both go on with the one that is there.
    fn new_provider_key(&self, lattice: &LatticeName) -> Outcome<ProviderSigner> {
        let signer = ProviderSigner {
            account: self.account.public_key().clone(),
            lattice: lattice.clone(),
            key: KeyPair::generate(KeyKind::Account),
        };
        match files::write_private_new(&self.provider_key(lattice), signer.to_string().as_bytes()) {
            Ok(()) => Ok(signer),
            Err(failure) => self.read_provider_key(lattice)?.ok_or(failure),
        }
    }

    /// Copies the key for providers of `lattice` into the folder of a server, for its hosts.
    pub(super) fn copy_provider_key(&self, lattice: &LatticeName, dir: &std::path::Path) -> Outcome {
        let file = self.provider_key(lattice);
        match fs::read(&file) {
            Ok(bytes) => files::write_private(&dir.join(ProviderSigner::file_name(lattice)), &bytes),
            // Somebody took it away on purpose, or the folder is of an older version.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot("read", &file, error)),
        }
    }
}

/// What this version lets the key sign; none where that stands there already, or is not known.
fn renewed(scoped: &ScopedKey) -> Option<Template> {
    let template = Template::of(scoped.role, &scoped.template.lattice()?);
    (template != scoped.template).then_some(template)
}
