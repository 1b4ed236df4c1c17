//! What this host can open. Opened once for each value, kept in memory, forgotten with the fact.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lattice_claims::{KeyPair, OpenedSecret, SecretError, curve_key, open_secret};
use lattice_core::{CurveKey, HostId, LatticeName, SealedFor, SealedSecret, Secret, SecretFact, SecretName};
use lattice_nats::{Version, WallClock};

use super::Missing;
use crate::lattice::{Lattice, View};

/// A secret as the lattice has it: what it says, and in which version of the fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) says: SecretFact,
    pub(crate) version: Version,
}

/// The secrets of this host; cheap to clone.
#[derive(Clone)]
pub(crate) struct Secrets {
    inner: Arc<Inner>,
}

struct Inner {
    me: HostId,
    name: LatticeName,
    xkey: KeyPair,
    lattice: Lattice,
    clock: WallClock,
    opened: Mutex<BTreeMap<SecretName, Opened>>,
}

/// What came of opening one value.
struct Opened {
    key: CurveKey,
    mine: Option<SealedFor>,
    outcome: Result<OpenedSecret, SecretError>,
}

impl Opened {
    /// Whether it is of this value, in the box that this host has now.
    fn is_of(&self, sealed: &SealedSecret, me: &HostId) -> bool {
        self.key == sealed.key && self.mine.as_ref() == sealed.readers.get(me)
    }
}

impl Secrets {
    pub(crate) fn new(
        me: HostId,
        name: LatticeName,
        xkey: KeyPair,
        lattice: Lattice,
        clock: WallClock,
    ) -> Self {
        let opened = Mutex::default();
        Self { inner: Arc::new(Inner { me, name, xkey, lattice, clock, opened }) }
    }

    pub(crate) fn me(&self) -> &HostId {
        &self.inner.me
    }

    pub(crate) fn lattice(&self) -> &Lattice {
        &self.inner.lattice
    }

    /// The key to which secrets are sealed for this host.
    pub(crate) fn xkey(&self) -> CurveKey {
        curve_key(self.inner.xkey.public_key())
    }

    /// The time of day, RFC 3339.
    pub(crate) fn now(&self) -> String {
        self.inner.clock.now_rfc3339()
    }

    /// The value of a secret, as the lattice has it now.
    pub(crate) fn get(&self, name: &SecretName) -> Result<Secret, Missing> {
        self.get_of(&self.inner.lattice.view(), name)
    }

    /// As [`Secrets::get`], by these facts.
    pub(crate) fn get_of(&self, facts: &View, name: &SecretName) -> Result<Secret, Missing> {
        self.opened(facts, name).map(|opened| opened.secret().clone())
    }

    /// The first of `names` that this host has not got, and why.
    pub(crate) fn missing(&self, names: &[SecretName]) -> Option<Missing> {
        if names.is_empty() {
            return None;
        }
        let facts = self.inner.lattice.view();
        names.iter().find_map(|name| self.opened(&facts, name).err())
    }

    pub(super) fn opened(&self, facts: &View, name: &SecretName) -> Result<OpenedSecret, Missing> {
        let known = facts.secrets.get(name).ok_or_else(|| Missing::Unknown { name: name.clone() })?;
        let sealed = &known.says.sealed;
        let kept = self.lock().get(name).filter(|one| one.is_of(sealed, &self.inner.me)).map(outcome);
        let outcome = kept.unwrap_or_else(|| {
            // Not under the lock: two key operations, and the value.
            let outcome = self.open(name, sealed);
            let mine = sealed.readers.get(&self.inner.me).cloned();
            let opened = Opened { key: sealed.key.clone(), mine, outcome: outcome.clone() };
            self.lock().insert(name.clone(), opened);
            outcome
        });
        outcome.map_err(|error| match error {
            SecretError::NotForUs { .. } => {
                Missing::NotHere { name: name.clone(), holders: sealed.readers.len() }
            }
            why => Missing::Broken { name: name.clone(), why },
        })
    }

    /// Opens what was put, or is to be.
    pub(crate) fn open(&self, name: &SecretName, sealed: &SealedSecret) -> Result<OpenedSecret, SecretError> {
        open_secret(sealed, (&self.inner.name, name), &self.inner.me, &self.inner.xkey)
    }

    /// Forgets what is no longer as it was opened.
    pub(super) fn sweep(&self, facts: &View) {
        let me = &self.inner.me;
        self.lock().retain(|name, opened| {
            facts.secrets.get(name).is_some_and(|known| opened.is_of(&known.says.sealed, me))
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SecretName, Opened>> {
        self.inner.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome(opened: &Opened) -> Result<OpenedSecret, SecretError> {
    opened.outcome.clone()
}
