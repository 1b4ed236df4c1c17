//! `wasi:keyvalue` in its two generations, over one contract trait.
//!
//! A failure is always the contract's own error, never a trap: without a link, `other` with the text that tells how to
//! make one.

mod draft;
mod draft2;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use lattice_contracts::keyvalue::{Keyvalue, KeyvalueError};
use wasmtime::component::Linker;

use crate::{Bound, guest::Guest};

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

/// The implementation behind the actor's link, as it is now.
fn bound(guest: &Guest, interface: &'static str) -> Result<Bound<dyn Keyvalue>, KeyvalueError> {
    let way = &guest.way;
    way.dispatch.keyvalue(&way.call, &way.link, interface).map_err(KeyvalueError::from)
}

async fn get_many(
    bound: &Bound<dyn Keyvalue>,
    bucket: &str,
    keys: Vec<String>,
) -> Result<Vec<(String, Option<Vec<u8>>)>, KeyvalueError> {
    stream::iter(keys)
        .map(|key| async move {
            let value = bound.implementation.get(&bound.call, bucket, &key).await?;
            Ok((key, value.map(Vec::from)))
        })
        .buffered(BATCH_WIDTH)
        .try_collect()
        .await
}

async fn set_many(
    bound: &Bound<dyn Keyvalue>,
    bucket: &str,
    pairs: Vec<(String, Vec<u8>)>,
) -> Result<(), KeyvalueError> {
    // In order, so that of two values for one key the later wins.
    for (key, value) in pairs {
        bound.implementation.set(&bound.call, bucket, &key, Bytes::from(value)).await?;
    }
    Ok(())
}

async fn delete_many(
    bound: &Bound<dyn Keyvalue>,
    bucket: &str,
    keys: Vec<String>,
) -> Result<(), KeyvalueError> {
    stream::iter(keys)
        .map(|key| async move { bound.implementation.delete(&bound.call, bucket, &key).await })
        .buffer_unordered(BATCH_WIDTH)
        .try_collect()
        .await
}
