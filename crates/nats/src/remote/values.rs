//! Plain functions over the lattice: parameters there, results back, both complete and already in the wire's encoding.

use bytes::Bytes;
use lattice_core::{CallError, ErrorCode, Hop, encoding::DecodeError};

use super::{Function, Offer, envelope};
use crate::{Inbound, Outbound};

/// What parameters or results may take, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Makes a call ready to be sent. `hop` is who says so where that fails.
///
/// # Errors
/// [`ErrorCode::TooLarge`] where parameters or names are too long.
pub fn offer(function: Function<'_>, params: &[u8], hop: Hop) -> Result<Offer, CallError> {
    let bytes = envelope::request(function.interface, function.function, params);
    let bytes = bytes.map_err(|error| CallError::new(hop, ErrorCode::TooLarge, error.to_string()))?;
    Ok(Offer::whole(bytes))
}

/// The parameters of a call that somebody sent.
///
/// # Errors
/// As the call ends; [`ErrorCode::Protocol`] where what came is no call. `hop` is who says so.
pub async fn params(sent: Inbound, hop: Hop) -> Result<Bytes, CallError> {
    read(envelope::whole_request(sent.whole(BYTES_MAX).await?), hop)
}

/// The results of a call.
///
/// # Errors
/// As [`params`].
pub async fn results(reply: Inbound, hop: Hop) -> Result<Bytes, CallError> {
    read(envelope::whole_reply(reply.whole(BYTES_MAX).await?), hop)
}

/// Makes results ready to be sent back.
#[must_use]
pub fn reply(results: &[u8]) -> Outbound {
    Outbound::Whole(envelope::reply(results))
}

fn read(bytes: Result<Bytes, DecodeError>, hop: Hop) -> Result<Bytes, CallError> {
    bytes.map_err(|error| CallError::new(hop, ErrorCode::Protocol, error.to_string()))
}
