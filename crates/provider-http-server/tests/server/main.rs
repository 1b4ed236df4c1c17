//! The provider on real sockets, with actors that the tests play.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod binding;
mod limits;
mod rig;
mod serving;
