//! Requests of actors to an HTTP client on another host: `wasi:http/outgoing-handler.handle`, from both ends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Outgoing, OutgoingError, OutgoingLimits, Request, Response},
};
use lattice_core::{
    CallError, ErrorCode, Hop,
    encoding::{DecodeError, Decoder, EncodeError, Encoder},
};

use super::{
    error_code,
    head::{
        HEAD_BYTES_MAX, HeadError, decode_response_or, encode_response, limited_decoder, put_request,
        take_request,
    },
    incoming::offered,
    lend::lend,
    read::Reading,
    write::{gather, told, too_large},
};
use crate::{
    Inbound, Outbound,
    remote::{Caller, Function, Offer, Pieces, Taken, envelope, pieces},
};

/// The interface, as it stands in subjects.
pub const INTERFACE: &str = "wasi:http/outgoing-handler";
/// Its one function.
pub const FUNCTION: &str = "handle";

/// An HTTP client on other hosts, and perhaps in this process as well.
pub struct RemoteOutgoing<C> {
    caller: C,
    here: Option<Arc<dyn Outgoing>>,
}

impl<C: Caller> RemoteOutgoing<C> {
    /// One that is called by `caller`.
    pub fn new(caller: C) -> Self {
        Self { caller, here: None }
    }

    /// The same, where the client is in this process too: it is called when the caller says so, or prefers it.
    #[must_use]
    pub fn beside(self, here: Option<Arc<dyn Outgoing>>) -> Self {
        Self { here, ..self }
    }

    /// Asks whoever the caller finds, and the client in this process when the caller finds that one.
    async fn offered(
        &self,
        call: &CallContext,
        offer: Offer,
        authority: &str,
        mut refused: Option<CallError>,
    ) -> Result<Response, OutgoingError> {
        let hop = || Hop::Provider(call.target.clone().into());
        let function = Function { interface: INTERFACE, function: FUNCTION };
        loop {
            match self.caller.call(call, function, &offer, refused.take()).await? {
                Taken::Elsewhere(reply) => {
                    drop(offer);
                    return response(reply, authority, hop()).await;
                }
                // At most once: a caller that hears of a refusal asks others.
                Taken::Here => {
                    let (request, limits) = read_request(offer.pieces(), hop()).await?;
                    match self.request_here(call, request, limits).await {
                        Ok(answer) => return answer,
                        Err(error) => refused = Some(error),
                    }
                }
            }
        }
    }

    /// Lets the client in this process send it; the error is its refusal, after which others may be asked.
    async fn request_here(
        &self,
        call: &CallContext,
        request: Request,
        limits: OutgoingLimits,
    ) -> Result<Result<Response, OutgoingError>, CallError> {
        let Some(here) = &self.here else {
            let hop = Hop::Provider(call.target.clone().into());
            return Err(CallError::new(hop, ErrorCode::Unreachable, "it is not in this process").not_run());
        };
        match here.request(call.clone(), request, limits).await {
            Err(OutgoingError::Call(error)) if error.may_be_tried_elsewhere() => Err(error),
            answer => Ok(answer),
        }
    }
}

#[async_trait]
impl<C: Caller> Outgoing for RemoteOutgoing<C> {
    async fn request(
        &self,
        call: CallContext,
        request: Request,
        limits: OutgoingLimits,
    ) -> Result<Response, OutgoingError> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let (mut request, mut refused) = (request, None);
        if self.here.is_some() && self.caller.prefers_here() {
            let (parts, body) = request.into_parts();
            let (lent, lender) = lend(body);
            let first = Request::from_parts(parts.clone(), lent);
            match self.request_here(&call, first, limits).await {
                Ok(answer) => return answer,
                Err(error) => {
                    // Whoever reads from a request before he refuses it leaves nothing for others.
                    let Some(body) = lender.take_back() else { return Err(error.into()) };
                    (request, refused) = (Request::from_parts(parts, body), Some(error));
                }
            }
        }
        let offer = offer(request, limits, Hop::Provider(call.target.clone().into())).await?;
        self.offered(&call, offer, &authority, refused).await
    }
}

/// Makes a request ready to be sent, as [`super::incoming::offer`] does.
///
/// # Errors
/// As there.
pub async fn offer(request: Request, limits: OutgoingLimits, hop: Hop) -> Result<Offer, CallError> {
    let (parts, body) = request.into_parts();
    let body = gather(body).await.map_err(|error| told(error, &hop))?;
    let mut encoder = Encoder::new(HEAD_BYTES_MAX);
    put_request(&mut encoder, &parts, &body.carried);
    put_limits(&mut encoder, limits);
    let head = encoder.finish().and_then(|head| envelope::request(INTERFACE, FUNCTION, &head));
    offered(INTERFACE, head, body, hop)
}

/// Reads the response to a request to `authority`; the body follows as it is pulled. `hop` is the provider that answers.
///
/// # Errors
/// The provider's own, or [`OutgoingError::Call`] where the call did not get as far.
pub async fn response(reply: Inbound, authority: &str, hop: Hop) -> Result<Response, OutgoingError> {
    let mut reading = Reading::new(pieces(reply), hop);
    let root = reading.root().await?;
    let read = decode_response_or(&root, |decoder| error_code::decode(decoder, authority));
    match read.map_err(|error| reading.broken(error))? {
        Ok((parts, carried)) => Ok(Response::from_parts(parts, reading.body(carried))),
        Err(error) => Err(error),
    }
}

/// Reads a request that an actor sent.
///
/// # Errors
/// [`lattice_core::ErrorCode::Protocol`] where it is none; `hop` is who says so.
pub async fn request(sent: Inbound, hop: Hop) -> Result<(Request, OutgoingLimits), CallError> {
    read_request(pieces(sent), hop).await
}

pub(super) async fn read_request(pieces: Pieces, hop: Hop) -> Result<(Request, OutgoingLimits), CallError> {
    let mut reading = Reading::new(pieces, hop);
    reading.open_request().await?;
    let root = reading.root().await?;
    let read = (|| {
        let mut decoder = limited_decoder(&root)?;
        let (parts, carried) = take_request(&mut decoder, &root)?;
        let limits = take_limits(&mut decoder)?;
        decoder.finish()?;
        Ok::<_, HeadError>((parts, carried, limits))
    })();
    let (parts, carried, limits) = read.map_err(|error| reading.broken(error))?;
    Ok((Request::from_parts(parts, reading.body(carried)), limits))
}

/// Makes what came of a request ready to be sent back.
///
/// # Errors
/// What kept the call from the provider, which is no answer of its own.
pub async fn reply(answer: Result<Response, OutgoingError>, hop: Hop) -> Result<Outbound, CallError> {
    let response = match answer {
        Ok(response) => response,
        Err(OutgoingError::Call(error)) => return Err(error),
        Err(error) => {
            let results = encode_error(&error).map_err(|error| too_large("the error", &error, &hop))?;
            return Ok(Outbound::Whole(envelope::reply(&results)));
        }
    };
    let (parts, body) = response.into_parts();
    let body = gather(body).await.map_err(|error| told(error, &hop))?;
    let head = encode_response(&parts, &body.carried)
        .map_err(|error| too_large("the head of the response", &error, &hop))?;
    Ok(body.reply(envelope::reply(&head), hop))
}

fn encode_error(error: &OutgoingError) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new(HEAD_BYTES_MAX);
    encoder.result(false);
    error_code::encode(&mut encoder, error);
    encoder.finish()
}

/// `option<request-options>`: each time in nanoseconds.
fn put_limits(encoder: &mut Encoder, limits: OutgoingLimits) {
    encoder.option(true);
    for limit in [limits.connect, limits.first_byte, limits.between_bytes] {
        encoder.option(limit.is_some());
        if let Some(limit) = limit {
            encoder.u64(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

fn take_limits(decoder: &mut Decoder<'_>) -> Result<OutgoingLimits, DecodeError> {
    if !decoder.option()? {
        return Ok(OutgoingLimits::default());
    }
    let mut next = || {
        Ok::<_, DecodeError>(if decoder.option()? {
            Some(Duration::from_nanos(decoder.u64()?))
        } else {
            None
        })
    };
    Ok(OutgoingLimits { connect: next()?, first_byte: next()?, between_bytes: next()? })
}
