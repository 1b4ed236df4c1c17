//! What came of the steps, added up.

use std::time::Duration;

use crate::say;

/// Tests that passed and failed. A step that is not itself made of tests counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Counts {
    pub(super) const PASSED: Self = Self { passed: 1, failed: 0 };
    pub(super) const FAILED: Self = Self { passed: 0, failed: 1 };
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[derive(Default)]
pub(super) struct Tally {
    total: Counts,
    steps: Vec<(&'static str, Counts, Duration)>,
    left_out: Vec<&'static str>,
    left_out_long: Vec<&'static str>,
}

impl Tally {
    pub(super) fn add(&mut self, name: &'static str, counts: Counts, took: Duration) {
        self.total += counts;
        self.steps.push((name, counts, took));
    }

    pub(super) fn leave_out(&mut self, name: &'static str) {
        self.left_out.push(name);
    }

    /// A step that nobody asked for.
    pub(super) fn leave_out_long(&mut self, name: &'static str) {
        self.left_out_long.push(name);
    }

    pub(super) fn is_green(&self) -> bool {
        self.total.failed == 0
    }

    /// Prints times, failed steps, and as the last line the counts, with what was left out on request.
    pub(super) fn close(&self) {
        say::line("");
        for (name, counts, took) in &self.steps {
            let mark = if counts.failed == 0 { "ok" } else { "FAILED" };
            say::line(&format!(
                "{name:<10} {mark:<7} {:>6} passed {:>4} failed  {}",
                counts.passed,
                counts.failed,
                say::seconds(*took)
            ));
        }
        let failed: Vec<&str> =
            self.steps.iter().filter(|(_, counts, _)| counts.failed > 0).map(|(name, ..)| *name).collect();
        if !failed.is_empty() {
            say::line(&format!("failed steps: {}", failed.join(", ")));
        }
        if !self.left_out_long.is_empty() {
            say::line(&format!("left out without --long: {}", self.left_out_long.join(", ")));
        }
        let left_out = match self.left_out.as_slice() {
            [] => String::new(),
            names => format!(" (left out on request: {})", names.join(", ")),
        };
        say::line(&format!("{} passed, {} failed{left_out}", self.total.passed, self.total.failed));
    }
}
