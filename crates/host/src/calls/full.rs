//! What a host does with a call when all permits of the target are taken. Pure.

use lattice_core::HostId;

use super::choose::less_busy;
use crate::directory::Candidate;

/// How a call came, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// True if the broker picked this host, not the caller.
    pub(super) by_group: bool,
    /// True if another host passed it on.
    pub(super) handed_on: bool,
    /// True if the caller knows others that may be free, and rather asks them than waits here.
    pub(super) at_once: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Let it wait for a permit, in the bounded queue.
    Wait,
    /// Pass it on.
    HandOn(HostId),
    /// Answer that it was not run.
    Refuse,
}

/// Decides. `others` are the other hosts that run the target.
pub(super) fn when_full(came: Came, site: Option<&str>, others: &[Candidate], random: u64) -> WhenFull {
    match came {
        // Once is enough: two full hosts would pass it to and fro.
        Came { handed_on: true, .. } => WhenFull::Wait,
        Came { by_group: true, .. } => {
            let living: Vec<&Candidate> = others.iter().filter(|one| one.alive).collect();
            let near: Vec<&Candidate> =
                living.iter().copied().filter(|one| one.site.as_deref() == site).collect();
            let picked = less_busy(if near.is_empty() { &living } else { &near }, random);
            picked.map_or(WhenFull::Wait, |one| WhenFull::HandOn(one.host.clone()))
        }
        Came { at_once: true, .. } => WhenFull::Refuse,
        Came { .. } => WhenFull::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_passed_on_once_and_waits_where_nobody_else_is() {
        let host = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let other = |alive| [Candidate { host: host.clone(), alive, load: 0, site: None }];
        let came = |by_group, handed_on, at_once| Came { by_group, handed_on, at_once };
        for (came, alive, want) in [
            (came(true, false, false), true, WhenFull::HandOn(host.clone())),
            (came(true, false, false), false, WhenFull::Wait),
            (came(false, true, false), true, WhenFull::Wait),
            (came(false, false, true), true, WhenFull::Refuse),
            (came(false, false, false), true, WhenFull::Wait),
        ] {
            assert_eq!(when_full(came, None, &other(alive), 1), want, "{came:?}");
        }
    }
}
