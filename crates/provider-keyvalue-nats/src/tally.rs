//! What a batch of increments comes to: pure arithmetic, in the order in which they came.

/// Why one increment of a batch changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The sum does not fit.
    Overflow,
}

/// The sum each increment sees, and the number after all of them. One that would overflow is left out.
pub(crate) fn tally(start: i64, deltas: &[i64]) -> (Vec<Result<i64, Refused>>, i64) {
    let mut sum = start;
    let seen = deltas.iter().map(|delta| {
        sum = sum.checked_add(*delta).ok_or(Refused::Overflow)?;
        Ok(sum)
    });
    let seen = seen.collect();
    (seen, sum)
}

/// The number that stored bytes are: decimal digits with an optional sign; none is 0.
pub(crate) fn number(value: Option<&[u8]>) -> Option<i64> {
    match value {
        None => Some(0),
        Some(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_number() {
        for (bytes, want) in [
            (None, Some(0)),
            (Some(&b"7"[..]), Some(7)),
            (Some(b"-9223372036854775808"), Some(i64::MIN)),
            (Some(b""), None),
            (Some(b" 7"), None),
            (Some(b"9223372036854775808"), None),
            (Some(b"\xff"), None),
        ] {
            assert_eq!(number(bytes), want, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_batch_is_what_its_parts_are_one_by_one(
            start: i64,
            deltas in proptest::collection::vec(prop_oneof![-5..5_i64, any::<i64>()], 0..20),
        ) {
            let (seen, sum) = tally(start, &deltas);
            let mut one_by_one = start;
            for (delta, seen) in deltas.iter().zip(&seen) {
                let (alone, after) = tally(one_by_one, std::slice::from_ref(delta));
                prop_assert_eq!(&alone[0], seen);
                one_by_one = after;
            }
            prop_assert_eq!(sum, one_by_one);
        }
    }
}
