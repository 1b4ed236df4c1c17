//! The time of day, as facts and events write it. It is for people: what has to happen in time is measured with the
//! process' own monotonic clock, and between processes only time that is left travels.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The time of day as one process has it: the system's, unless it is told to be off. Clocks of different hosts are never
/// compared, so one that is wrong is seen by people alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WallClock {
    seconds_off: i32,
}

impl WallClock {
    /// A clock that is so many seconds ahead of the system's, or behind it: for tests of what wrong clocks do.
    #[must_use]
    pub fn off_by(seconds: i32) -> Self {
        Self { seconds_off: seconds }
    }

    /// Now, RFC 3339, UTC.
    #[must_use]
    pub fn now_rfc3339(self) -> String {
        written(self.now())
    }

    /// Now, in milliseconds since 1970; 0 before.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }

    /// The time so long ago, as [`WallClock::now_rfc3339`]. Texts of this form sort as the times they mean, but for parts of
    /// a second.
    pub(crate) fn rfc3339_before(self, ago: Duration) -> String {
        written(self.now() - ago)
    }

    fn now(self) -> OffsetDateTime {
        // Some seventy years each way: far from where a date cannot be written.
        OffsetDateTime::now_utc() + time::Duration::seconds(i64::from(self.seconds_off))
    }
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("the years 0 to 9999 can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_as_wrong_as_it_is_told_to_be() {
        let (right, ahead) = (WallClock::default(), WallClock::off_by(3600));
        let difference = ahead.unix_ms() - right.unix_ms();
        assert!((3_600_000..3_660_000).contains(&difference), "{difference}");
        assert!(WallClock::off_by(-3600).now_rfc3339() < right.now_rfc3339());
        assert!(right.rfc3339_before(Duration::from_secs(7200)) < WallClock::off_by(-3600).now_rfc3339());
    }
}
