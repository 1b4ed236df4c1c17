//! The runtime with the example actors in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod between;
mod code;
mod handmade;
mod imports;
mod invoke;
mod load;
mod misbehave;
mod serve;
mod space;
mod support;
mod wire;
