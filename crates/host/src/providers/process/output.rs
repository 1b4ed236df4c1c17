//! What a process prints, line by line in the host's log: bounded in length and rate, and with nothing that a terminal obeys.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lattice_core::{ProviderId, one_line};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::Instant,
};
use tracing::{info, warn};

/// The longest line; the rest of it is cut off.
const LINE_BYTES_MAX: usize = 4096;
/// Lines that may come at once, and how many more each second. Further ones are counted, and lost.
const LINES_BURST: u32 = 500;
const LINES_PER_SECOND: u32 = 100;
/// Lines that are kept to explain an end.
const KEPT: usize = 5;
const KEPT_CHARS: usize = 300;

/// The last lines of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(KEPT_CHARS).collect());
    }

    /// The last line; one that starts with `error: ` if there is one.
    pub(super) fn last(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let error = lines.iter().rev().find_map(|line| line.strip_prefix("error: "));
        error.map(str::to_owned).or_else(|| lines.back().cloned())
    }
}

/// Copies one stream of a process into the log until it ends.
pub(super) async fn copy(id: ProviderId, stream: &'static str, mut from: impl AsyncRead + Unpin, tail: Tail) {
    let (mut lines, mut pace) = (Lines::default(), Pace::new(Instant::now()));
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        for line in lines.take(&buffer[..read]) {
            say(&id, stream, &line, &tail, &mut pace);
        }
    }
    if let Some(line) = lines.rest() {
        say(&id, stream, &line, &tail, &mut pace);
    }
}

fn say(id: &ProviderId, stream: &'static str, line: &str, tail: &Tail, pace: &mut Pace) {
    tail.push(line);
    match pace.allows(Instant::now()) {
        Allowed::Yes => info!(target: "provider", provider = %id, stream, line, "provider"),
        Allowed::After(lost) => {
            warn!(target: "provider", provider = %id, stream, lost, "it printed too much; lines are lost");
            info!(target: "provider", provider = %id, stream, line, "provider");
        }
        Allowed::No => {}
    }
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
    /// Whether the line that has begun is too long already.
    cut: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.extend(self.rest()),
                _ if self.begun.len() < LINE_BYTES_MAX => self.begun.push(*byte),
                _ => self.cut = true,
            }
        }
        lines
    }

    /// The line that has begun; none if it is empty.
    fn rest(&mut self) -> Option<String> {
        let (bytes, cut) = (std::mem::take(&mut self.begun), std::mem::take(&mut self.cut));
        let text = String::from_utf8_lossy(&bytes);
        let mut line = one_line(text.trim_end_matches('\r')).into_owned();
        if cut {
            line.push('…');
        }
        (!line.is_empty()).then_some(line)
    }
}

/// How many lines may still come.
#[derive(Debug)]
struct Pace {
    left: u32,
    refilled: Instant,
    lost: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Yes,
    /// Yes, after so many were lost.
    After(u64),
    No,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { left: LINES_BURST, refilled: now, lost: 0 }
    }

    fn allows(&mut self, now: Instant) -> Allowed {
        let seconds = now.duration_since(self.refilled).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(LINES_PER_SECOND);
            self.left = self.left.saturating_add(more).min(LINES_BURST);
            self.refilled += Duration::from_secs(seconds);
        }
        match self.left.checked_sub(1) {
            None => {
                self.lost += 1;
                Allowed::No
            }
            Some(left) => {
                self.left = left;
                match std::mem::take(&mut self.lost) {
                    0 => Allowed::Yes,
                    lost => Allowed::After(lost),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_escaped_wherever_the_bytes_break() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"one\r\n\ntw"), ["one"]);
        assert_eq!(lines.take(b"o\x1b[31m\nthree"), ["two\\u{1b}[31m"]);
        assert_eq!(lines.rest().as_deref(), Some("three"));
        assert_eq!(lines.rest(), None);
        let long = lines.take(&[&[b'a'; 10_000][..], b"\nb\n"].concat());
        assert_eq!((long[0].chars().count(), long[1].as_str()), (LINE_BYTES_MAX + 1, "b"));
        assert_eq!(lines.take(b"\xff\n"), ["\u{fffd}"]);
    }

    #[test]
    fn who_prints_too_much_loses_lines_and_is_told_how_many() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..LINES_BURST {
            assert_eq!(pace.allows(start), Allowed::Yes);
        }
        assert_eq!((pace.allows(start), pace.allows(start)), (Allowed::No, Allowed::No));
        let later = start + Duration::from_millis(1500);
        assert_eq!(pace.allows(later), Allowed::After(2));
        for _ in 1..LINES_PER_SECOND {
            assert_eq!(pace.allows(later), Allowed::Yes);
        }
        assert_eq!(pace.allows(later), Allowed::No);
    }

    #[test]
    fn the_last_line_and_rather_an_error() {
        let tail = Tail::default();
        assert_eq!(tail.last(), None);
        ["error: the port is taken", "bye"].iter().for_each(|line| tail.push(line));
        assert_eq!(tail.last().as_deref(), Some("the port is taken"));
        (0..KEPT).for_each(|number| tail.push(&number.to_string()));
        assert_eq!(tail.last().as_deref(), Some("4"));
    }
}
