//! The provider against servers of the tests' own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod judging;
mod rig;
mod sending;
mod tls;
