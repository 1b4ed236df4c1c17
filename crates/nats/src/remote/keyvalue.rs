//! `wasi:keyvalue` over the lattice: an actor on one host uses a provider on another.
//!
//! The functions are those of the contract, with the bucket's name in front where the contract has a resource, and two of
//! ours that `cas` is made of:
//!
//! ```wit
//! variant error { no-such-store, access-denied, other(string) }
//! open: func(bucket: string) -> result<_, error>;
//! get: func(bucket: string, key: string) -> result<option<list<u8>>, error>;
//! set: func(bucket: string, key: string, value: list<u8>) -> result<_, error>;
//! delete: func(bucket: string, key: string) -> result<_, error>;
//! exists: func(bucket: string, key: string) -> result<bool, error>;
//! list-keys: func(bucket: string, cursor: option<u64>) -> result<key-response, error>;
//! record key-response { keys: list<string>, cursor: option<u64> }
//! increment: func(bucket: string, key: string, delta: s64) -> result<s64, error>;
//! get-versioned: func(bucket: string, key: string) -> result<tuple<option<list<u8>>, u64>, error>;
//! swap: func(bucket: string, key: string, revision: u64, value: list<u8>) -> result<bool, error>;
//! ```

mod client;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod operation;
mod server;

#[cfg(test)]
mod tests;

pub use client::RemoteKeyvalue;
pub use server::serve;

/// What a request or a reply may take, in bytes: a page of keys or a value.
const BYTES_MAX: usize = 64 * 1024 * 1024;
