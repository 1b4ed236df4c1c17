//! The provider on a real NATS server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod counting;
mod opening;
mod operations;
mod rig;
