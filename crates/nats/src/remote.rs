//! Contracts over the lattice: what each call's bytes mean, for those who call and for those who serve.
//!
//! The bytes are those of one wRPC invocation (see `envelope`); [`crate::Calls`] carries them and does not look at them.
//! Whoever picks the host, and whoever finds the target there, is not here but in the host.

mod caller;
mod envelope;
mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod http;
pub mod keyvalue;
mod offer;
pub mod values;

pub use caller::{Caller, Function, Taken};
pub use offer::Offer;

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use lattice_core::CallError;

use crate::Inbound;

/// The bytes of a call in one direction, in pieces cut anywhere.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>;

fn pieces(mut inbound: Inbound) -> Pieces {
    Box::pin(futures::stream::poll_fn(move |cx| inbound.poll_next(cx)))
}
