//! The time, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds.
pub(crate) fn now() -> u64 {
    // A clock before 1970 is no clock; the claims then say 1970, which is shown and hurts nobody.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// In words, seen from `now`: `in 3 days`, `2 hours ago`.
pub(crate) fn from_now(at: u64, now: u64) -> String {
    let (distance, future) = if at >= now { (at - now, true) } else { (now - at, false) };
    let (count, unit) = match distance {
        0..120 => (distance, "second"),
        120..7_200 => (distance / 60, "minute"),
        7_200..172_800 => (distance / 3_600, "hour"),
        _ => (distance / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if future { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_in_words() {
        let day = 86_400;
        for (at, want) in [
            (1_000_000 + 3 * day, "in 3 days"),
            (1_000_000 + 1, "in 1 second"),
            (1_000_000 - 2 * day, "2 days ago"),
            (1_000_000 - 7_200, "2 hours ago"),
        ] {
            assert_eq!(from_now(at, 1_000_000), want);
        }
    }
}
