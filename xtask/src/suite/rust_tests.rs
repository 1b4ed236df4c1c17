//! `cargo test`, with its tests counted.

use std::process::Command;

use super::tally::Counts;
use crate::cargo;

/// Runs it and adds up what the test programs report.
pub(super) fn run(test: Command) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    let status = cargo::run_reading(test, |line| {
        if let Some(more) = counts_in(line) {
            counts += more;
        }
    })?;
    if !status.success() && counts.failed == 0 {
        // It did not compile, or a test program died before it could report.
        counts.failed = 1;
    }
    Ok(counts)
}

/// The counts in a line such as `test result: ok. 10 passed; 1 failed; 0 ignored; …`.
fn counts_in(line: &str) -> Option<Counts> {
    let report = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = report.split([';', '.']).find_map(|part| part.trim().strip_suffix(word))?;
        before.trim().parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_counted() {
        let cases = [
            (
                "test result: ok. 10 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.48s",
                Some((10, 0)),
            ),
            (
                "test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                Some((3, 4)),
            ),
            ("test result::works ... ok", None),
            ("running 3 tests", None),
        ];
        for (line, expected) in cases {
            assert_eq!(counts_in(line).map(|counts| (counts.passed, counts.failed)), expected, "{line}");
        }
    }
}
