//! New credentials from the host: opened, checked, and used from the next connect on.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use lattice_claims::{KeyKind, KeyPair, PublicKey, open};
use lattice_core::{Secret, SecretName};
use lattice_nats::{Renewable, Secret as Hidden};
use zeroize::Zeroizing;

use crate::{
    RunError,
    wire::{Credentials, HostData, SecretValue},
};

/// Why new credentials are not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Not sealed by the host, or not for us.
    #[error("they were not sealed by our host for this process: {0}")]
    Sealed(#[from] lattice_claims::SealError),
    /// What was sealed is none.
    #[error("what was sealed is no credentials: {0}")]
    Json(String),
    /// For another process under this id.
    #[error("they are for process {0}")]
    OtherProcess(String),
    /// They came before.
    #[error("they are number {number}, and there are {has} already")]
    Old {
        /// Which they are.
        number: u64,
        /// Which there are.
        has: u64,
    },
    /// This process has none: its NATS asks nobody.
    #[error("this process logs in without credentials")]
    None,
}

/// The credentials of this process.
pub(crate) struct Renewal {
    keys: Option<(PublicKey, KeyPair)>,
    instance: String,
    newest: Option<Renewable>,
    number: Mutex<u64>,
}

impl Renewal {
    /// Those of the start; keys that do not read renew nothing.
    pub(crate) fn new(data: &HostData) -> Result<Self, RunError> {
        let unusable = |what, why: String| RunError::Unusable { what, why };
        let newest = (!data.lattice_rpc_user_jwt.is_empty())
            .then(|| Renewable::new(&data.lattice_rpc_user_jwt, Hidden::new(&data.lattice_rpc_user_seed)));
        let keys = if data.host_xkey_public_key.is_empty() || data.provider_xkey_private_key.is_empty() {
            None
        } else {
            let host = PublicKey::of_kind(&data.host_xkey_public_key, KeyKind::Curve);
            let host = host.map_err(|error| unusable("the host's curve key", error.to_string()))?;
            let own = KeyPair::from_seed(&data.provider_xkey_private_key);
            let own = own.map_err(|error| unusable("the provider's curve key", error.to_string()))?;
            Some((host, own))
        };
        let number = Mutex::new(u64::from(newest.is_some()));
        Ok(Self { keys, instance: data.instance_id.clone(), newest, number })
    }

    /// What to log in with.
    pub(crate) fn newest(&self) -> Option<Renewable> {
        self.newest.clone()
    }

    /// How many there have been.
    pub(crate) fn number(&self) -> u64 {
        *self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the secrets of a link.
    ///
    /// # Errors
    /// The text says why; never what was sealed.
    pub(crate) fn open_secrets(&self, sealed: &[u8]) -> Result<BTreeMap<SecretName, Secret>, String> {
        let (host, own) = self.keys.as_ref().ok_or("this process was given no key to open them with")?;
        let opened = Zeroizing::new(open(sealed, host, own).map_err(|error| error.to_string())?);
        read_secrets(&opened)
    }

    /// Takes sealed ones, for the next connect.
    ///
    /// # Errors
    /// Anybody may send them; so what is not from the host, not for this process, or not newer, changes nothing.
    pub(crate) fn take(&self, sealed: &[u8]) -> Result<(), Refused> {
        let (Some((host, own)), Some(newest)) = (&self.keys, &self.newest) else {
            return Err(Refused::None);
        };
        let opened = open(sealed, host, own)?;
        let given: Credentials =
            serde_json::from_slice(&opened).map_err(|error| Refused::Json(error.to_string()))?;
        if given.instance_id != self.instance {
            return Err(Refused::OtherProcess(given.instance_id.chars().take(64).collect()));
        }
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        if given.number <= *number {
            return Err(Refused::Old { number: given.number, has: *number });
        }
        *number = given.number;
        newest.renew(given.jwt, Hidden::new(given.seed));
        Ok(())
    }
}

/// What was sealed is read from the same memory that is wiped; only what the provider keeps stays.
fn read_secrets(json: &[u8]) -> Result<BTreeMap<SecretName, Secret>, String> {
    let given: BTreeMap<SecretName, SecretValue> =
        serde_json::from_slice(json).map_err(|_| "what was sealed is no map of secrets".to_owned())?;
    let read = |(name, value)| {
        let secret = match value {
            SecretValue::String(text) => Secret::text(text),
            SecretValue::Bytes(bytes) => Secret::bytes(bytes),
        };
        secret.map(|secret| (name, secret)).map_err(|error| error.to_string())
    };
    given.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use lattice_claims::seal;

    use super::*;

    fn renewal(host: &KeyPair, own: &KeyPair) -> Renewal {
        let data = HostData {
            instance_id: "this".to_owned(),
            lattice_rpc_user_jwt: "first".to_owned(),
            lattice_rpc_user_seed: "SU".to_owned(),
            host_xkey_public_key: host.public_key().to_string(),
            provider_xkey_private_key: own.seed().expose().to_owned(),
            ..HostData::default()
        };
        Renewal::new(&data).unwrap()
    }

    #[test]
    fn only_what_the_host_sealed_for_this_process_is_taken_and_only_once() {
        let curve = || KeyPair::generate(KeyKind::Curve);
        let (host, own, stranger) = (curve(), curve(), curve());
        let renewal = renewal(&host, &own);
        let sealed = |instance: &str, number, by: &KeyPair| {
            let credentials = Credentials {
                instance_id: instance.to_owned(),
                number,
                jwt: format!("token {number}"),
                seed: "SU".to_owned(),
            };
            seal(&serde_json::to_vec(&credentials).unwrap(), own.public_key(), by).unwrap()
        };
        let jwt = || renewal.newest().unwrap().jwt();
        assert!(matches!(renewal.take(&sealed("this", 2, &stranger)), Err(Refused::Sealed(_))));
        assert!(matches!(renewal.take(b"{}"), Err(Refused::Sealed(_))));
        assert_eq!(renewal.take(&sealed("other", 2, &host)), Err(Refused::OtherProcess("other".to_owned())));
        assert_eq!((jwt().as_str(), renewal.number()), ("first", 1));
        let second = sealed("this", 2, &host);
        assert_eq!(renewal.take(&second), Ok(()));
        assert_eq!((jwt().as_str(), renewal.number()), ("token 2", 2));
        assert_eq!(renewal.take(&second), Err(Refused::Old { number: 2, has: 2 }));
        assert_eq!(renewal.take(&sealed("this", 1, &host)), Err(Refused::Old { number: 1, has: 2 }));
        assert_eq!(jwt(), "token 2");
        let nothing = seal(b"nothing", own.public_key(), &host).unwrap();
        assert!(matches!(renewal.take(&nothing), Err(Refused::Json(_))));
    }

    #[test]
    fn without_credentials_there_is_nothing_to_renew() {
        let renewal = Renewal::new(&HostData::default()).unwrap();
        assert_eq!((renewal.take(b""), renewal.number()), (Err(Refused::None), 0));
    }
}
