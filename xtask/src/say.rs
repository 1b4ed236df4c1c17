//! What xtask tells: one line before a piece of work, one after it with the time that it took.

use std::io::Write;
use std::time::{Duration, Instant};

/// Prints a line at once, also into a pipe.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed our output does not want to read on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Says what is being done, does it, and says what came of it and how long it took.
pub(crate) fn step<T>(
    what: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
    result: impl FnOnce(&T) -> String,
) -> anyhow::Result<T> {
    line(&format!("- {what} …"));
    let started = Instant::now();
    let done = work()?;
    line(&format!("  {} ({})", result(&done), seconds(started.elapsed())));
    Ok(done)
}

/// `0.4 s`, `73 s`, `9 min 5 s`.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        whole @ 10..120 => format!("{whole} s"),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        for (ms, text) in [(40, "0.0 s"), (9_940, "9.9 s"), (73_400, "73 s"), (545_000, "9 min 5 s")] {
            assert_eq!(seconds(Duration::from_millis(ms)), text);
        }
    }
}
