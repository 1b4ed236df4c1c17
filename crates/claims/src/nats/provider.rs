//! Credentials of a provider process: a token that its host signs with a scoped key.

use std::fmt;

use lattice_core::{LatticeName, ProviderId};
use serde::{Deserialize, Serialize};

use super::{CredsFile, UserGrant, UserToken};
use crate::{
    error::SignError,
    keys::{KeyError, KeyKind, KeyPair, PublicKey},
};

/// How long a provider's token counts, in seconds. It cannot be taken back by the host, which does not sign accounts: so it is
/// short, and renewed at half of it.
pub const PROVIDER_TOKEN_SECONDS: u64 = 3600;

/// Credentials for the provider `id`, with a new key, from `now` on for an hour. `signing` is a scoped key of `account` for
/// providers of one lattice: what the provider may do stands in the account's token, with its id filled in by the server.
///
/// # Errors
/// A key is of another kind.
pub fn provider_credentials(
    signing: &KeyPair,
    account: &PublicKey,
    id: &ProviderId,
    now: u64,
) -> Result<CredsFile, SignError> {
    lasting(signing, account, id, now, PROVIDER_TOKEN_SECONDS)
}

fn lasting(
    signing: &KeyPair,
    account: &PublicKey,
    id: &ProviderId,
    now: u64,
    seconds: u64,
) -> Result<CredsFile, SignError> {
    let key = KeyPair::generate(KeyKind::User);
    let token = UserToken {
        name: id.to_string(),
        user: key.public_key().clone(),
        account: Some(account.clone()),
        grant: UserGrant::Scoped,
        issued: now,
        expires: Some(now + seconds.min(PROVIDER_TOKEN_SECONDS)),
    };
    Ok(CredsFile { token: token.sign(signing)?, key })
}

/// The right to sign the providers of one lattice: what a host holds in a file beside its own credentials.
#[derive(Debug, Clone)]
pub struct ProviderSigner {
    /// The account that names the key.
    pub account: PublicKey,
    /// The lattice whose subjects the key's template has.
    pub lattice: LatticeName,
    /// The scoped key. `Debug` hides its seed.
    pub key: KeyPair,
}

#[derive(Serialize, Deserialize)]
struct Written {
    account: String,
    lattice: LatticeName,
    seed: String,
}

/// Why a text is no such file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerFileError {
    /// Not the JSON of one.
    #[error("it is no signing key for providers, as `wash nats init` writes one: {0}")]
    Json(#[from] serde_json::Error),
    /// A key in it is not one.
    #[error("a key in it is not usable: {0}")]
    Key(#[from] KeyError),
}

impl ProviderSigner {
    /// What the file of a lattice's signing key is called.
    #[must_use]
    pub fn file_name(lattice: &LatticeName) -> String {
        format!("providers-{lattice}.key")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`SignerFileError`].
    pub fn read(text: &str) -> Result<Self, SignerFileError> {
        let Written { account, lattice, seed } = serde_json::from_str(text)?;
        let key = KeyPair::from_seed(&seed)?;
        if key.kind() != KeyKind::Account {
            let (key, actual) = (key.public_key().to_string(), key.kind());
            return Err(KeyError::WrongKind { key, actual, expected: KeyKind::Account }.into());
        }
        Ok(Self { account: PublicKey::of_kind(&account, KeyKind::Account)?, lattice, key })
    }

    /// Credentials for the provider `id`, from `now` on for so many seconds, at most [`PROVIDER_TOKEN_SECONDS`].
    ///
    /// # Errors
    /// A key is of another kind.
    pub fn credentials(&self, id: &ProviderId, now: u64, seconds: u64) -> Result<CredsFile, SignError> {
        lasting(&self.key, &self.account, id, now, seconds)
    }
}

impl fmt::Display for ProviderSigner {
    /// The file's text, seed and all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.key.seed().expose().to_owned();
        let written = Written { account: self.account.to_string(), lattice: self.lattice.clone(), seed };
        let text = serde_json::to_string_pretty(&written).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signers_file_reads_back_and_its_tokens_are_short() {
        let account = KeyPair::generate(KeyKind::Account).public_key().clone();
        let (lattice, key) = (LatticeName::new("shop").unwrap(), KeyPair::generate(KeyKind::Account));
        let signer = ProviderSigner { account, lattice, key };
        let again = ProviderSigner::read(&signer.to_string()).unwrap();
        assert_eq!(
            (&again.account, &again.lattice, again.key.public_key()),
            (&signer.account, &signer.lattice, signer.key.public_key())
        );
        assert!(!format!("{signer:?}").contains(signer.key.seed().expose()));
        assert_eq!(ProviderSigner::file_name(&signer.lattice), "providers-shop.key");
        let id = ProviderId::new("kv").unwrap();
        for (asked, lasts) in [(5, 5), (1_000_000, PROVIDER_TOKEN_SECONDS)] {
            let creds = signer.credentials(&id, 100, asked).unwrap();
            let token = UserToken::read(&creds.token).unwrap();
            assert_eq!((token.name.as_str(), token.expires), ("kv", Some(100 + lasts)));
            assert_eq!(token.grant, UserGrant::Scoped);
        }
    }

    #[test]
    fn what_is_no_signers_file_is_refused() {
        let account = KeyPair::generate(KeyKind::Account).public_key().clone();
        let user = KeyPair::generate(KeyKind::User);
        let signer = ProviderSigner { account, lattice: LatticeName::default(), key: user };
        let error = ProviderSigner::read(&signer.to_string()).unwrap_err().to_string();
        assert!(error.contains("kind user"), "{error}");
        assert!(ProviderSigner::read("SAAAA").unwrap_err().to_string().contains("wash nats init"));
    }
}
