//! `wasi:keyvalue` in its two generations, over one contract trait.
//!
//! A failure is always the contract's own error, never a trap: without a link, `other` with the text that tells how to
//! make one.

#[macro_use]
mod shared;
mod draft;
mod draft2;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use lattice_contracts::keyvalue::{Keyvalue, KeyvalueError};
use wasmtime::component::{Linker, Resource};

use crate::{Bound, budget::Lent, guest::Guest};

/// The names under which the interfaces are imported.
pub(crate) const INTERFACES: [&str; 6] = [
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
];

/// How many operations of one batch run at once.
const BATCH_WIDTH: usize = 16;

/// How many keys one batch may name.
const BATCH_KEYS_MAX: usize = 10_000;
/// What the values of one batch may come to, in bytes: as much as one host call takes from a guest.
const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The resource `bucket`: a name that the link knows.
#[allow(unreachable_pub, reason = "the generated code exports it")]
pub struct Bucket {
    name: String,
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    draft::add_to_linker(linker)?;
    draft2::add_to_linker(linker)
}

/// What both generations report, before it becomes either's own type.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

impl From<KeyvalueError> for Failure {
    fn from(error: KeyvalueError) -> Self {
        match error {
            KeyvalueError::NoSuchStore { .. } => Failure::NoSuchStore,
            KeyvalueError::AccessDenied { .. } => Failure::AccessDenied,
            other => Failure::Other(other.to_string()),
        }
    }
}

/// A bucket's name.
fn name(guest: &mut Guest, bucket: &Resource<Bucket>) -> wasmtime::Result<String> {
    Ok(guest.table().get(bucket)?.name.clone())
}

/// The implementation behind the actor's link, as it is now.
fn bound(guest: &Guest, interface: &'static str) -> Result<Bound<dyn Keyvalue>, KeyvalueError> {
    let way = &guest.way;
    way.dispatch().keyvalue(&way.call, &way.link, interface).map_err(KeyvalueError::from)
}

fn check_batch(keys: usize) -> Result<(), Failure> {
    if keys > BATCH_KEYS_MAX {
        let reason = format!("a batch of {keys} keys is too large (at most {BATCH_KEYS_MAX}): make several");
        return Err(Failure::Other(reason));
    }
    Ok(())
}

/// Reads many values. They are in the host's memory until the guest has them, so `lent` counts them, and their number
/// and sum are bounded.
async fn get_many(
    bound: &Bound<dyn Keyvalue>,
    bucket: &str,
    keys: Vec<String>,
    mut lent: Lent,
) -> Result<Vec<(String, Option<Vec<u8>>)>, Failure> {
    check_batch(keys.len())?;
    let mut left = BATCH_BYTES_MAX;
    let mut values = stream::iter(keys)
        .map(|key| async move {
            let value = bound.implementation.get(&bound.call, bucket, &key).await?;
            Ok::<_, KeyvalueError>((key, value))
        })
        .buffered(BATCH_WIDTH);
    let mut found = Vec::new();
    while let Some((key, value)) = values.try_next().await? {
        let size = key.len() + value.as_ref().map_or(0, Bytes::len);
        left = left.checked_sub(size).ok_or_else(|| {
            Failure::Other(format!(
                "the values come to more than {BATCH_BYTES_MAX} bytes: ask for fewer keys"
            ))
        })?;
        if !lent.more(size) {
            let reason = "the host has no memory left for the values: ask for fewer keys, or try again later";
            return Err(Failure::Other(reason.to_owned()));
        }
        found.push((key, value.map(Vec::from)));
    }
    Ok(found)
}

async fn set_many(
    bound: &Bound<dyn Keyvalue>,
    bucket: &str,
    pairs: Vec<(String, Vec<u8>)>,
) -> Result<(), Failure> {
    check_batch(pairs.len())?;
    // In order, so that of two values for one key the later wins.
    for (key, value) in pairs {
        bound.implementation.set(&bound.call, bucket, &key, Bytes::from(value)).await?;
    }
    Ok(())
}

async fn delete_many(bound: &Bound<dyn Keyvalue>, bucket: &str, keys: Vec<String>) -> Result<(), Failure> {
    check_batch(keys.len())?;
    stream::iter(keys)
        .map(|key| async move { bound.implementation.delete(&bound.call, bucket, &key).await })
        .buffer_unordered(BATCH_WIDTH)
        .try_collect::<()>()
        .await?;
    Ok(())
}
