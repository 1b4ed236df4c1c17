//! Measuring by turns: what is compared is measured one right after the other, many times over, since a machine is as fast in one
//! minute as it is not in the next.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::report::Row;

/// What counts of a turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    /// Answers per second: more is better.
    Rate,
    /// The median time of one: less is better.
    P50,
}

impl Figure {
    /// How the programs call it.
    fn field(self) -> &'static str {
        match self {
            Figure::Rate => "rate",
            Figure::P50 => "p50_us",
        }
    }

    /// 1 is as good as the limit, less is worse.
    fn ratio(self, ours: f64, limit: f64) -> f64 {
        match self {
            Figure::Rate => ours / limit,
            Figure::P50 => limit / ours,
        }
    }
}

/// Every single measurement, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<Value>);

impl Turns {
    /// `summary` is what the program that measured printed of `who`, with so many in flight.
    ///
    /// # Errors
    /// Something failed in that turn: what is left would be a figure of less work.
    pub(super) fn note(
        &mut self,
        round: usize,
        who: &str,
        in_flight: &str,
        summary: &Value,
    ) -> anyhow::Result<()> {
        ensure!(
            summary["failed"].as_u64().unwrap_or(0) == 0,
            "in turn {round} of {who} calls failed: {summary}"
        );
        self.0.push(json!({ "round": round, "who": who, "in_flight": in_flight, "summary": summary }));
        Ok(())
    }

    /// All of them, to be kept.
    pub(super) fn raw(&self) -> Value {
        Value::Array(self.0.clone())
    }

    /// A row of medians, without gate and goal. Its ratio is a median, too: of those of two turns of the same round, which is
    /// nearer to the truth than the ratio of two medians.
    pub(super) fn row(
        &self,
        name: &'static str,
        [ours, limit]: [&str; 2],
        in_flight: &str,
        (figure, unit): (Figure, &'static str),
    ) -> anyhow::Result<Row> {
        let all = |who: &str| -> anyhow::Result<Vec<f64>> {
            let of = self.0.iter().filter(|turn| turn["who"] == who && turn["in_flight"] == in_flight);
            let read = |turn: &Value| {
                let read = turn["summary"][figure.field()].as_f64();
                let read = read.filter(|read| read.is_finite() && *read > 0.0);
                read.with_context(|| format!("a turn without {}: {turn}", figure.field()))
            };
            of.map(read).collect()
        };
        let (ours, limit) = (all(ours)?, all(limit)?);
        ensure!(ours.len() == limit.len(), "{name}: not as many turns of one side as of the other");
        let ratios = ours.iter().zip(&limit).map(|(ours, limit)| figure.ratio(*ours, *limit)).collect();
        let [figure, limit, ratio] = [ours, limit, ratios].map(median);
        let nothing = || format!("{name}: nothing was measured");
        Ok(Row {
            name,
            figure: figure.with_context(nothing)?,
            limit: limit.with_context(nothing)?,
            unit,
            ratio: ratio.with_context(nothing)?,
            gate: None,
            goal: None,
        })
    }
}

/// The middle one; of none there is none.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_compared_with_the_one_beside_it() {
        // A machine that is twice as slow in every other round; ours takes a quarter more than the limit.
        let mut turns = Turns::default();
        for round in 1..=3 {
            let slow = (round % 2 + 1) as f64;
            for (who, takes) in [("ours", 1.25), ("limit", 1.0)] {
                let takes = takes * slow;
                let summary = json!({ "p50_us": 100.0 * takes, "rate": 1000.0 / takes });
                turns.note(round, who, "1", &summary).unwrap();
            }
        }
        let of = |figure| {
            let row = turns.row("calls", ["ours", "limit"], "1", (figure, "")).unwrap();
            (row.figure, row.limit, row.ratio)
        };
        assert_eq!(of(Figure::P50), (250.0, 200.0, 0.8));
        assert_eq!(of(Figure::Rate), (400.0, 500.0, 0.8));
        let error = turns.row("calls", ["ours", "limit"], "64", (Figure::Rate, "")).unwrap_err();
        assert_eq!(error.to_string(), "calls: nothing was measured");
        turns.note(4, "ours", "1", &json!({ "rate": 1.0 })).unwrap();
        assert!(
            turns.row("calls", ["ours", "limit"], "1", (Figure::Rate, "")).is_err(),
            "one without the other"
        );
    }
}
