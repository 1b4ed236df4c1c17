//! HTTP over the lattice: requests to actors on other hosts, and from actors to an HTTP client on another host.
//!
//! A message is the value of `wasi:http` that wRPC makes of it (see `head`). A small body that is complete travels in the
//! head, so that most requests are one message there and one back; a longer one follows in frames, as it is pulled.
//! Nothing here buffers more than a frame, and nothing here spawns: whoever holds a body drives it, and dropping it ends the
//! other side.

mod error_code;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod head;
pub mod incoming;
mod lend;
pub mod outgoing;
mod read;
mod write;

#[cfg(test)]
mod tests;
