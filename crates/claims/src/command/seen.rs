//! Each command once: the memory of those that were accepted, bounded in time and in number.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{COMMAND_LIFE_MS, CommandError, SignedCommand};

/// Commands that one host remembers: more than it can be sent and check within their life.
pub const SEEN_MAX: usize = 65_536;

/// The commands that were accepted and are still good by their time, and a floor below which nothing is accepted. What is
/// forgotten, because its time is over or because the memory is full, raises the floor; so nothing is ever accepted twice, not
/// even when the clock is set back. A memory that is full refuses what is older than what it forgot, never what is new.
#[derive(Debug)]
pub struct Seen {
    /// When it began: commands issued before may have been accepted by an earlier one.
    since_ms: u64,
    /// The latest issue time of a command that was forgotten.
    floor_ms: Option<u64>,
    most: usize,
    /// By issue time; a hash stands for key and nonce.
    commands: BTreeSet<(u64, [u8; 16])>,
}

impl Seen {
    /// Remembers at most `most` commands, from `since_ms` on.
    pub fn since(since_ms: u64, most: usize) -> Seen {
        Seen { since_ms, floor_ms: None, most: most.max(1), commands: BTreeSet::new() }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Accepts a command that [`super::verify_command`] found good at `now_ms`, and never again.
    ///
    /// # Errors
    /// `Replayed`; `BeforeStart` and `Forgotten` where it cannot be known.
    pub fn accept(&mut self, command: &SignedCommand, now_ms: u64) -> Result<(), CommandError> {
        let at = command.issued_ms;
        while let Some(oldest) =
            self.commands.first().filter(|(at, _)| at.saturating_add(COMMAND_LIFE_MS) < now_ms)
        {
            let oldest = *oldest;
            self.forget(oldest);
        }
        if at < self.since_ms {
            return Err(CommandError::BeforeStart { before_ms: self.since_ms - at });
        }
        let entry = (at, id(command));
        if self.commands.contains(&entry) {
            return Err(CommandError::Replayed);
        }
        if self.floor_ms.is_some_and(|floor| at <= floor) {
            return Err(CommandError::Forgotten);
        }
        self.commands.insert(entry);
        if self.commands.len() > self.most
            && let Some(oldest) = self.commands.first().copied()
        {
            self.forget(oldest);
        }
        Ok(())
    }

    fn forget(&mut self, entry: (u64, [u8; 16])) {
        self.commands.remove(&entry);
        self.floor_ms = self.floor_ms.max(Some(entry.0));
    }
}

fn id(command: &SignedCommand) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(command.key.as_str());
    hash.update(&command.nonce);
    let whole = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&whole[..16]);
    id
}
