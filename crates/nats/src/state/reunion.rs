//! Bringing a bucket and what this host knows together again: the plan of [`super::merge`], carried out.
//!
//! Every host does this once for each stream it meets. One at a time, by the lease `merge`, so that a hundred hosts do not
//! write the same facts at once; who waits looks again and mostly finds nothing left to do. The lease only saves work: each
//! write is a compare-and-set, so two at once do no harm.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use lattice_core::FactKey;
use tokio::time::sleep;

use super::{
    Fact, StateError,
    bucket::WriteError,
    lease::{self, Turn},
    merge::{Plan, Slot, Step, plan, weigh},
    store::Shared,
};
use crate::{RequestError, jitter};

/// Longest wait for other hosts; then it is done beside them.
const PATIENCE: Duration = Duration::from_secs(30);
/// Facts on their way at once.
const WRITES_MAX: usize = 32;
/// How often one fact is tried that others write too.
const ATTEMPTS_MAX: u32 = 20;

/// What was done.
#[derive(Debug, Default)]
struct Done {
    written: usize,
    overridden: usize,
    refused: usize,
}

/// Sees to it that the bucket has everything that this host knows, and that this host knows all that the bucket has.
///
/// # Errors
/// The bucket could not be reached; then nothing is lost, and it is done again.
///
/// # Cancellation
/// Leaves some facts written and others not; doing it again does the rest.
pub(super) async fn merge(shared: &Shared) -> Result<(), StateError> {
    let (mut todo, mut yielded) = look(shared).await?;
    let mut lease = None;
    while !todo.is_empty() && lease.is_none() {
        match lease::wait_for(&shared.bucket, "merge", &shared.writer, PATIENCE).await? {
            Some(Turn::Ours(ours)) => lease = Some(ours),
            Some(Turn::TheirsIsOver) => {}
            None => {
                tracing::warn!("another host holds the lease to merge for long; this one merges beside it");
                break;
            }
        }
        let (again, more) = look(shared).await?;
        (todo, yielded) = (again, yielded + more);
    }
    let done = match &mut lease {
        Some(lease) => {
            let mut work = std::pin::pin!(carry_out(shared, todo));
            tokio::select! {
                done = &mut work => done,
                // Lost: what is left goes on without it.
                () = lease.keep() => work.await,
            }
        }
        None => carry_out(shared, todo).await,
    };
    if let Some(lease) = lease {
        lease.release().await;
    }
    let Done { written, overridden, refused } = done?;
    let overridden = yielded + overridden;
    let facts = shared.known().len();
    tracing::warn!(
        facts,
        written,
        overridden,
        refused,
        "the lattice's bucket and what this host knows were merged"
    );
    Ok(())
}

/// Reads all of the bucket into the view, and says what is left to write, and how many facts of this host lost by that. Those are
/// told here: once the newer ones are in the view, nobody sees any more that there were others.
async fn look(shared: &Shared) -> Result<(Vec<(FactKey, u64)>, usize), StateError> {
    let bucket: BTreeMap<FactKey, Slot> = shared.bucket.read_all().await?;
    let Plan { writes, yielded } = plan(&shared.known(), &bucket);
    for (key, slot) in bucket {
        if let Some(fact) = slot.fact {
            shared.join(key, fact);
        }
    }
    let lost = yielded.len();
    yielded.into_iter().for_each(|overridden| shared.tell_overridden(overridden));
    Ok((writes, lost))
}

async fn carry_out(shared: &Shared, writes: Vec<(FactKey, u64)>) -> Result<Done, StateError> {
    let mut done = Done::default();
    let mut writes = stream::iter(writes)
        .map(|(key, revision)| restore(shared, key, revision))
        .buffer_unordered(WRITES_MAX);
    while let Some(outcome) = writes.next().await {
        match outcome? {
            Outcome::Written => done.written += 1,
            Outcome::Overrode => (done.written, done.overridden) = (done.written + 1, done.overridden + 1),
            Outcome::Yielded => done.overridden += 1,
            Outcome::There => {}
            Outcome::Refused => done.refused += 1,
        }
    }
    Ok(done)
}

/// How one fact fared.
enum Outcome {
    Written,
    Overrode,
    Yielded,
    There,
    Refused,
}

/// Brings one fact of ours into the bucket, unless a newer one is there.
async fn restore(shared: &Shared, key: FactKey, revision: u64) -> Result<Outcome, StateError> {
    let text = key.to_string();
    // The plan holds no values: who replaces something has to know what.
    let mut slot = if revision == 0 { Slot::default() } else { read_slot(shared, &key, &text).await? };
    for attempt in 1..=ATTEMPTS_MAX {
        // Nothing is ever taken out of the view.
        let Some(ours) = shared.known().fact(&key).cloned() else { return Ok(Outcome::There) };
        let replaces = match weigh(&key, &ours, slot.fact.as_ref()) {
            Step::Leave => return Ok(Outcome::There),
            Step::Yield(overridden) => {
                shared.join(key, overridden.kept.clone());
                shared.tell_overridden(overridden);
                return Ok(Outcome::Yielded);
            }
            Step::Write { replaces } => replaces,
        };
        match write(shared, &text, &ours, slot.revision).await {
            Ok(()) => {
                let outcome = if replaces.is_some() { Outcome::Overrode } else { Outcome::Written };
                replaces.into_iter().for_each(|overridden| shared.tell_overridden(overridden));
                return Ok(outcome);
            }
            Err(WriteError::Conflict) => {
                sleep(Duration::from_millis(u64::from(attempt)).mul_f64(jitter::fraction())).await;
                slot = read_slot(shared, &key, &text).await?;
            }
            Err(WriteError::Failed(error)) if concerns_it_alone(&error) => {
                tracing::error!(key = text, %error, "a fact cannot be written back; this host keeps it");
                return Ok(Outcome::Refused);
            }
            Err(WriteError::Failed(error)) => return Err(error),
        }
    }
    Err(StateError::Contended { key: text, attempts: ATTEMPTS_MAX })
}

async fn read_slot(shared: &Shared, key: &FactKey, text: &str) -> Result<Slot, StateError> {
    let read = shared.bucket.read(text).await?;
    Ok(read.map_or_else(Slot::default, |(revision, value)| Slot {
        revision,
        fact: Fact::read(key, &value).ok(),
    }))
}

async fn write(shared: &Shared, key: &str, fact: &Fact, revision: u64) -> Result<(), WriteError> {
    let value = serde_json::to_vec(fact).map_err(|error| {
        WriteError::Failed(StateError::Unwritable { key: key.to_owned(), why: error.to_string() })
    })?;
    shared.bucket.write(key, Bytes::from(value), revision, fact.kept()).await.map(drop)
}

/// True if the next fact may fare better.
fn concerns_it_alone(error: &StateError) -> bool {
    matches!(
        error,
        StateError::Unwritable { .. }
            | StateError::Unreachable {
                source: RequestError::TooLarge { .. } | RequestError::Denied { .. },
                ..
            }
    )
}
