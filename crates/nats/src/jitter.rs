//! A little chance, so that many hosts do not do the same thing at the same moment. Not for secrets.

use std::hash::{BuildHasher, RandomState};

/// A number in `0.0..1.0`.
pub(crate) fn fraction() -> f64 {
    // Each `RandomState` has keys of its own, so hashing nothing gives another number each time.
    let bits = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_differ_and_stay_below_one() {
        let many: Vec<f64> = (0..64).map(|_| fraction()).collect();
        assert!(many.iter().all(|f| (0.0..1.0).contains(f)));
        assert!(
            many.windows(2).any(|pair| pair[0] < pair[1]) && many.windows(2).any(|pair| pair[0] > pair[1])
        );
    }
}
