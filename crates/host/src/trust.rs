//! Whose signatures count on this host: those of the accounts that its flags name, and of those that the lattice does, as far
//! as the lattice revoked none of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use lattice_claims::{KeyKind, PublicKey, Trust, Verdict, VerifyError, Word};
use lattice_control_interface::{PutTrustCommand, TrustEntry};
use lattice_core::{AccountKey, HostId, Standing, TrustFact};

use crate::{
    lattice::{Lattice, Written},
    roles::{Granted, Roles},
};

/// The standing of a key that somebody trusts who is no admin, on a host that knows admins.
const UNCONFIRMED: &str = "unconfirmed";

/// What the lattice says of keys.
pub(crate) type Words = BTreeMap<AccountKey, Written<TrustFact>>;

/// What was looked at, and what follows of it: it changes seldom and is asked for often.
#[derive(Default)]
struct Last {
    words: Arc<Words>,
    granted: Arc<Granted>,
    /// By key, with the standing that it has on this host.
    entries: Arc<BTreeMap<AccountKey, TrustEntry>>,
    trust: Arc<Trust>,
}

/// Flags and lattice put together; cheap to clone.
#[derive(Clone)]
pub(crate) struct Trusting {
    flags: Arc<Trust>,
    lattice: Lattice,
    roles: Roles,
    allow_unsigned: bool,
    last: Arc<Mutex<Last>>,
}

impl Trusting {
    pub(crate) fn new(flags: Trust, lattice: Lattice, roles: Roles, allow_unsigned: bool) -> Self {
        let flags = Arc::new(flags);
        let last = Arc::new(Mutex::new(Last { trust: flags.clone(), ..Last::default() }));
        Self { flags, lattice, roles, allow_unsigned, last }
    }

    /// As far as this host knows now.
    pub(crate) fn now(&self) -> Arc<Trust> {
        self.look().1
    }

    /// What the lattice says of keys, with the standing that they have on this host.
    pub(crate) fn entries(&self) -> Arc<BTreeMap<AccountKey, TrustEntry>> {
        self.look().0
    }

    fn look(&self) -> (Arc<BTreeMap<AccountKey, TrustEntry>>, Arc<Trust>) {
        let (words, granted) = (self.lattice.view().trust.clone(), self.roles.now());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.words, &words) || !Arc::ptr_eq(&last.granted, &granted) {
            let entry = |(key, written): (&AccountKey, &Written<TrustFact>)| {
                (key.clone(), self.entry(key, written, &granted))
            };
            let entries: BTreeMap<_, _> = words.iter().map(entry).collect();
            let trust = Arc::new(self.flags.in_lattice(entries.iter().filter_map(word)));
            *last = Last { words, granted, entries: Arc::new(entries), trust };
        }
        (last.entries.clone(), last.trust.clone())
    }

    /// Whom nobody trusts who is an admin, where this host knows admins, is not trusted: whoever can write to the bucket would
    /// be one else. A revocation counts whoever wrote it: it lets nobody in.
    fn entry(&self, key: &AccountKey, written: &Written<TrustFact>, granted: &Granted) -> TrustEntry {
        let Written { says, at, writer, version } = written;
        if says.standing() == Standing::Revoked {
            self.roles.note_revoked(granted, key, (says.order.as_ref(), *version));
        }
        let confirmed = says.standing() == Standing::Revoked
            || !self.roles.knows_admins()
            || (says_so(key, says)
                && self.roles.is_trusted_by_order(granted, key, (says.order.as_ref(), *version, writer)));
        TrustEntry {
            key: key.clone(),
            standing: if confirmed { says.standing.clone() } else { UNCONFIRMED.to_owned() },
            account: says.account.clone(),
            by: says.by.clone(),
            at: at.clone(),
            through: HostId::new(writer).ok(),
        }
    }

    /// The keys that the lattice trusts here.
    pub(crate) fn counted(&self) -> Vec<String> {
        let entries = self.entries();
        let trusted = entries.iter().filter(|(_, entry)| entry.standing() == Standing::Trusted);
        trusted.map(|(key, _)| key.to_string()).collect()
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
        let entries = self.entries();
        let Some(entry) = entries.get(key) else { return String::new() };
        let at = if entry.at.is_empty() { String::new() } else { format!(" at {}", entry.at) };
        entry.by.as_ref().map_or(at.clone(), |by| format!("{at} by {by}"))
    }
}

/// Whether the order of a fact is about what the fact says.
fn says_so(key: &AccountKey, says: &TrustFact) -> bool {
    let command = says.order.as_ref().map(|order| serde_json::from_str::<PutTrustCommand>(&order.body));
    matches!(command, Some(Ok(command)) if command.key == *key && command.account == says.account)
}

/// A key that is none cannot have signed anything. What is not confirmed says nothing.
fn word((key, entry): (&AccountKey, &TrustEntry)) -> Option<(PublicKey, Word)> {
    let public = |key: &AccountKey| PublicKey::of_kind(key.as_str(), KeyKind::Account).ok();
    if entry.standing == UNCONFIRMED {
        return None;
    }
    let word = match (entry.standing(), &entry.account) {
        (Standing::Revoked, _) => Word::Revoked,
        (Standing::Trusted, None) => Word::Account,
        (Standing::Trusted, Some(account)) => Word::SigningKey(public(account)?),
    };
    Some((public(key)?, word))
}
