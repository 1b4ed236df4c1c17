//! What a run came to: how many calls, and how long they took.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

/// Latencies of one worker, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

/// The figures of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// Calls in all.
    pub(crate) calls: usize,
    /// Calls per second.
    pub(crate) rate: f64,
    /// Half of the calls took at most this many microseconds.
    pub p50_us: f64,
    /// All but one in a hundred took at most this many microseconds.
    pub p99_us: f64,
}

impl Summary {
    /// The figures as the programs print them.
    #[must_use]
    pub(crate) fn json(&self) -> Value {
        let Self { calls, rate, p50_us, p99_us } = self;
        json!({ "calls": calls, "rate": rate, "p50_us": p50_us, "p99_us": p99_us })
    }
}

/// What is compared turn by turn: of each row, the turn in the middle counts.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<&'static str, Vec<Summary>>);

impl Turns {
    /// Notes a turn of a row.
    pub(crate) fn note(&mut self, row: &'static str, turn: Summary) {
        self.0.entry(row).or_default().push(turn);
    }

    /// Each row by its name, as `shown`.
    pub(crate) fn json(self, shown: impl Fn(Summary) -> Value) -> Value {
        let rows = self.0.into_iter().map(|(name, mut turns)| {
            turns.sort_by(|a, b| a.p50_us.total_cmp(&b.p50_us));
            (name.to_owned(), shown(turns[turns.len() / 2]))
        });
        Value::Object(rows.collect())
    }
}

impl Latencies {
    /// Notes one call.
    pub(crate) fn note(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes over what another worker noted.
    pub(crate) fn join(&mut self, other: Latencies) {
        self.0.extend(other.0);
    }

    /// The figures of all that was noted within `elapsed`.
    #[must_use]
    pub(crate) fn summary(mut self, elapsed: Duration) -> Summary {
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
        assert_eq!(summary.json(), json!({ "calls": 100, "rate": 50.0, "p50_us": 51.0, "p99_us": 100.0 }));
    }

    #[test]
    fn the_turn_in_the_middle_counts() {
        let mut turns = Turns::default();
        for p50_us in [9.0, 2.0, 1.0] {
            turns.note("a", Summary { calls: 1, rate: 7.0, p50_us, p99_us: 10.0 * p50_us });
        }
        assert_eq!(turns.json(|turn| json!(turn.p99_us)), json!({ "a": 20.0 }));
    }
}
