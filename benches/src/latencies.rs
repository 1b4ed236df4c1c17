//! What a run came to: how many calls, and how long they took.

use std::time::Duration;

/// Latencies of one worker, in nanoseconds.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u64>);

/// The figures of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Calls in all.
    pub calls: usize,
    /// Calls per second.
    pub rate: f64,
    /// Half of the calls took at most this many microseconds.
    pub p50_us: f64,
    /// All but one in a hundred took at most this many microseconds.
    pub p99_us: f64,
}

impl Latencies {
    /// Notes one call.
    pub fn note(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes over what another worker noted.
    pub fn join(&mut self, other: Latencies) {
        self.0.extend(other.0);
    }

    /// The figures of all that was noted within `elapsed`.
    #[must_use]
    pub fn summary(mut self, elapsed: Duration) -> Summary {
        self.0.sort_unstable();
        let at = |part: usize| {
            let index = (self.0.len() * part / 100).min(self.0.len().saturating_sub(1));
            self.0.get(index).map_or(0.0, |nanos| to_f64(*nanos) / 1e3)
        };
        Summary {
            calls: self.0.len(),
            rate: to_f64(self.0.len() as u64) / elapsed.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

/// Exact for all counts that a run can reach.
#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_hundred_calls() {
        let mut latencies = Latencies::default();
        for micros in 1..=100 {
            latencies.note(Duration::from_micros(micros));
        }
        let summary = latencies.summary(Duration::from_secs(2));
        assert_eq!(summary, Summary { calls: 100, rate: 50.0, p50_us: 51.0, p99_us: 100.0 });
        assert_eq!(Latencies::default().summary(Duration::from_secs(1)).calls, 0);
    }
}
