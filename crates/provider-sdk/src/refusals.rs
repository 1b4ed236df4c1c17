//! Whom this process refused something: counted for each asker since the start, and told with each answer about its health.

use std::{collections::BTreeMap, time::Duration};

use lattice_contracts::{Asker, Refused};
use tokio::time::Instant;

use crate::wire::RefusalAnswer;

/// Askers that are told apart; further ones are one.
const ASKERS_MAX: usize = 64;
/// Who was refused nothing for so long makes room for others: the host has heard of it long ago.
const QUIET: Duration = Duration::from_secs(600);
/// So much of a reason is told, in characters.
const REASON_CHARS_MAX: usize = 400;

/// The counts, each with the latest refusal.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<Asker, (Refused, Instant)>);

impl Refusals {
    pub(crate) fn note(&mut self, mut refused: Refused, now: Instant) {
        if self.0.len() >= ASKERS_MAX && !self.0.contains_key(&refused.asker) {
            self.0.retain(|_, (_, latest)| now.duration_since(*latest) < QUIET);
        }
        if self.0.len() >= ASKERS_MAX && !self.0.contains_key(&refused.asker) {
            refused.asker = Asker::Others;
        }
        if refused.reason.chars().nth(REASON_CHARS_MAX).is_some() {
            refused.reason = refused.reason.chars().take(REASON_CHARS_MAX).collect();
        }
        let before = self.0.get(&refused.asker).map_or(0, |(before, _)| before.count);
        refused.count = refused.count.saturating_add(before);
        self.0.insert(refused.asker.clone(), (refused, now));
    }

    pub(crate) fn answers(&self) -> Vec<RefusalAnswer> {
        self.0.values().map(|(refused, _)| RefusalAnswer::new(refused)).collect()
    }
}

#[cfg(test)]
mod tests {
    use lattice_core::ErrorCode;

    use super::*;

    fn refused(asker: &str, reason: &str) -> Refused {
        let (asker, interface) = (Asker::read(asker), "wasi:keyvalue/store".to_owned());
        Refused { asker, count: 1, code: ErrorCode::NoLink, interface, reason: reason.to_owned() }
    }

    #[test]
    fn each_asker_is_counted_and_the_latest_is_told() {
        let mut refusals = Refusals::default();
        for (asker, reason) in [("a", "1"), ("b", "2"), ("a", "3")] {
            refusals.note(refused(asker, reason), Instant::now());
        }
        let told: Vec<_> =
            refusals.answers().into_iter().map(|told| (told.source, told.count, told.message)).collect();
        let want = [("a", 2, "3"), ("b", 1, "2")];
        assert_eq!(told, want.map(|(asker, count, why)| (asker.to_owned(), count, why.to_owned())));
    }

    #[test]
    fn a_flood_of_askers_is_bounded_and_none_is_left_out_of_the_count() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        for number in 0..1000 {
            refusals.note(refused(&format!("a{number}"), &"ä".repeat(10_000)), now);
        }
        let told = refusals.answers();
        assert_eq!((told.len(), told.iter().map(|told| told.count).sum::<u64>()), (ASKERS_MAX + 1, 1000));
        assert!(told.iter().all(|told| told.message.chars().count() == REASON_CHARS_MAX));
        // Once they are quiet, there is room for others.
        refusals.note(refused("late", "1"), now + QUIET);
        assert_eq!(refusals.answers().iter().map(|told| &*told.source).collect::<Vec<_>>(), ["late"]);
    }
}
