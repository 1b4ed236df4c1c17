//! The table of actors. It owns what runs and in which state; the crew (see `worker`) changes it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lattice_claims::{ActorMetadata, Claims};
use lattice_core::{ActorId, ConfigName, ImageRef, SecretName, State};
use lattice_runtime::{Actor, Prepared};

use super::Needs;
use crate::signal::Changed;

/// Limits an operator may set for one actor; what is left out is the host's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) wall_ms: Option<u64>,
    pub(crate) cpu_ms: Option<u64>,
}

/// What an operator asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActorSpec {
    pub(crate) id: ActorId,
    pub(crate) image: ImageRef,
    /// The reference as it was given: events and inventories repeat it to the letter, since tools compare it.
    pub(crate) image_text: String,
    /// Invocations at once; 0 stops the actor.
    pub(crate) concurrency: u32,
    /// Invocations that may wait for their turn; none leaves it to this host.
    pub(crate) queue: Option<u32>,
    /// Invocations one instance serves, one after another; 1 means a fresh one each time.
    pub(crate) reuse: u32,
    pub(crate) limits: Limits,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Named configurations, merged left to right.
    pub(crate) config: Vec<ConfigName>,
    /// Secrets that it may read.
    pub(crate) secrets: Vec<SecretName>,
}

/// Who vouches for an actor.
#[derive(Debug, Clone)]
pub(crate) enum Signature {
    /// Claims by an issuer this host trusts.
    Trusted(Box<Claims<ActorMetadata>>),
    /// Nobody, and this host allows that.
    Unsigned,
}

impl Signature {
    pub(crate) fn claims(&self) -> Option<&Claims<ActorMetadata>> {
        match self {
            Signature::Trusted(claims) => Some(claims),
            Signature::Unsigned => None,
        }
    }
}

/// An actor that runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) actor: Arc<Actor>,
    pub(crate) signature: Signature,
    pub(crate) needs: Needs,
    /// `sha256:` and the hash of its bytes.
    pub(crate) digest: String,
    /// Its code, to be started again under other limits.
    pub(crate) prepared: Prepared,
}

#[derive(Clone)]
struct Entry {
    spec: ActorSpec,
    state: State,
    running: Option<Running>,
}

/// An actor as inventories show it.
#[derive(Clone)]
pub(crate) struct ActorView {
    pub(crate) spec: ActorSpec,
    pub(crate) state: State,
    pub(crate) running: Option<Running>,
}

/// The table; cheap to clone.
#[derive(Clone)]
pub(crate) struct Actors {
    entries: Arc<Mutex<BTreeMap<ActorId, Entry>>>,
    changed: Changed,
}

impl Actors {
    pub(crate) fn new(changed: Changed) -> Self {
        Self { entries: Arc::default(), changed }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ActorId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows an actor in `state` that does not run.
    pub(super) fn show(&self, spec: ActorSpec, state: State) {
        self.lock().insert(spec.id.clone(), Entry { spec, state, running: None });
        self.changed.tell();
    }

    /// Changes the state of an actor that stays what it is.
    pub(super) fn set_state(&self, id: &ActorId, state: State) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.state = state;
        }
        self.changed.tell();
    }

    /// From now on calls find this; what ran before is given back.
    pub(super) fn install(&self, spec: ActorSpec, running: Running) -> Option<Running> {
        let entry = Entry { spec: spec.clone(), state: State::Ready, running: Some(running) };
        let before = self.lock().insert(spec.id, entry);
        self.changed.tell();
        before.and_then(|entry| entry.running)
    }

    /// Puts another concurrency on record.
    pub(super) fn set_size(&self, id: &ActorId, concurrency: u32, queue: Option<u32>) {
        if let Some(entry) = self.lock().get_mut(id) {
            (entry.spec.concurrency, entry.spec.queue) = (concurrency, queue);
        }
        self.changed.tell();
    }

    pub(super) fn remove(&self, id: &ActorId) {
        self.lock().remove(id);
        self.changed.tell();
    }

    /// What runs under `id`, for a call.
    pub(crate) fn running(&self, id: &str) -> Option<Arc<Actor>> {
        self.lock().get(id)?.running.as_ref().map(|running| running.actor.clone())
    }

    /// How near an actor is to its limit, in thousandths; 0 where it does not run.
    pub(crate) fn load_of(&self, id: &str) -> u16 {
        let Some(actor) = self.running(id) else { return 0 };
        let stats = actor.stats();
        let calls = stats.in_flight + u64::from(stats.waiting);
        u16::try_from((calls * 1000 / u64::from(stats.concurrency.max(1))).min(1000)).unwrap_or(1000)
    }

    /// The actors that take calls: those that run and are not being stopped.
    pub(crate) fn callable(&self) -> Vec<ActorId> {
        let takes = |entry: &Entry| entry.running.is_some() && entry.state != State::Stopping;
        self.lock().iter().filter(|(_, entry)| takes(entry)).map(|(id, _)| id.clone()).collect()
    }

    /// The actor as inventories show it.
    pub(crate) fn view(&self, id: &str) -> Option<ActorView> {
        self.lock().get(id).map(Entry::view)
    }

    /// Every actor, by id.
    pub(crate) fn list(&self) -> Vec<ActorView> {
        self.lock().values().map(Entry::view).collect()
    }
}

impl Entry {
    fn view(&self) -> ActorView {
        ActorView { spec: self.spec.clone(), state: self.state.clone(), running: self.running.clone() }
    }
}
