//! How far the asking for one call has got: whom it was offered to, what was said, and what patience is left.

use std::{sync::Arc, time::Duration};

use lattice_core::{CallError, CallTo, HostId};
use tokio::time::Instant;

use super::{
    Patience, Way,
    choose::{Asked, Choice, Here, Refusal, Situation, choose},
};
use crate::directory::Candidate;

/// How long is paused before hosts that were all busy are asked once more: a call that just ended may have left its place
/// by then. After the last pause the call waits at one of them.
const BUSY_PAUSES: [Duration; 7] = [
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
    Duration::from_millis(16),
    Duration::from_millis(32),
    Duration::from_millis(64),
    Duration::from_millis(128),
];
/// How long a provider that is a process of its own, and well as far as is known, may be away; and how often it is tried.
const ABSENT_MAX: Duration = Duration::from_secs(3);

/// One call's asking.
pub(super) struct Asking {
    hosts: Arc<[Candidate]>,
    site: Option<String>,
    asked: Vec<Asked>,
    anyone_asked: bool,
    /// The target in this process has refused before others were asked.
    refused_here: bool,
    /// What the last one that refused said.
    pub(super) refused: Option<CallError>,
    pauses: &'static [Duration],
    patience: Patience,
    pub(super) present_until: Instant,
}

impl Asking {
    pub(super) fn new(hosts: Arc<[Candidate]>, site: Option<String>, refused: Option<CallError>) -> Self {
        Self {
            hosts,
            site,
            asked: Vec::new(),
            anyone_asked: false,
            refused_here: refused.is_some(),
            refused,
            pauses: &BUSY_PAUSES,
            patience: Patience::new(),
            present_until: Instant::now() + ABSENT_MAX,
        }
    }

    /// Where it goes next.
    pub(super) fn choose(&self, way: &Way, me: &HostId, here: Here, random: u64) -> Choice {
        let situation = Situation {
            distance: way.distance,
            me,
            site: self.site.as_deref(),
            here,
            hosts: &self.hosts,
            asked: &self.asked,
            anyone_asked: self.anyone_asked,
        };
        choose(&situation, random)
    }

    /// How long to pause before all that were busy are asked once more, instead of that choice: behind a long call at one host it
    /// might wait while the other has been free for long.
    pub(super) fn pause_before(&mut self, choice: &Choice) -> Option<Duration> {
        if self.asked.len() < 2 || !matches!(choice, Choice::Host { patient: true, .. }) {
            return None;
        }
        let (pause, rest) = self.pauses.split_first()?;
        self.pauses = rest;
        self.forget_busy();
        Some(*pause)
    }

    /// How long it may wait there. Where only one host has the target, the place in its queue is worth more than a look around.
    pub(super) fn wait(&mut self, patient: bool) -> Option<Duration> {
        let several = self.hosts.iter().filter(|one| one.alive).count() > 1;
        (patient && several).then(|| self.patience.next())
    }

    /// Nobody was asked, not even the target in this process.
    pub(super) fn is_unasked(&self) -> bool {
        self.asked.is_empty() && !self.refused_here
    }

    /// Somebody refused.
    pub(super) fn note(&mut self, to: CallTo, refusal: Refusal, patient: bool) {
        match to {
            CallTo::Host(host) => self.asked.push(Asked { host, refusal, patient }),
            CallTo::Anyone => self.anyone_asked = true,
        }
    }

    /// All that were busy may be asked again, and those that are new.
    pub(super) fn begin_anew(&mut self, hosts: Arc<[Candidate]>) {
        self.forget_busy();
        self.hosts = hosts;
    }

    fn forget_busy(&mut self) {
        self.asked.retain(|asked| asked.refusal != Refusal::Busy);
    }
}
