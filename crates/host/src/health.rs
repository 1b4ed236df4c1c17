//! This host's own state: well, or degraded by what; told in its log, by event, and to whoever asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use lattice_control_interface::events::HostStateChanged;
use lattice_core::{HostId, State};
use tracing::{info, warn};

use crate::events::Events;

/// What a host may suffer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// NATS cannot be reached.
    NoLattice,
    /// Hosts of wasmCloud 1.x are in the lattice.
    V1Hosts,
}

/// The host's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Health(Arc<Shared>);

struct Shared {
    host: HostId,
    events: Events,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Why it is degraded, by cause.
    reasons: BTreeMap<Cause, String>,
    /// What is over, and an operator should know all the same: one line for each cause, the last.
    notices: BTreeMap<Cause, String>,
    /// Whether NATS asks nobody who he is; none before there was a connection.
    open: Option<bool>,
}

impl Known {
    fn state(&self) -> State {
        if self.reasons.is_empty() {
            return State::Ready;
        }
        let reasons: Vec<&str> = self.reasons.values().map(String::as_str).collect();
        State::Degraded(reasons.join("; "))
    }

    /// Takes a reason in, or that there is none any more; true if that is news.
    fn set(&mut self, cause: Cause, reason: Option<String>) -> bool {
        let before = match &reason {
            Some(reason) => self.reasons.insert(cause, reason.clone()),
            None => self.reasons.remove(&cause),
        };
        before != reason
    }
}

impl Health {
    /// A host that is well.
    pub(crate) fn new(host: HostId, events: Events) -> Self {
        Self(Arc::new(Shared { host, events, known: RwLock::default() }))
    }

    /// The host's own state.
    pub(crate) fn state(&self) -> State {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).state()
    }

    /// What is over, and worth knowing.
    pub(crate) fn notices(&self) -> Vec<String> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.notices.values().cloned().collect()
    }

    /// Says that the host suffers from something, and how an operator mends it; or that it does no longer. What is no news
    /// is told to nobody.
    pub(crate) fn set(&self, cause: Cause, reason: Option<String>) {
        let Shared { host, events, known } = &*self.0;
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.set(cause, reason.clone()) {
            return;
        }
        let state = known.state();
        match reason {
            Some(reason) => warn!("degraded: {reason}"),
            None => info!(?cause, state = state.word(), "what degraded this host is over"),
        }
        // Under the lock, so that of two changes the later one is told last. Without a connection the event waits until
        // there is one; its time tells when it was.
        events.publish(&HostStateChanged { host_id: host.clone(), state });
    }

    /// Whether NATS asks nobody who he is, so that whoever reaches it steers the lattice; none before there was a connection.
    pub(crate) fn is_open(&self) -> Option<bool> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).open
    }

    /// Takes in what kind of server this is: after each connect, since it may have become another.
    pub(crate) fn met(&self, open: bool, server: &str) {
        let before = self.0.known.write().unwrap_or_else(PoisonError::into_inner).open.replace(open);
        if open && before != Some(true) {
            warn!(
                server,
                "open lattice: NATS asks nobody for credentials, so whoever reaches it steers the lattice"
            );
        }
    }

    /// Leaves a line about something that is over.
    pub(crate) fn note(&self, cause: Cause, line: String) {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).notices.insert(cause, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_several_causes_and_what_is_news() {
        let mut known = Known::default();
        let some = |text: &str| Some(text.to_owned());
        assert!(!known.set(Cause::NoLattice, None) && known.state() == State::Ready);
        assert!(
            known.set(Cause::V1Hosts, some("old hosts")) && !known.set(Cause::V1Hosts, some("old hosts"))
        );
        assert!(known.set(Cause::NoLattice, some("no lattice")));
        assert_eq!(known.state().to_string(), "degraded: no lattice; old hosts");
        assert!(known.set(Cause::V1Hosts, some("older hosts")) && known.set(Cause::V1Hosts, None));
        assert_eq!(known.state().to_string(), "degraded: no lattice");
        assert!(known.set(Cause::NoLattice, None) && known.state() == State::Ready);
    }
}
