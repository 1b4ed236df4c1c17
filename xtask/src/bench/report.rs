//! What was measured, against which limit, and how that compares.

use serde_json::{Value, json};

use crate::say;

/// One row of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The figure and its limit, in the same unit.
    pub(super) figure: f64,
    pub(super) limit: f64,
    pub(super) unit: &'static str,
    /// Figure / limit where more is better, limit / figure where less is.
    pub(super) ratio: f64,
    /// What the ratio has to be at least; none where it is only shown.
    pub(super) gate: Option<f64>,
    pub(super) goal: Option<f64>,
}

impl Row {
    /// The same with a gate.
    pub(super) fn gate(self, gate: f64) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// The same with a goal.
    pub(super) fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name, "figure": self.figure, "limit": self.limit, "unit": self.unit,
            "ratio": self.ratio, "gate": self.gate, "goal": self.goal,
        })
    }

    pub(super) fn meets_gate(&self) -> bool {
        self.gate.is_none_or(|gate| self.ratio >= gate)
    }
}

/// The machine, in one line.
pub(super) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{cpus} × {}, Linux {}, load {}",
        model.trim_start_matches([':', ' ', '\t']),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("unknown")
    )
}

/// Prints the table and the raw figures behind it.
pub(super) fn print(machine: &str, rows: &[Row], raw: &Value) {
    say::line(&format!("\n{machine}\n"));
    table(rows);
    say::line(&format!("\nraw: {raw}"));
}

/// Prints rows as a table; one part's rows as soon as they are there, so that what comes later cannot lose them.
pub(super) fn table(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    say::line("| row | figure | limit | ratio | gate | goal |\n| --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let of = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let missed = if row.meets_gate() { "" } else { " **missed**" };
        say::line(&format!(
            "| {} | {:.1} {u} | {:.1} {u} | {:.2} | {}{missed} | {} |",
            row.name,
            row.figure,
            row.limit,
            row.ratio,
            of(row.gate),
            of(row.goal),
            u = row.unit,
        ));
    }
}
