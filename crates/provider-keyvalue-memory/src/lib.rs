//! The capability of keeping values by key, in the memory of one process: for development and tests, and for what may be lost.
//!
//! Everything is gone when the process ends, and two processes share nothing. A link of this provider has an actor as its source, the
//! provider as its target and the contract `wasi:keyvalue`. Its configuration (of the provider's own end):
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `bucket` | the store behind the guest's bucket `default` (also written as the empty name) | `default` |
//! | `buckets` | comma list of further stores that a guest may open | |
//!
//! Links that name the same store share its values. What the provider itself is started with:
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `bytes_max` | keys and values of all stores together, in bytes | `67108864` |
//! | `entries_max` | keys of all stores together | `100000` |
//! | `value_bytes_max` | one value, in bytes | `1048576` |

mod config;
mod provider;
mod store;

pub use provider::KeyvalueMemory;
