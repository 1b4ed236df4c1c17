//! `wasi:http`: requests to actors ([`Incoming`]) and from actors ([`Outgoing`]). Bodies stream in both directions.

mod body;

use async_trait::async_trait;
use http::header::{CONNECTION, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use lattice_core::{CallError, TRACEPARENT, TraceParent};
use tokio::time::Duration;

use crate::CallContext;

pub use body::{Allowance, Body, BodyError, PolledFrame, empty, full};

/// A request with a streamed body.
pub type Request = http::Request<Body>;
/// A response with a streamed body.
pub type Response = http::Response<Body>;

/// Names made once: a text would be read and checked anew for each look-up.
const TRACE: HeaderName = HeaderName::from_static(TRACEPARENT);
static HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The trace that a message belongs to, where it is sampled. Several headers of the kind say nothing.
#[must_use]
pub fn trace_of(headers: &http::HeaderMap) -> Option<TraceParent> {
    let mut all = headers.get_all(TRACE).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => TraceParent::sampled(one.to_str().ok()?),
        _ => None,
    }
}

/// Lets a message say which trace it belongs to, unless it says so itself.
pub fn carry_trace(headers: &mut http::HeaderMap, trace: Option<TraceParent>) {
    let Some(trace) = trace else { return };
    if headers.contains_key(TRACE) {
        return;
    }
    if let Ok(value) = http::HeaderValue::from_str(&trace.to_string()) {
        headers.insert(TRACE, value);
    }
}

/// Removes what concerns one connection alone and must not travel on: `connection` and whatever it names, `keep-alive`,
/// `proxy-connection`, `transfer-encoding`, `upgrade`, and `te` unless it only says that trailers are welcome.
pub fn remove_hop_by_hop(headers: &mut http::HeaderMap) {
    // Most heads have none, and to go through their few names is quicker than to look for all of these.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().filter(|name| **name != TE) {
        headers.remove(name);
    }
    let trailers_are_welcome = headers.get_all(TE).iter().all(|te| te == "trailers");
    for name in HOP_BY_HOP.iter().filter(|name| **name != TE || !trailers_are_welcome) {
        headers.remove(name);
    }
}

/// What an HTTP server calls: an actor that answers requests.
#[async_trait]
pub trait Incoming: Send + Sync {
    /// Hands `request` to the target and returns as soon as it has a response head; the body follows as it is pulled.
    ///
    /// The request's URI is absolute-form or has a `host` header. Dropping the response body before its end tells the
    /// target that nobody reads on.
    ///
    /// # Errors
    /// [`CallError`] of the hop that failed; nothing of a response has been made then.
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError>;
}

/// Time limits a guest asked for; each is also bounded by the call's deadline.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutgoingLimits {
    /// To connect.
    pub connect: Option<Duration>,
    /// Until the response head.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the response body.
    pub between_bytes: Option<Duration>,
}

/// Why an outgoing request got no response; near the error codes of `wasi:http`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingError {
    /// The link does not allow this destination.
    #[error("request to {authority} denied: {why}")]
    Denied {
        /// Host and port.
        authority: String,
        /// Which rule refused.
        why: String,
    },
    /// The name does not resolve.
    #[error("{authority} cannot be resolved: {why}")]
    Dns {
        /// Host and port.
        authority: String,
        /// What the resolver said.
        why: String,
    },
    /// Nobody listens there.
    #[error("{authority} refused the connection")]
    Refused {
        /// Host and port.
        authority: String,
    },
    /// A time limit passed.
    #[error("{authority} gave no answer in time ({phase})")]
    Timeout {
        /// Host and port.
        authority: String,
        /// What was waited for: `connect`, `first byte`, `between bytes`.
        phase: &'static str,
    },
    /// TLS failed.
    #[error("TLS with {authority} failed: {why}")]
    Tls {
        /// Host and port.
        authority: String,
        /// What the TLS library said.
        why: String,
    },
    /// The request cannot be sent as it is.
    #[error("the request is malformed: {why}")]
    Request {
        /// What is wrong with it.
        why: String,
    },
    /// The other side did not speak HTTP, or hung up.
    #[error("{authority} broke off: {why}")]
    Protocol {
        /// Host and port.
        authority: String,
        /// What the HTTP library said.
        why: String,
    },
    /// The call did not get as far as the provider.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What an actor calls to make requests of its own.
#[async_trait]
pub trait Outgoing: Send + Sync {
    /// Sends `request`, whose URI has scheme and authority, and returns with the response head; the body follows as it
    /// is pulled.
    ///
    /// # Errors
    /// [`OutgoingError`]; the request may have been sent and acted on.
    async fn request(
        &self,
        call: CallContext,
        request: Request,
        limits: OutgoingLimits,
    ) -> Result<Response, OutgoingError>;
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn a_trace_is_read_where_it_is_one_and_never_overwritten() {
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, HeaderValue::from_static(value));
            }
            headers
        };
        let trace = trace_of(&of(&[sampled]));
        assert_eq!(trace.map(|trace| trace.to_string()).as_deref(), Some(sampled));
        for none in [&[][..], &["nonsense"], &[sampled, sampled], &[sampled, "nonsense"]] {
            assert_eq!(trace_of(&of(none)), None, "{none:?}");
        }
        let carried = |values: &[&'static str], trace| {
            let mut headers = of(values);
            carry_trace(&mut headers, trace);
            headers
        };
        assert_eq!(carried(&[], trace), of(&[sampled]));
        assert_eq!(carried(&["own"], trace), of(&["own"]));
        assert_eq!(carried(&[], None), of(&[]));
    }

    #[test]
    fn what_concerns_one_connection_does_not_travel_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("connection", "te, upgrade"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "te"]);
    }
}
