//! The signed commands that this host has accepted, over all of its lives: each for as long as it is good, and on disk when the latest was
//! issued, since the clock of whoever signs may be ahead, and a life may begin before a command of the one before is too old.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use lattice_claims::{COMMAND_AHEAD_MS, CommandError, SEEN_MAX, Seen, SignedCommand};
use tracing::error;

/// Milliseconds since 1970 take so many digits; leading zeros make each write as long as every other.
const DIGITS: usize = 20;

/// What was accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    seen: Seen,
    latest_ms: u64,
    /// None where nothing is kept on disk.
    file: Option<File>,
}

impl Accepted {
    /// Goes on from `path`, where there is one. What was issued before `now_ms`, or before the latest that was accepted, may have been
    /// carried out by an earlier life.
    pub(super) fn open(path: Option<&Path>, now_ms: u64) -> Self {
        let (file, latest) = match path.map(read) {
            None => (None, Latest::None),
            Some(Ok((file, latest))) => (Some(file), latest),
            Some(Err(error)) => {
                error!(%error, "when the latest command was issued cannot be read, and is not kept");
                (None, Latest::Unknown)
            }
        };
        let latest = match latest {
            Latest::None => None,
            Latest::At(ms) => Some(ms),
            // As late as any may have been.
            Latest::Unknown => Some(now_ms.saturating_add(COMMAND_AHEAD_MS)),
        };
        let since = latest.map_or(now_ms, |latest| now_ms.max(latest.saturating_add(1)));
        Self { seen: Seen::since(since, SEEN_MAX), latest_ms: latest.unwrap_or(0), file }
    }

    /// Accepts a command once.
    ///
    /// # Errors
    /// As [`Seen::accept`].
    pub(super) fn accept(&mut self, command: &SignedCommand, now_ms: u64) -> Result<(), CommandError> {
        self.seen.accept(command, now_ms)?;
        if command.issued_ms > self.latest_ms {
            self.latest_ms = command.issued_ms;
            self.keep();
        }
        Ok(())
    }

    /// Not synced: what a machine loses that loses power is a moment, after which nobody has the clock of before.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let text = format!("{:0DIGITS$}", self.latest_ms);
        if let Err(error) = file.write_all_at(text.as_bytes(), 0) {
            error!(%error, "when the latest command was issued could not be kept");
        }
    }
}

/// What is known of earlier lives.
enum Latest {
    /// They accepted none.
    None,
    /// When the latest was issued.
    At(u64),
    /// What stands there is no time; the next command that is accepted mends it.
    Unknown,
}

/// The file, and what stands in it; an empty one is new.
fn read(path: &Path) -> io::Result<(File, Latest)> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut bytes = Vec::new();
    (&file).take(DIGITS as u64).read_to_end(&mut bytes)?;
    let latest = match std::str::from_utf8(&bytes) {
        Ok("") => Latest::None,
        Ok(text) => text.parse().map_or(Latest::Unknown, Latest::At),
        Err(_) => Latest::Unknown,
    };
    Ok((file, latest))
}

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, KeyPair};

    use super::*;

    fn command(issued_ms: u64) -> SignedCommand {
        let key = KeyPair::generate(KeyKind::User).public_key().clone();
        SignedCommand { key, nonce: "0123456789abcdef".to_owned(), issued_ms }
    }

    #[test]
    fn a_later_life_takes_nothing_that_an_earlier_one_may_have_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latest");
        let ahead = command(105_000);
        let mut first = Accepted::open(Some(&path), 100_000);
        first.accept(&command(100_500), 100_000).unwrap();
        first.accept(&ahead, 100_000).unwrap();
        first.accept(&command(101_000), 101_000).unwrap();
        // Anew before the clock is where whoever signed was already, and once more with the clock set back.
        for now in [102_000, 50_000] {
            let mut next = Accepted::open(Some(&path), now);
            let replayed = next.accept(&ahead, now).unwrap_err();
            assert_eq!(replayed, CommandError::BeforeStart { before_ms: 1 });
        }
        let mut next = Accepted::open(Some(&path), 102_000);
        next.accept(&command(105_001), 102_000).unwrap();
        // What is damaged counts as the latest that there may have been, and is mended by the next one.
        std::fs::write(&path, "x").unwrap();
        let mut damaged = Accepted::open(Some(&path), 100_000);
        assert!(damaged.accept(&command(105_000), 100_000).is_err());
        damaged.accept(&command(110_001), 101_000).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "00000000000000110001");
    }
}
