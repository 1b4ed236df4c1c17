//! Whose signatures count on this host: those of the accounts that its flags name, and of those that the lattice does, as far
//! as the lattice revoked none of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use lattice_claims::{KeyKind, PublicKey, Trust, Verdict, VerifyError, Word};
use lattice_control_interface::TrustEntry;
use lattice_core::{AccountKey, Standing};

use crate::lattice::Lattice;

/// What the lattice says of keys.
pub(crate) type Words = BTreeMap<AccountKey, TrustEntry>;

/// Flags and lattice put together; cheap to clone.
#[derive(Clone)]
pub(crate) struct Trusting {
    flags: Arc<Trust>,
    lattice: Lattice,
    allow_unsigned: bool,
    /// The last words of the lattice, and what follows of them: they change seldom and are asked for often.
    last: Arc<Mutex<(Arc<Words>, Arc<Trust>)>>,
}

impl Trusting {
    pub(crate) fn new(flags: Trust, lattice: Lattice, allow_unsigned: bool) -> Self {
        let flags = Arc::new(flags);
        let last = Arc::new(Mutex::new((Arc::default(), flags.clone())));
        Self { flags, lattice, allow_unsigned, last }
    }

    /// As far as this host knows now.
    pub(crate) fn now(&self) -> Arc<Trust> {
        let words = self.lattice.view().trust.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.0, &words) {
            let trust = Arc::new(self.flags.in_lattice(words.iter().filter_map(word)));
            *last = (words, trust);
        }
        last.1.clone()
    }

    /// With all that was said in the lattice before this was called, where the lattice answers within half a second: so a key
    /// that was revoked through another host starts nothing here from that moment on.
    pub(crate) async fn current(&self) -> Arc<Trust> {
        self.lattice.wait_current().await;
        self.now()
    }

    /// Whether what `issuer` signed may start now; the answer is that of [`Trusting::now`].
    pub(crate) fn check(&self, issuer: &str) -> Result<(), VerifyError> {
        let key: PublicKey = issuer.parse().map_err(|reason| VerifyError::BadIssuer { reason })?;
        self.now().check(&key).map(drop)
    }

    /// The accounts that this host's flags name.
    pub(crate) fn flags(&self) -> Vec<AccountKey> {
        self.flags.iter().filter_map(|key| AccountKey::new(key).ok()).collect()
    }

    /// What an operator should know at every look.
    pub(crate) fn notice(&self) -> Option<String> {
        let rest = if self.allow_unsigned { "signed actors will not start" } else { "no actor will start" };
        self.now().is_nobody().then(|| {
            format!(
                "no issuer is trusted, so {rest}; name one with --trust ACCOUNT, or for all hosts: wash trust add ACCOUNT"
            )
        })
    }

    /// Why an actor that runs, and that `issuer` signed, would not start again; none where it would.
    pub(crate) fn objection(&self, issuer: &str) -> Option<String> {
        let key: PublicKey = issuer.parse().ok()?;
        let why = match self.now().judge(&key) {
            Verdict::Counts { .. } => return None,
            Verdict::Revoked { account: None } => format!("which was revoked{}", self.when(issuer)),
            Verdict::Revoked { account: Some(account) } => {
                format!("for account {account}, which was revoked{}", self.when(account.as_str()))
            }
            Verdict::UnknownAccount { account } => format!("for account {account}, which is trusted no more"),
            Verdict::Unknown => "which is trusted no more".to_owned(),
        };
        Some(format!("it was signed by {issuer}, {why}; it runs on, and will not start again"))
    }

    /// When the lattice last said something of a key, and who did.
    fn when(&self, key: &str) -> String {
        let view = self.lattice.view();
        let Some(entry) = view.trust.get(key) else { return String::new() };
        let at = if entry.at.is_empty() { String::new() } else { format!(" at {}", entry.at) };
        entry.by.as_ref().map_or(at.clone(), |by| format!("{at} by {by}"))
    }
}

/// A key that is none cannot have signed anything.
fn word((key, entry): (&AccountKey, &TrustEntry)) -> Option<(PublicKey, Word)> {
    let public = |key: &AccountKey| PublicKey::of_kind(key.as_str(), KeyKind::Account).ok();
    let word = match (entry.standing(), &entry.account) {
        (Standing::Revoked, _) => Word::Revoked,
        (Standing::Trusted, None) => Word::Account,
        (Standing::Trusted, Some(account)) => Word::SigningKey(public(account)?),
    };
    Some((public(key)?, word))
}
