//! Who gets a call: this host, another one, whoever takes it, or nobody. Pure; the caller brings the random bits.
//!
//! Local first; then the less busy of two living hosts of the same site; then other sites. A host that refused without
//! running the call is replaced by another, a bounded number of times; when all are busy, one is asked to let the call
//! wait there. Nothing else is ever repeated.

use lattice_core::{Distance, HostId};

use crate::directory::Candidate;

/// How many hosts are asked for one call before it waits somewhere or fails.
pub(crate) const HOSTS_ASKED_MAX: usize = 3;

/// Whether the target runs in this host, and can take a call at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// It does not run here, or is being stopped.
    No,
    /// It has a permit left, or needs none.
    Free,
    /// All its permits are taken; a call would wait.
    Full,
}

/// Why somebody did not run the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It serves all it can: it may let the call wait.
    Busy,
    /// It is stopping, or nobody answers for it.
    Gone,
}

/// A host that was asked and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) host: HostId,
    pub(crate) refusal: Refusal,
    /// True if it was asked to let the call wait.
    pub(crate) patient: bool,
}

/// All that a choice depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    /// How far the link lets calls go.
    pub(crate) distance: Distance,
    /// This host, and where it stands.
    pub(crate) me: &'a HostId,
    pub(crate) site: Option<&'a str>,
    pub(crate) here: Here,
    /// Every host known to run the target; this one may be among them.
    pub(crate) hosts: &'a [Candidate],
    /// Who refused this call already, in order.
    pub(crate) asked: &'a [Asked],
    /// True once the call has been offered to whoever takes it.
    pub(crate) anyone_asked: bool,
}

/// Where a call goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// To the target in this process; it may wait there for a permit.
    Local,
    /// To another host. Unless `patient`, it shall refuse rather than let the call wait, since somebody else may be free.
    Host { host: HostId, patient: bool },
    /// To whoever takes it: this host knows nobody who runs the target, which others may.
    Anyone,
    /// Nowhere.
    Nobody(Why),
}

/// Why a call goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// The link keeps calls in this host, and the target does not run here.
    TooFar,
    /// All hosts that run the target are lost.
    Lost(Vec<HostId>),
    /// Nobody answers for the target.
    Nowhere,
}

/// Chooses. `random` picks among equals.
pub(crate) fn choose(situation: &Situation<'_>, random: u64) -> Choice {
    let Situation { distance, here, .. } = *situation;
    match (distance, here) {
        (Distance::Local, Here::No) => return Choice::Nobody(Why::TooFar),
        (Distance::Local, _) | (Distance::PreferLocal, Here::Free) => return Choice::Local,
        _ => {}
    }
    let may_ask = situation.asked.len() < HOSTS_ASKED_MAX && !situation.anyone_asked;
    let fresh: Vec<&Candidate> =
        situation.living().filter(|one| may_ask && !situation.has_asked(one)).collect();
    let near: Vec<&Candidate> = fresh.iter().copied().filter(|one| situation.is_near(one)).collect();
    let Some(chosen) = less_busy(if near.is_empty() { &fresh } else { &near }, random) else {
        return last_resort(situation);
    };
    if chosen.host == *situation.me {
        return Choice::Local;
    }
    let alone = here == Here::No && situation.living().count() == 1;
    Choice::Host { host: chosen.host.clone(), patient: alone }
}

/// Nobody is left who might be free.
fn last_resort(situation: &Situation<'_>) -> Choice {
    if situation.here != Here::No {
        return Choice::Local;
    }
    let busy = |one: &&Candidate| {
        let refused = |asked: &Asked| asked.host == one.host && asked.refusal == Refusal::Busy;
        situation.asked.iter().any(refused)
    };
    let least = situation.living().filter(busy).min_by_key(|one| (!situation.is_near(one), one.load));
    // Patience is asked for once: whoever refuses then has no room left to wait in.
    let patience_left = !situation.asked.iter().any(|asked| asked.patient);
    if let Some(host) = least.map(|one| one.host.clone()).filter(|_| patience_left) {
        return Choice::Host { host, patient: true };
    }
    let lost: Vec<HostId> =
        situation.hosts.iter().filter(|one| !one.alive).map(|one| one.host.clone()).collect();
    match (lost.is_empty(), situation.anyone_asked) {
        // Among whoever takes it might be a lost one that only looks alive to the broker.
        (false, _) => Choice::Nobody(Why::Lost(lost)),
        (true, false) => Choice::Anyone,
        (true, true) => Choice::Nobody(Why::Nowhere),
    }
}

impl<'a> Situation<'a> {
    /// The living hosts a call may go to; this one only where it counts as one of many.
    fn living(&self) -> impl Iterator<Item = &'a Candidate> + use<'a> {
        let (me, shares) = (self.me, self.distance == Distance::Lattice && self.here == Here::Free);
        self.hosts.iter().filter(move |one| one.alive && (one.host != *me || shares))
    }

    fn has_asked(&self, one: &Candidate) -> bool {
        self.asked.iter().any(|asked| asked.host == one.host)
    }

    fn is_near(&self, one: &Candidate) -> bool {
        one.site.as_deref() == self.site
    }
}

/// The less busy of two that are picked at random: nearly as even as looking at all, and no two callers flock to the
/// same one.
pub(super) fn less_busy<'a>(hosts: &[&'a Candidate], random: u64) -> Option<&'a Candidate> {
    let count = hosts.len();
    let pick = |bits: u64, among: usize| usize::try_from(bits % (among as u64)).unwrap_or(0);
    match count {
        0 => None,
        1 => hosts.first().copied(),
        _ => {
            let first = pick(random & 0xffff_ffff, count);
            let second = (first + 1 + pick(random >> 32, count - 1)) % count;
            Some(if hosts[second].load < hosts[first].load { hosts[second] } else { hosts[first] })
        }
    }
}

#[cfg(test)]
mod tests;
