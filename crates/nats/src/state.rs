//! The lattice's state: facts in one JetStream bucket, and this process' view of them.
//!
//! Facts are only ever replaced by newer ones, deletions are facts too (tombstones), and a view joins what it hears: in
//! whatever order, however often, the same facts remain. So nothing is lost with a watch, a connection or the bucket:
//! absence deletes nothing.

mod bucket;
mod fact;
mod store;
mod view;
mod watcher;

use std::time::Duration;

use crate::RequestError;

pub use fact::{Fact, Version};
pub use store::FactStore;
pub use view::Facts;

/// Why the lattice's state could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bucket could not be reached.
    #[error("the lattice's state in bucket {bucket} cannot be reached: {source}")]
    Unreachable {
        /// The bucket.
        bucket: String,
        /// What failed.
        source: RequestError,
    },
    /// JetStream refused.
    #[error("JetStream refused {what} of bucket {bucket}: {why}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// What was asked.
        what: String,
        /// What JetStream said.
        why: String,
    },
    /// Other writers were always faster.
    #[error("{key} was changed by others {attempts} times while it was being written; try again")]
    Contended {
        /// The fact's key.
        key: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The first read did not end in time.
    #[error("the lattice's state in bucket {bucket} could not be read within {after:?}; is NATS overloaded?")]
    Unread {
        /// The bucket.
        bucket: String,
        /// How long was waited.
        after: Duration,
    },
    /// The fact cannot be written as JSON, or contradicts its key.
    #[error("{key} cannot be written: {why}")]
    Unwritable {
        /// The fact's key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

impl StateError {
    /// True if nothing is wrong with the request: the same may succeed when NATS is well again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, StateError::Unwritable { .. })
    }
}
