//! Compiled code kept on disk between runs, authenticated, so that nobody else's bytes are ever run as machine code.
//!
//! An entry is `magic, engine digest, SHA-256 of the wasm, length, code, HMAC-SHA256`. It is read whole, verified, and those
//! very bytes are given to the engine: a file that changes after the check changes nothing. The key lies outside the cache
//! folder, readable by its owner only. Whatever is wrong with folder, key or entry, the answer is "not cached": the caller
//! compiles.
//!
//! The only crate of the workspace with `unsafe`, in one function of `code`.
//!
//! All functions do blocking file I/O; call them where blocking is allowed.

#[cfg(feature = "engine")]
mod cache;
#[cfg(feature = "engine")]
mod code;
mod entry;
mod folder;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod key;

#[cfg(feature = "engine")]
pub use cache::{CacheConfig, CodeCache, Status, StoreError, Stored};
pub use entry::{ENTRY_BYTES_MAX, Reject};
pub use folder::Unusable;
