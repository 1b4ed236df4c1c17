//! `wasi:http/outgoing-handler`: requests leave over the actor's link to an HTTP client, or not at all.

use http_body_util::BodyExt;
use lattice_contracts::{
    http::{Body, BodyError, OutgoingError, OutgoingLimits, carry_trace},
    logging::Level,
};
use lattice_core::{CallError, ErrorCode};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Way;

/// The largest piece of a body that the host takes from a guest at once; with one more waiting, what a body may hold.
const BODY_CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The same for later bodies of an invocation: as many as there are handles must not fill the host.
const SMALL_CHUNK_BYTES_MAX: usize = 4 * 1024;
/// How many bodies of an invocation get the large chunks.
const LARGE_BODIES: u32 = 64;

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send>;

impl WasiHttpHooks for Way {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sent {
        let bound = match self.dispatch().http_outgoing(&self.call, &self.link) {
            Ok(bound) => bound,
            Err(error) => {
                // The contract's error codes carry no text, so the reason goes where the actor's author looks.
                self.log(Level::Warn, "wasi:http", &error.to_string());
                return Box::new(async move { Err(from_call(&error)) });
            }
        };
        let limits = options.map(limits).unwrap_or_default();
        let mut request = request.map(outgoing_body);
        carry_trace(request.headers_mut(), bound.call.trace);
        let watch = self.watch.clone();
        Box::new(async move {
            let deadline = bound.call.deadline;
            let sent = bound.implementation.request(bound.call, request, limits);
            match tokio::time::timeout_at(deadline, sent).await {
                Ok(Ok(response)) => {
                    Ok((response.map(incoming_body), Box::new(std::future::ready(Ok(()))) as Io))
                }
                Ok(Err(error)) => {
                    if !says_why(&error) {
                        watch.output.log(Level::Warn, "wasi:http", &error.to_string());
                    }
                    Err(from_outgoing(error))
                }
                Err(_) => Err(Error::HttpResponseTimeout),
            }
        })
    }

    /// Asked once for each body a guest makes.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.bodies = self.bodies.saturating_add(1);
        if self.bodies <= LARGE_BODIES { BODY_CHUNK_BYTES_MAX } else { SMALL_CHUNK_BYTES_MAX }
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES_MAX
    }
}

fn limits(options: RequestOptions) -> OutgoingLimits {
    OutgoingLimits {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        between_bytes: options.between_bytes_timeout,
    }
}

/// A body that a guest makes, for others to read.
pub(crate) fn outgoing_body(body: WasiBody) -> Body {
    body.map_err(|error| BodyError::Connection(format!("the actor broke its body off: {error}")))
        .boxed_unsync()
}

/// A body that others make, for a guest to read.
pub(crate) fn incoming_body(body: Body) -> WasiBody {
    body.map_err(|error| match error {
        BodyError::TooLarge { limit } => Error::HttpRequestBodySize(Some(limit)),
        BodyError::Call(error) => from_call(&error),
        _ => Error::ConnectionTerminated,
    })
    .boxed_unsync()
}

/// True where the contract's code tells an actor's author all there is to know; the others go into the log.
fn says_why(error: &OutgoingError) -> bool {
    use OutgoingError::{Dns, Refused, Timeout};
    matches!(error, Dns { .. } | Refused { .. } | Timeout { .. })
}

fn from_outgoing(error: OutgoingError) -> Error {
    match error {
        OutgoingError::Denied { .. } => Error::HttpRequestDenied,
        OutgoingError::Dns { why, .. } => Error::DnsError { rcode: Some(why), info_code: None },
        OutgoingError::Refused { .. } => Error::ConnectionRefused,
        OutgoingError::Timeout { phase: "connect", .. } => Error::ConnectionTimeout,
        OutgoingError::Timeout { phase: "between bytes", .. } => Error::ConnectionReadTimeout,
        OutgoingError::Timeout { .. } => Error::HttpResponseTimeout,
        OutgoingError::Tls { .. } => Error::TlsProtocolError,
        OutgoingError::Request { .. } => Error::HttpRequestUriInvalid,
        OutgoingError::Protocol { .. } => Error::HttpProtocolError,
        OutgoingError::Call(error) => from_call(&error),
        other => Error::InternalError(Some(other.to_string())),
    }
}

fn from_call(error: &CallError) -> Error {
    match error.code {
        ErrorCode::NoLink | ErrorCode::Denied => Error::HttpRequestDenied,
        ErrorCode::Overloaded => Error::ConnectionLimitReached,
        ErrorCode::Deadline => Error::HttpResponseTimeout,
        ErrorCode::Unreachable => Error::DestinationUnavailable,
        ErrorCode::TooLarge => Error::HttpRequestBodySize(None),
        ErrorCode::Cancelled => Error::ConnectionTerminated,
        _ => Error::InternalError(Some(error.to_string())),
    }
}
