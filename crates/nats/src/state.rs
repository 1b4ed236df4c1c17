//! The lattice's state: facts in one JetStream bucket, and this process' view of them.
//!
//! Facts are only ever replaced by newer ones, deletions are facts too (tombstones), and a view joins what it hears: in
//! whatever order, however often, the same facts remain. So nothing is lost with a watch, a connection or the bucket:
//! absence deletes nothing. A bucket that lost its facts gets them back from every host that knows them (`merge`), and each
//! host keeps what it knows on its own disk (`memory`).

mod answer;
mod bucket;
mod check;
mod fact;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod keeper;
mod landmark;
mod lease;
mod memory;
mod merge;
mod reunion;
mod snapshot;
mod snapshot_file;
mod store;
mod typed;
mod view;
mod watcher;
mod write;

use std::{path::PathBuf, time::Duration};

use crate::RequestError;

pub use fact::{Fact, Version};
pub use merge::Overridden;
pub use snapshot::{SnapshotKind, UnreadableSnapshot};
pub use snapshot_file::{Loaded, SetAside, SnapshotError, SnapshotFile};
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
    /// It was to be written over what was seen, and that has changed.
    #[error("{key} was changed by somebody else meanwhile")]
    Superseded {
        /// The fact's key.
        key: String,
    },
    /// The first read did not end in time.
    #[error("the lattice's state in bucket {bucket} could not be read within {after:?}; is NATS overloaded?")]
    Unread {
        /// The bucket.
        bucket: String,
        /// How long was waited.
        after: Duration,
    },
    /// The bucket has the change, and the snapshot of this host has not.
    #[error("the change is in the lattice, but this host could not keep it in {}: {why}; mend that and try again", path.display())]
    NotKept {
        /// The snapshot.
        path: PathBuf,
        /// What failed.
        why: String,
    },
    /// What was remembered of the lattice is there and cannot be used.
    #[error("what this host remembers of the lattice cannot be used: {why}")]
    Memory {
        /// What failed.
        why: String,
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
        !matches!(
            self,
            StateError::Unwritable { .. } | StateError::Memory { .. } | StateError::Superseded { .. }
        )
    }

    /// True if another attempt at once cannot help.
    fn is_final(&self) -> bool {
        use RequestError::{Denied, Disconnected, TooLarge, Unsendable};
        match self {
            StateError::Unreachable { source, .. } => {
                matches!(source, Denied { .. } | Disconnected { .. } | TooLarge { .. } | Unsendable { .. })
            }
            error => !error.is_retryable(),
        }
    }
}
