//! Calls of others that have no right, and what providers refuse: counted, and told of with who asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lattice_contracts::{Asker, CallContext, Refused};
use lattice_control_interface::events::CallRefused;
use lattice_core::{EntityId, ErrorCode, ProviderId};
use tokio::time::Instant;
use tracing::warn;

use super::check::NotAllowed;
use crate::{
    about::About,
    events::Events,
    refusals::{Refusals, Tells, Told},
};

/// How much of an interface's name is told: whoever calls may write what he likes there.
const INTERFACE_CHARS: usize = 256;
/// So many refusals of one asker a provider may tell of at once; no more fit between two looks.
const REPORTED_AT_ONCE: u64 = 1_000_000;

/// One of them, for people.
#[derive(Debug, Clone)]
struct Sample {
    target: EntityId,
    interface: String,
    code: ErrorCode,
    reason: String,
}

/// Counts and tells; one of it on a host.
pub(crate) struct RefusedCalls {
    about: Arc<About>,
    events: Events,
    /// A broker with permissions lets nobody call as another.
    refusals: Mutex<Refusals<Asker, Sample>>,
    /// What providers say: beside it, since one that says what it likes must not crowd out what this host saw itself.
    reported: Mutex<Refusals<Asker, Sample>>,
}

impl RefusedCalls {
    pub(crate) fn new(about: Arc<About>, events: Events) -> Self {
        let table = || Mutex::new(Refusals::new(Asker::Others));
        Self { about, events, refusals: table(), reported: table() }
    }

    /// Takes one down, and tells of it unless its caller was told of a moment ago.
    pub(super) fn note(&self, call: &CallContext, interface: &str, why: &NotAllowed) {
        let NotAllowed { code, reason } = why.clone();
        let asker = Asker::Caller(call.source.clone());
        self.count(&self.refusals, (asker, 1), call.target.clone(), interface, (code, reason));
    }

    /// Takes down what a provider of this host says that it refused.
    pub(crate) fn note_of(&self, provider: &ProviderId, refused: Refused) {
        let Refused { asker, count, code, interface, reason } = refused;
        let count = count.min(REPORTED_AT_ONCE);
        self.count(&self.reported, (asker, count), provider.clone().into(), &interface, (code, reason));
    }

    fn count(
        &self,
        table: &Mutex<Refusals<Asker, Sample>>,
        (asker, count): (Asker, u64),
        target: EntityId,
        interface: &str,
        (code, reason): (ErrorCode, String),
    ) {
        let interface = interface.chars().take(INTERFACE_CHARS).collect();
        let sample = Sample { target, interface, code, reason };
        let told = lock(table).note_several(asker, count, sample, Instant::now());
        self.tell(told);
    }

    /// How many calls were refused here, since the host was started.
    pub(crate) fn total(&self) -> u64 {
        lock(&self.refusals).total().saturating_add(lock(&self.reported).total())
    }

    fn tell(&self, told: impl IntoIterator<Item = Told<Asker, Sample>>) {
        for Told { source, count, total, sample } in told {
            let Sample { target, interface, code, reason } = sample;
            let (source, code) = (source.to_string(), code.as_str());
            warn!(source, count, total, code, target = target.as_str(), interface, reason, "calls refused");
            self.events.publish(&CallRefused {
                host_id: self.about.id.clone(),
                source,
                count,
                total,
                code: code.to_owned(),
                target: target.to_string(),
                interface,
                message: reason,
            });
        }
    }
}

fn lock(table: &Mutex<Refusals<Asker, Sample>>) -> MutexGuard<'_, Refusals<Asker, Sample>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tells for RefusedCalls {
    fn tell_due(&self, now: Instant) {
        for table in [&self.refusals, &self.reported] {
            let due = lock(table).due(now);
            self.tell(due);
        }
    }
}
