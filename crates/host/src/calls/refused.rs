//! Calls of others that have no right: counted, and told of with who called.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lattice_contracts::CallContext;
use lattice_control_interface::events::CallRefused;
use lattice_core::EntityId;
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

/// Who called. A broker with permissions lets nobody call as another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Named(EntityId),
    /// More callers than can be told apart.
    Others,
}

/// One of them, for people.
#[derive(Debug, Clone)]
struct Sample {
    target: EntityId,
    interface: String,
    why: NotAllowed,
}

/// Counts and tells; one of it on a host.
pub(crate) struct RefusedCalls {
    about: Arc<About>,
    events: Events,
    refusals: Mutex<Refusals<Caller, Sample>>,
}

impl RefusedCalls {
    pub(crate) fn new(about: Arc<About>, events: Events) -> Self {
        Self { about, events, refusals: Mutex::new(Refusals::new(Caller::Others)) }
    }

    /// Takes one down, and tells of it unless its caller was told of a moment ago.
    pub(super) fn note(&self, call: &CallContext, interface: &str, why: &NotAllowed) {
        let interface = interface.chars().take(INTERFACE_CHARS).collect();
        let sample = Sample { target: call.target.clone(), interface, why: why.clone() };
        let told = self.lock().note(Caller::Named(call.source.clone()), sample, Instant::now());
        self.tell(told);
    }

    /// How many calls were refused here, since the host was started.
    pub(crate) fn total(&self) -> u64 {
        self.lock().total()
    }

    fn tell(&self, told: impl IntoIterator<Item = Told<Caller, Sample>>) {
        for Told { source, count, total, sample } in told {
            let Sample { target, interface, why: NotAllowed { code, reason } } = sample;
            let source = match &source {
                Caller::Named(id) => id.as_str(),
                Caller::Others => "others",
            };
            let code = code.as_str();
            warn!(source, count, total, code, target = target.as_str(), interface, reason, "calls refused");
            self.events.publish(&CallRefused {
                host_id: self.about.id.clone(),
                source: source.to_owned(),
                count,
                total,
                code: code.to_owned(),
                target: target.to_string(),
                interface,
                message: reason,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Refusals<Caller, Sample>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tells for RefusedCalls {
    fn tell_due(&self, now: Instant) {
        let due = self.lock().due(now);
        self.tell(due);
    }
}
