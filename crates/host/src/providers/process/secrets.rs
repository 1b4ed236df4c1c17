//! The secrets of links, for the process that runs now. Each process has a key of its own, so they are sealed anew for each, and at
//! the moment they are sent.

use std::collections::BTreeMap;

use lattice_claims::{KeyPair, PublicKey};
use lattice_core::{EntityId, LinkKey, ProviderId, Secret, SecretName};
use lattice_provider_sdk::wire::LinkDefinition;
use tracing::warn;

use crate::secrets::sealed;

/// What the links of one provider give it, and the keys of the process that it is now.
#[derive(Default)]
pub(super) struct LinkSecrets {
    by_link: BTreeMap<LinkKey, BTreeMap<SecretName, Secret>>,
    keys: Option<(KeyPair, PublicKey)>,
}

impl LinkSecrets {
    /// From now on the link gives these; none is none.
    pub(super) fn put(&mut self, link: &LinkKey, secrets: BTreeMap<SecretName, Secret>) {
        match secrets.is_empty() {
            true => self.by_link.remove(link),
            false => self.by_link.insert(link.clone(), secrets),
        };
    }

    /// From now on secrets are sealed from this key to that one.
    pub(super) fn seal_to(&mut self, keys: (KeyPair, PublicKey)) {
        self.keys = Some(keys);
    }

    /// The link as it is sent to the process: with its secrets, sealed.
    pub(super) fn fill(&self, provider: &ProviderId, mut link: LinkDefinition) -> LinkDefinition {
        let key = link.key();
        let (Ok(key), Some((from, to))) = (key, &self.keys) else { return link };
        let Some(secrets) = self.by_link.get(&key) else { return link };
        let sealed = match sealed(secrets, to, from) {
            Ok(sealed) => sealed,
            Err(error) => {
                warn!(%provider, %key, %error, "the secrets of a link cannot be sealed, so it goes without");
                return link;
            }
        };
        let is_source = link.source_id == EntityId::from(provider.clone());
        let own = if is_source { &mut link.source_secrets } else { &mut link.target_secrets };
        *own = Some(sealed);
        link
    }
}

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, open};
    use lattice_core::{Contract, LinkName};

    use super::*;

    #[test]
    fn the_end_that_is_the_provider_gets_its_secrets_and_only_the_process_of_now_reads_them() {
        let kv: ProviderId = "kv".parse().unwrap();
        let key = LinkKey {
            source: "cart".parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: Contract::new("wasi", "keyvalue").unwrap(),
            name: LinkName::default(),
        };
        let curve = || KeyPair::generate(KeyKind::Curve);
        let (host, first, second) = (curve(), curve(), curve());
        let mut secrets = LinkSecrets::default();
        let given = BTreeMap::from([("token".parse().unwrap(), Secret::text("hunter2".to_owned()).unwrap())]);
        secrets.put(&key, given);
        let bare = LinkDefinition::of(&key, 1);
        assert_eq!(secrets.fill(&kv, bare.clone()), bare, "no process is there");
        for process in [&first, &second] {
            secrets.seal_to((host.clone(), process.public_key().clone()));
            let sent = secrets.fill(&kv, bare.clone());
            assert_eq!(sent.source_secrets, None);
            let opened = open(&sent.target_secrets.unwrap(), host.public_key(), process).unwrap();
            assert_eq!(opened, br#"{"token":{"kind":"String","value":"hunter2"}}"#);
        }
        let sent = secrets.fill(&kv, bare.clone());
        assert!(open(&sent.target_secrets.unwrap(), host.public_key(), &first).is_err(), "that one is over");
        secrets.put(&key, BTreeMap::new());
        assert_eq!(secrets.fill(&kv, bare.clone()), bare);
    }
}
