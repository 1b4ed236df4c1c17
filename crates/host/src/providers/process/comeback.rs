//! When a provider whose process ended is started again: a pure machine, without clock or I/O.
//!
//! One that never became ready is not tried again: whoever started it hears why. One that did comes back after a pause that
//! doubles with each end soon after the start, up to [`PAUSE_MAX`], for ever.

use std::time::Duration;

use lattice_core::State;

/// The first pause.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A process that lived so long is well: the next pause is the first one again, and its state is as it says.
pub(super) const WELL_AFTER: Duration = Duration::from_secs(30);

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Why, for people.
    pub(super) why: String,
    /// How long it lived since it was ready; none if it never was.
    pub(super) lived: Option<Duration>,
}

/// What is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it never worked.
    GiveUp,
    /// It is started again after a pause.
    Again(Duration),
}

/// What is remembered of the processes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comebacks {
    /// Whether one of them was ever ready.
    worked: bool,
    /// How many ended in a row, each soon after it was started.
    in_a_row: u32,
    /// How many ended at all.
    ends: u64,
    /// Why the last one did.
    last: Option<String>,
}

impl Comebacks {
    /// A process has ended.
    pub(super) fn ended(self, end: &End) -> (Self, Next) {
        let worked = self.worked || end.lived.is_some();
        let was_well = end.lived.is_some_and(|lived| lived >= WELL_AFTER);
        let in_a_row = if was_well { 1 } else { self.in_a_row.saturating_add(1) };
        let next = match worked {
            false => Next::GiveUp,
            true => Next::Again(pause(in_a_row)),
        };
        let (ends, last) = (self.ends.saturating_add(1), Some(end.why.clone()));
        (Self { worked, in_a_row, ends, last }, next)
    }

    /// The state to show of a process that has been ready for so long, and says that it is `own`.
    pub(super) fn state(&self, lived: Duration, own: State) -> State {
        match (&self.last, &own) {
            (Some(last), State::Ready) if lived < WELL_AFTER => State::Degraded(format!(
                "its process was started again, for the {} time: the one before {last}",
                ordinal(self.ends)
            )),
            _ => own,
        }
    }
}

fn pause(in_a_row: u32) -> Duration {
    let doubled = 1_u32.checked_shl(in_a_row.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

fn ordinal(number: u64) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(lived_ms: Option<u64>) -> End {
        End { why: "crashed".to_owned(), lived: lived_ms.map(Duration::from_millis) }
    }

    #[test]
    fn what_never_worked_is_given_up_and_what_did_comes_back_for_ever() {
        let (after, next) = Comebacks::default().ended(&end(None));
        assert_eq!(next, Next::GiveUp);
        let (mut comebacks, next) = after.ended(&end(Some(1)));
        assert_eq!(next, Next::Again(PAUSE_MIN * 2), "one before it failed already");
        for _ in 0..100 {
            let (after, next) = comebacks.ended(&end(None));
            assert!(matches!(next, Next::Again(_)));
            comebacks = after;
        }
        let (_, next) = comebacks.ended(&end(Some(40_000)));
        assert_eq!(next, Next::Again(PAUSE_MIN), "it had been well");
    }

    #[test]
    fn a_comeback_is_seen_until_it_is_well() {
        let (comebacks, _) = Comebacks::default().ended(&end(Some(5)));
        let shown = |lived, own: State| comebacks.state(Duration::from_secs(lived), own).to_string();
        let soon = shown(1, State::Ready);
        assert!(soon.starts_with("degraded: its process was started again, for the 1st time"), "{soon}");
        assert!(soon.contains("crashed"), "{soon}");
        assert_eq!(shown(31, State::Ready), "ready");
        assert_eq!(shown(1, State::Failed("full".into())), "failed: full");
        assert_eq!(Comebacks::default().state(Duration::ZERO, State::Ready), State::Ready);
        let ordinals: Vec<_> = [1, 2, 3, 4, 11, 12, 13, 21, 102].map(ordinal).into();
        assert_eq!(ordinals.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd");
    }

    proptest! {
        /// Whatever happens: a pause is never shorter than the first nor longer than the longest, grows as long as nothing is
        /// well, begins anew once something was, and nothing that worked is given up.
        #[test]
        fn pauses_grow_and_end(ends in prop::collection::vec(prop::option::of(0_u64..60_000), 0..60)) {
            let (mut comebacks, mut worked, mut before) = (Comebacks::default(), false, Duration::ZERO);
            for lived in ends {
                let was_well = lived.is_some_and(|lived| lived >= 30_000);
                worked |= lived.is_some();
                let (after, next) = comebacks.ended(&end(lived));
                match next {
                    Next::GiveUp => prop_assert!(!worked),
                    Next::Again(pause) => {
                        prop_assert!(worked && (PAUSE_MIN..=PAUSE_MAX).contains(&pause));
                        let least = if was_well { PAUSE_MIN } else { before };
                        prop_assert!(pause >= least && (!was_well || pause == PAUSE_MIN));
                        before = pause;
                    }
                }
                comebacks = after;
            }
        }
    }
}
