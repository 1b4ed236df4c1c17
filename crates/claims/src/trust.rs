//! Whose signatures count. A signature by anybody's key proves nothing, so nobody is trusted until named: by a host's own
//! flags, or by the lattice, whose word goes further in one way: what it revoked counts nowhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::VerifyError,
    keys::{KeyError, KeyKind, PublicKey},
};

/// The accounts whose signatures count, and the keys that sign for them. The default trusts nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    accounts: BTreeSet<PublicKey>,
    lattice: BTreeMap<PublicKey, Word>,
    any_issuer: bool,
    unconfirmed_hashes: bool,
}

/// What a lattice says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is an account whose signatures count.
    Account,
    /// It signs for this account, and counts as long as that one does.
    SigningKey(PublicKey),
    /// Its signatures do not count, whoever else names it. A revoked account takes the keys that sign for it along.
    Revoked,
}

/// Whether a key's signatures count, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They do; the account is the key itself, or the one it signs for.
    Counts {
        /// For whom it signed.
        account: PublicKey,
    },
    /// The lattice revoked the key, or the account that it signs for.
    Revoked {
        /// The account, where that is what was revoked.
        account: Option<PublicKey>,
    },
    /// It signs for an account that nobody names.
    UnknownAccount {
        /// The account.
        account: PublicKey,
    },
    /// Nobody names it.
    Unknown,
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

    /// The same, in a lattice that says this; what it said before is forgotten.
    #[must_use]
    pub fn in_lattice(&self, words: impl IntoIterator<Item = (PublicKey, Word)>) -> Trust {
        Trust { lattice: words.into_iter().collect(), ..self.clone() }
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
        matches!(self.judge(issuer), Verdict::Counts { .. })
    }

    /// Whether this issuer's signatures count, for whom, or why not. Whatever was revoked does not, also where both a flag
    /// and the lattice name it.
    pub fn judge(&self, issuer: &PublicKey) -> Verdict {
        let word = self.lattice.get(issuer);
        let counts = |account: &PublicKey| Verdict::Counts { account: account.clone() };
        match word {
            Some(Word::Revoked) => Verdict::Revoked { account: None },
            Some(Word::SigningKey(account)) if self.lattice.get(account) == Some(&Word::Revoked) => {
                Verdict::Revoked { account: Some(account.clone()) }
            }
            _ if self.any_issuer || self.is_account(issuer) => counts(issuer),
            Some(Word::SigningKey(account)) if self.is_account(account) => counts(account),
            Some(Word::SigningKey(account)) => Verdict::UnknownAccount { account: account.clone() },
            Some(Word::Account) | None => Verdict::Unknown,
        }
    }

    /// Named as an account, and not as a key that signs for one: who signs for another names nobody further.
    fn is_account(&self, key: &PublicKey) -> bool {
        self.accounts.contains(key) || self.lattice.get(key) == Some(&Word::Account)
    }

    /// For whom `issuer` signed.
    ///
    /// # Errors
    /// `UntrustedIssuer`, `UntrustedAccount`, `RevokedIssuer`.
    pub fn check(&self, issuer: &PublicKey) -> Result<PublicKey, VerifyError> {
        let issuer_text = issuer.to_string();
        match self.judge(issuer) {
            Verdict::Counts { account } => Ok(account),
            Verdict::Unknown => Err(VerifyError::UntrustedIssuer { issuer: issuer_text }),
            Verdict::UnknownAccount { account } => {
                Err(VerifyError::UntrustedAccount { issuer: issuer_text, account: account.to_string() })
            }
            Verdict::Revoked { account } => Err(VerifyError::RevokedIssuer {
                issuer: issuer_text,
                account: account.map(|account| account.to_string()),
            }),
        }
    }

    /// The accounts that are named beside what a lattice says, in order.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.accounts.iter()
    }

    /// Whether anybody's signature counts.
    pub fn is_nobody(&self) -> bool {
        let mut named = self.accounts.iter().chain(self.lattice.keys());
        !self.any_issuer && !named.any(|key| self.trusts(key))
    }

    /// Whether every issuer is trusted; worth a warning wherever it is shown.
    pub fn trusts_anybody(&self) -> bool {
        self.any_issuer
    }

    pub(crate) fn accepts_unconfirmed_hashes(&self) -> bool {
        self.unconfirmed_hashes
    }
}
