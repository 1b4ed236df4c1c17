//! Requests to actors: `wasi:http/incoming-handler.handle`, from both ends.

use bytes::Bytes;
use lattice_contracts::http::{Request, Response};
use lattice_core::{CallError, ErrorCode, Hop, encoding::EncodeError};

use super::{
    error_code,
    head::{decode_request, decode_response, encode_request, encode_response},
    read::Reading,
    write::{Gathered, gather, told, too_large},
};
use crate::{
    Inbound, Outbound,
    remote::{Offer, Pieces, envelope, pieces},
};

/// The interface, as it stands in subjects.
pub const INTERFACE: &str = "wasi:http/incoming-handler";
/// Its one function.
pub const FUNCTION: &str = "handle";

/// Makes a request ready to be sent. A body that is small and there, or there in a moment, travels with its head.
///
/// # Errors
/// Whatever the body ends with before its head could leave; [`ErrorCode::TooLarge`] where the head is too long. `hop` is
/// who says so.
pub async fn offer(request: Request, hop: Hop) -> Result<Offer, CallError> {
    let (parts, body) = request.into_parts();
    let body = gather(body).await.map_err(|error| told(error, &hop))?;
    let head = encode_request(&parts, &body.carried);
    offered(INTERFACE, head.and_then(|head| envelope::request(INTERFACE, FUNCTION, &head)), body, hop)
}

/// An offer of what is encoded, and of the body that follows it.
pub(super) fn offered(
    what: &str,
    encoded: Result<Bytes, EncodeError>,
    body: Gathered,
    hop: Hop,
) -> Result<Offer, CallError> {
    let head =
        encoded.map_err(|error| too_large(&format!("the head of a request to {what}"), &error, &hop))?;
    match body.carried.has_more() {
        true => Ok(Offer::stream(Box::pin(body.follow(head, hop.clone())), hop)),
        false => Ok(Offer::whole(head)),
    }
}

/// The request of an offer that nobody took, to be served here.
///
/// # Errors
/// [`ErrorCode::Unreachable`] where too much of it has been read already.
pub async fn take_back(offer: Offer, hop: Hop) -> Result<Request, CallError> {
    read_request(offer.pieces(), hop).await
}

/// Reads the response to a request: returns with its head, the body follows as it is pulled. `hop` is the actor that
/// answers.
///
/// # Errors
/// As the call ends, or [`ErrorCode::Protocol`] where what came back is no response.
pub async fn response(reply: Inbound, hop: Hop) -> Result<Response, CallError> {
    read_response(pieces(reply), hop).await
}

pub(super) async fn read_response(pieces: Pieces, hop: Hop) -> Result<Response, CallError> {
    let mut reading = Reading::new(pieces, hop.clone());
    let root = reading.root().await?;
    match decode_response(&root).map_err(|error| reading.broken(error))? {
        Ok((parts, carried)) => Ok(Response::from_parts(parts, reading.body(carried))),
        Err(code) => {
            let name = error_code::name(code);
            Err(CallError::new(hop, ErrorCode::Trap, format!("it answered with the error {name}")))
        }
    }
}

/// Reads a request that somebody sent: returns with its head, the body follows as it is pulled.
///
/// # Errors
/// [`ErrorCode::Protocol`] where it is no request; `hop` is who says so.
pub async fn request(sent: Inbound, hop: Hop) -> Result<Request, CallError> {
    read_request(pieces(sent), hop).await
}

pub(super) async fn read_request(pieces: Pieces, hop: Hop) -> Result<Request, CallError> {
    let mut reading = Reading::new(pieces, hop);
    reading.open_request().await?;
    let root = reading.root().await?;
    let (parts, carried) = decode_request(&root).map_err(|error| reading.broken(error))?;
    Ok(Request::from_parts(parts, reading.body(carried)))
}

/// Makes a response ready to be sent back, as [`offer`] does a request.
///
/// # Errors
/// As [`offer`].
pub async fn reply(response: Response, hop: Hop) -> Result<Outbound, CallError> {
    let (parts, body) = response.into_parts();
    let body = gather(body).await.map_err(|error| told(error, &hop))?;
    let head = encode_response(&parts, &body.carried)
        .map_err(|error| too_large("the head of the response", &error, &hop))?;
    Ok(body.reply(envelope::reply(&head), hop))
}
