//! Whose signatures count. A signature by anybody's key proves nothing, so nobody is trusted until named.

use std::collections::BTreeSet;

use crate::keys::{KeyError, KeyKind, PublicKey};

/// The accounts whose signatures count. The default trusts nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    accounts: BTreeSet<PublicKey>,
    any_issuer: bool,
    unconfirmed_hashes: bool,
}

impl Trust {
    /// Trusts nobody: everything is refused as of an untrusted issuer.
    pub fn nobody() -> Trust {
        Trust::default()
    }

    /// Trusts the accounts with these `A…` keys.
    ///
    /// # Errors
    /// The first text that is not the public key of an account.
    pub fn accounts<T: AsRef<str>>(keys: impl IntoIterator<Item = T>) -> Result<Trust, KeyError> {
        let mut trust = Trust::nobody();
        for key in keys {
            trust.add(PublicKey::of_kind(key.as_ref(), KeyKind::Account)?);
        }
        Ok(trust)
    }

    /// Trusts whatever is well signed, whoever signed it. For tools that only look; a host that uses this lets anybody in.
    pub fn any_issuer() -> Trust {
        Trust { any_issuer: true, ..Trust::default() }
    }

    /// Also accepts actors signed before hashes were enforced (revision below 3) whose hash does not fit. Their code may
    /// have been changed since it was signed.
    #[must_use]
    pub fn with_unconfirmed_hashes(mut self) -> Trust {
        self.unconfirmed_hashes = true;
        self
    }

    /// Trusts one account more. Keys of other kinds are kept and match nothing, since only accounts issue.
    pub fn add(&mut self, account: PublicKey) {
        self.accounts.insert(account);
    }

    /// Stops trusting an account; says whether it was trusted.
    pub fn remove(&mut self, account: &PublicKey) -> bool {
        self.accounts.remove(account)
    }

    /// Whether this issuer's signatures count.
    pub fn trusts(&self, issuer: &PublicKey) -> bool {
        self.any_issuer || self.accounts.contains(issuer)
    }

    /// The trusted accounts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.accounts.iter()
    }

    /// Whether every issuer is trusted; worth a warning wherever it is shown.
    pub fn trusts_anybody(&self) -> bool {
        self.any_issuer
    }

    pub(crate) fn accepts_unconfirmed_hashes(&self) -> bool {
        self.unconfirmed_hashes
    }
}
