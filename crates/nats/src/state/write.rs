//! One change of a fact: read, compare, write on top of what was read, again where somebody else was faster.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::FactKey;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Fact, FactStore, StateError, Version, bucket::WriteError};
use crate::jitter;

/// How long one change may take, with all its attempts.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// How long the disk may take beyond that.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

impl FactStore {
    pub(super) async fn write(
        &self,
        key: &FactKey,
        data: Option<Value>,
        over: Option<&Version>,
    ) -> Result<Written, StateError> {
        let until = Instant::now() + WRITE_WITHIN;
        let written = self.write_to_bucket(key, data, over, until).await?;
        if let Some(keeper) = &self.shared.keeper {
            keeper.kept(self.shared.generation(), until + KEEP_WITHIN).await?;
        }
        Ok(written)
    }

    async fn write_to_bucket(
        &self,
        key: &FactKey,
        data: Option<Value>,
        over: Option<&Version>,
        until: Instant,
    ) -> Result<Written, StateError> {
        let text = key.to_string();
        let contended = |attempts| StateError::Contended { key: text.clone(), attempts };
        let _slot = match timeout_at(until, self.writes.acquire()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) | Err(_) => return Err(contended(0)),
        };
        let mut change = Change { key, text: &text, data, over, before: None };
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            let failed = match self.attempt(&mut change).await {
                Ok(written) => return Ok(written),
                Err(WriteError::Conflict) => contended(attempts),
                Err(WriteError::Failed(error)) => error,
            };
            // A lost answer leaves open whether the change was made; the next attempt reads it and sees.
            let pause = Duration::from_millis(u64::from(attempts.min(20)) * 2).mul_f64(jitter::fraction());
            if Instant::now() + pause >= until || failed.is_final() {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads, and writes on top of what was read.
    async fn attempt(&self, change: &mut Change<'_>) -> Result<Written, WriteError> {
        let bucket = &self.shared.bucket;
        let read = bucket.read(change.text).await.map_err(WriteError::Failed)?;
        let revision = read.as_ref().map_or(0, |(revision, _)| *revision);
        // What cannot be read is overwritten: it is no fact.
        let stored = read.and_then(|(_, value)| Fact::read(change.key, &value).ok());
        let known = self.shared.known();
        // The bucket may have lost what this host remembers; a new version has to win over that, too.
        let best = newest(stored.as_ref(), known.fact(change.key));
        if change.before.is_none() {
            change.before = best.cloned();
        }
        // What this host alone knows is not in the bucket, and so not acknowledged.
        let is_there = stored.as_ref() == best
            && match &change.data {
                Some(data) => best.is_some_and(|fact| !fact.deleted && fact.data == *data),
                None => best.is_none_or(|fact| fact.deleted),
            };
        if is_there {
            let version = best.map_or_else(|| self.version(0), Fact::version);
            if let Some(stored) = stored {
                self.shared.join(change.key.clone(), stored);
            }
            return Ok(Written { version, before: change.before.take() });
        }
        if change.over.is_some_and(|seen| best.map(Fact::version).as_ref() != Some(seen)) {
            let key = change.text.to_owned();
            return Err(WriteError::Failed(StateError::Superseded { key }));
        }
        let number = best.map_or(0, |fact| fact.version).saturating_add(1);
        let clock = bucket.conn.wall_clock();
        let fact = Fact::now(number, &self.shared.writer, clock, change.data.clone());
        let value = serde_json::to_vec(&fact).map_err(|error| {
            let why = error.to_string();
            WriteError::Failed(StateError::Unwritable { key: change.text.to_owned(), why })
        })?;
        let written = bucket.write(change.text, Bytes::from(value), revision, fact.kept()).await?;
        self.shared.wrote(written);
        let version = fact.version();
        self.shared.join(change.key.clone(), fact);
        Ok(Written { version, before: change.before.take() })
    }

    fn version(&self, number: u64) -> Version {
        Version { number, writer: self.shared.writer.to_string() }
    }
}

/// A change on its way.
struct Change<'a> {
    key: &'a FactKey,
    text: &'a str,
    /// None deletes.
    data: Option<Value>,
    /// Only in place of this version.
    over: Option<&'a Version>,
    /// What was there before the first attempt.
    before: Option<Fact>,
}

/// A change that was made.
pub(super) struct Written {
    /// The version that the fact has now.
    pub(super) version: Version,
    /// What was there before.
    pub(super) before: Option<Fact>,
}

fn newest<'a>(a: Option<&'a Fact>, b: Option<&'a Fact>) -> Option<&'a Fact> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.is_newer_than(a) { b } else { a }),
        (a, b) => a.or(b),
    }
}
