//! The capability of keeping values by key, on NATS JetStream.
//!
//! A link of this provider has an actor as its source, the provider as its target and the contract `wasi:keyvalue`. Its
//! configuration (of the provider's own end):
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `bucket` | the JetStream bucket behind the guest's bucket `default` (also written as the empty name) | `KEYVALUE_` and the lattice's name, unless `buckets` is given |
//! | `buckets` | comma list of further buckets a guest may open: `name`, or `name=bucket` where the JetStream bucket is called otherwise | |
//! | `create` | make a bucket that is not there | `true` |
//! | `replicas` | how many servers keep a bucket that is made, 1 to 5 | `1` |
//!
//! A process of its own also takes configuration of the provider: how to reach the buckets ([`in_process`]).
//!
//! A guest opens what its link names and nothing else. Buckets of the lattice itself (`LATTICE_…`), and those in which
//! hosts of wasmCloud 1.x keep theirs, are refused. Whoever names the same bucket shares its values.
//!
//! Reads are answered by the leader of the bucket's stream, never by a follower that may be behind, so that a value that
//! was set is seen by every later get from any host. Increments of one key are gathered by one writer in this process,
//! and written by compare-and-set, which keeps them exact beside the writers of other hosts.

mod bucket;
mod config;
mod entry;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod increment;
mod key;
mod link;
mod list;
mod operations;
mod process;
mod provider;
mod tally;

pub use process::{ProcessError, in_process};
pub use provider::KeyvalueNats;
