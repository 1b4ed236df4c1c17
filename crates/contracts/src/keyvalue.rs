//! `wasi:keyvalue`: buckets of byte strings, with counters and compare-and-swap.

use async_trait::async_trait;
use bytes::Bytes;
use lattice_core::CallError;

use crate::CallContext;

/// Why a key-value operation failed; the first two are the contract's own, the rest reach a guest as `other`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyvalueError {
    /// The link names no such bucket.
    #[error("the link configures no bucket {bucket:?}")]
    NoSuchStore {
        /// The name the guest asked for.
        bucket: String,
    },
    /// The backend refuses.
    #[error("access denied: {why}")]
    AccessDenied {
        /// Which rule refused.
        why: String,
    },
    /// A key or value the backend cannot hold.
    #[error("{what} of {size} bytes is too large (at most {max})")]
    TooLarge {
        /// `key` or `value`.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The stored bytes are not what the operation works on.
    #[error("{key:?} does not hold a decimal number, so it cannot be incremented")]
    NotANumber {
        /// The key.
        key: String,
    },
    /// The backend failed.
    #[error("the key-value backend failed: {why}")]
    Backend {
        /// What it said.
        why: String,
    },
    /// What a provider on another host says: the contract's own word for everything else.
    #[error("{why}")]
    Other {
        /// What it says.
        why: String,
    },
    /// The call did not get as far as the provider.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// One page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// Keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// Where the next page starts: a decimal `u64`, as one generation of the contract demands; `None` at the end.
    pub cursor: Option<u64>,
}

/// A value with the revision by which it can be swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value; `None` where the key has none.
    pub value: Option<Bytes>,
    /// Opaque; changes with every write of the key. 0 where the key was never written.
    pub revision: u64,
}

/// A store of buckets. `bucket` is a name the link knows, never a name of the backend's own.
///
/// A value that was set is seen by every later get of the same bucket, from any host. Deleting what is not there is
/// done.
#[async_trait]
pub trait Keyvalue: Send + Sync {
    /// Checks that the link knows `bucket`.
    async fn open(&self, call: &CallContext, bucket: &str) -> Result<(), KeyvalueError>;
    /// Reads a value; `None` where there is none.
    async fn get(&self, call: &CallContext, bucket: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError>;
    /// Reads a value together with its revision.
    async fn get_versioned(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
    ) -> Result<Versioned, KeyvalueError>;
    /// Writes a value.
    async fn set(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), KeyvalueError>;
    /// Writes a value if the key still has `revision`; `false` if somebody else was faster.
    async fn swap(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError>;
    /// Removes a value.
    async fn delete(&self, call: &CallContext, bucket: &str, key: &str) -> Result<(), KeyvalueError>;
    /// True where the key has a value.
    async fn exists(&self, call: &CallContext, bucket: &str, key: &str) -> Result<bool, KeyvalueError>;
    /// A page of keys; `cursor` as the page before gave it, `None` for the first.
    async fn list_keys(
        &self,
        call: &CallContext,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError>;
    /// Adds `delta` to the decimal number under `key`, which starts as 0, and returns the sum. Exact under any
    /// concurrency; an overflow is an error and changes nothing.
    async fn increment(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyvalueError>;
}
