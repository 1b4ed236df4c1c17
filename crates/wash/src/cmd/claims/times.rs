//! When a signature begins and ends to count.

/// A hundred years, so that no sum of days reaches what tokens cannot carry.
const DAYS_MAX: u64 = 36_500;
const DAY_SECONDS: u64 = 86_400;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Times {
    /// Days from now after which the signature no longer counts [default: never]
    #[arg(short = 'x', long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=DAYS_MAX))]
    expires: Option<u64>,
    /// Days from now until the signature begins to count [default: at once]
    #[arg(short = 'b', long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(0..=DAYS_MAX))]
    nbf: Option<u64>,
}

impl Times {
    /// The last second in which it counts.
    pub(super) fn expires(&self, now: u64) -> Option<u64> {
        self.expires.map(|days| now + days * DAY_SECONDS)
    }

    /// The first second in which it counts.
    pub(super) fn not_before(&self, now: u64) -> Option<u64> {
        self.nbf.map(|days| now + days * DAY_SECONDS)
    }
}
