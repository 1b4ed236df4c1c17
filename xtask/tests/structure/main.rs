//! The shape of the workspace, held as tests: which crate may use which, no file that nothing reaches, unsafe code in one place,
//! and dependencies that must not come back.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod dependencies;
mod layers;
mod metadata;
mod profile;
mod reached;
mod unsafe_code;
