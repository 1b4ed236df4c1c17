//! Calls between processes: docs/protocol.md tells messages, states, and what comes of each loss.
//!
//! [`Calls`] makes and serves them over one connection. Inside, `header` is the codec of the one header, `window`,
//! `exchange`, `caller` and `callee` decide without I/O or clock, `slot` and `routes` hold the calls that are open, and
//! the rest moves bytes.

mod aged;
mod arrivals;
mod budget;
mod callee;
mod caller;
mod calls;
mod entry;
mod exchange;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod header;
mod inbound;
mod opening;
mod outbox;
mod pieces;
mod places;
mod post;
mod pulse;
mod received;
mod routes;
mod sending;
mod serve;
#[cfg(test)]
mod simulation;
mod slot;
mod subjects;
mod ticking;
mod window;

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures::Stream;
use lattice_core::CallError;

pub(crate) use aged::Aged;
pub use aged::Thaws;
pub use calls::{CallCounts, Calls};
pub use inbound::Inbound;
pub use received::Received;
pub use serve::{Announced, Serve, Serving};

use crate::Version;

/// What is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    /// The interface with its package, as `wasi:http/incoming-handler`; empty for a function at a component's root.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The version of the link by whose right the call is made; the callee waits a little until it knows that one.
    pub link_version: Option<Version>,
    /// The state of the lattice says that the target runs there: the call is tried again for 250 ms when nobody listens
    /// yet.
    pub known: bool,
    /// Others may be free: rather than let the call wait, the callee shall refuse it.
    pub at_once: bool,
    /// Others may be free later: where the call has waited for its turn so long, to the millisecond, the callee shall refuse it
    /// as `overloaded`, not run. None lets it wait until its deadline. Callees that do not know of it let it wait, too.
    pub wait: Option<Duration>,
    /// The request is text for people (WAVE), and the reply shall be.
    pub text: bool,
}

/// What is sent: a request, or a reply.
pub enum Outbound {
    /// All of it. What fits is one message.
    Whole(Bytes),
    /// As it comes. Its first parts and, if they are there, the following ones make the first piece; an error in it ends
    /// the call.
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>),
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outbound::Whole(body) => f.debug_tuple("Whole").field(&body.len()).finish(),
            Outbound::Stream(_) => f.write_str("Stream"),
        }
    }
}
