//! Whether what is known still is what the bucket has: decisions alone, no I/O, no clock.

use super::{StateError, answer::StreamState, memory::StreamMark};

/// Why a watch came to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("it cannot be made: {0}")]
    NotMade(#[from] StateError),
    #[error("it ended")]
    Stream,
    #[error("it failed: {0}")]
    Failed(String),
    #[error("the bucket is gone")]
    Gone,
    #[error("the bucket was replaced by another")]
    Replaced,
    #[error("the bucket fell back from revision {from} to {to}")]
    FellBack { from: u64, to: u64 },
    #[error("the bucket was set back and written since: what stood at revision {revision} is lost")]
    SetBack { revision: u64 },
    #[error("it is behind: revision {delivered} of {last} after 2 s")]
    Behind { delivered: u64, last: u64 },
}

/// How what is known stands to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is known.
    New,
    /// All that is known is from this stream.
    Same,
    /// Something is known that this stream may not have.
    Merge,
}

/// Compares a stream with the place up to which its facts are known.
pub(super) fn standing(known: Option<&StreamMark>, knows_nothing: bool, now: &StreamState) -> Standing {
    match known {
        _ if knows_nothing => Standing::New,
        Some(mark) if mark.created == now.created && now.last >= mark.reach() => Standing::Same,
        _ => Standing::Merge,
    }
}

/// How far a stream is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The revision up to which the watch has brought everything.
    pub(super) delivered: u64,
    /// What the stream has to have got to, since this host itself wrote so much.
    pub(super) reach: u64,
}

/// Compares the stream that is watched with what is known of it; the revision that is due at the next check.
pub(super) fn compare(
    watched: &StreamState,
    now: Option<&StreamState>,
    known: Known,
    due: u64,
) -> Result<u64, Ended> {
    let Known { delivered, reach } = known;
    let now = now.ok_or(Ended::Gone)?;
    if now.created != watched.created {
        return Err(Ended::Replaced);
    }
    let from = delivered.max(reach);
    if now.last < from {
        return Err(Ended::FellBack { from, to: now.last });
    }
    if delivered < due {
        return Err(Ended::Behind { delivered, last: now.last });
    }
    Ok(now.last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(created: &str, last: u64) -> StreamState {
        StreamState { created: created.to_owned(), last }
    }

    fn mark(created: &str, revision: u64) -> StreamMark {
        StreamMark { created: created.to_owned(), revision, ..StreamMark::default() }
    }

    fn delivered(delivered: u64) -> Known {
        Known { delivered, reach: 0 }
    }

    #[test]
    fn a_stream_that_may_lack_what_is_known() {
        assert_eq!(standing(None, true, &state("a", 9)), Standing::New);
        assert_eq!(standing(None, false, &state("a", 9)), Standing::Merge, "nobody knows where it is from");
        assert_eq!(standing(Some(&mark("a", 9)), false, &state("a", 9)), Standing::Same);
        assert_eq!(standing(Some(&mark("a", 9)), false, &state("a", 10)), Standing::Same);
        assert_eq!(standing(Some(&mark("a", 9)), false, &state("a", 8)), Standing::Merge);
        assert_eq!(standing(Some(&mark("a", 9)), false, &state("b", 90)), Standing::Merge);
        let wrote = StreamMark { written: 11, ..mark("a", 9) };
        assert_eq!(
            standing(Some(&wrote), false, &state("a", 10)),
            Standing::Merge,
            "it lost what was written"
        );
        assert_eq!(standing(Some(&wrote), false, &state("a", 11)), Standing::Same);
        assert_eq!(
            standing(Some(&mark("a", 9)), true, &state("b", 0)),
            Standing::New,
            "nothing can be missing"
        );
    }

    #[test]
    fn a_watch_that_is_blind() {
        let watched = state("a", 5);
        assert!(matches!(compare(&watched, None, delivered(5), 0), Err(Ended::Gone)));
        assert!(matches!(compare(&watched, Some(&state("b", 5)), delivered(5), 0), Err(Ended::Replaced)));
        assert!(matches!(
            compare(&watched, Some(&state("a", 4)), delivered(5), 0),
            Err(Ended::FellBack { from: 5, to: 4 })
        ));
        let wrote = Known { delivered: 5, reach: 7 };
        assert!(matches!(
            compare(&watched, Some(&state("a", 6)), wrote, 0),
            Err(Ended::FellBack { from: 7, to: 6 })
        ));
        // What came since the last look may still be on its way; at the next look it has to be here.
        let due = compare(&watched, Some(&state("a", 8)), delivered(5), 5).unwrap();
        assert!(matches!(
            compare(&watched, Some(&state("a", 9)), delivered(7), due),
            Err(Ended::Behind { delivered: 7, .. })
        ));
        assert_eq!(compare(&watched, Some(&state("a", 9)), delivered(8), due).unwrap(), 9);
    }

    proptest! {
        /// However writes, deliveries and looks follow each other: a watch that lost something for good is found out by the
        /// second look after it, one that delivers all between two looks never is.
        #[test]
        fn found_out_by_the_second_look(writes in proptest::collection::vec(0_u64..5, 2..20), lost_at in 0_usize..20) {
            let watched = state("a", 0);
            let (mut last, mut seen, mut due) = (0, 0, 0);
            let mut lost = None;
            for (look, written) in writes.iter().enumerate() {
                if lost.is_none() {
                    // All that was there at the last look has come; the newest may be on its way.
                    seen = seen.max(due);
                }
                last += written;
                if look >= lost_at && last > seen && lost.is_none() {
                    lost = Some(look);
                }
                match compare(&watched, Some(&state("a", last)), delivered(seen), due) {
                    Ok(next) => {
                        due = next;
                        prop_assert!(lost.is_none_or(|at| look <= at));
                    }
                    Err(ended) => {
                        prop_assert!(matches!(ended, Ended::Behind { .. }), "{}", ended);
                        prop_assert!(lost.is_some_and(|at| look == at + 1));
                        break;
                    }
                }
            }
        }
    }
}
