//! What a client gets when no actor answered: a status, and the reason as JSON.

use http::{HeaderValue, Response, StatusCode, header};
use lattice_contracts::http::{Body, full};
use lattice_core::{CallError, ErrorCode, InvocationId};

/// Names the invocation on every answer of ours, so that a client's report leads to the line in the log.
const INVOCATION_ID: &str = "x-invocation-id";
const REASON_CHARS_MAX: usize = 1000;

/// Why a request is not answered by an actor.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    /// The request's body was left unread, so the connection cannot be used again.
    pub(crate) closes: bool,
}

impl Refusal {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "bad-request", reason: reason.into(), closes: true }
    }

    pub(crate) fn no_route() -> Self {
        let reason = "no actor is linked for this host and path".to_owned();
        Self { status: StatusCode::NOT_FOUND, code: "no-route", reason, closes: false }
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        let reason = format!("the request body is larger than {limit} bytes");
        let code = ErrorCode::TooLarge.as_str();
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, code, reason, closes: true }
    }

    pub(crate) fn call(error: CallError) -> Self {
        let status = StatusCode::from_u16(error.code.http_status());
        // A trap's reason may carry the guest's own words or a backtrace: those belong into the log, not to strangers.
        let reason = match error.code {
            ErrorCode::Trap => "the actor trapped; the host's log has the backtrace under this id".to_owned(),
            _ => error.reason,
        };
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: error.code.as_str(),
            reason,
            closes: false,
        }
    }

    pub(crate) fn into_response(self, id: InvocationId, version: http::Version) -> Response<Body> {
        let reason: String = self.reason.chars().take(REASON_CHARS_MAX).collect();
        let text = serde_json::json!({ "error": self.code, "reason": reason, "invocation": id.to_string() });
        let mut response = Response::new(full(format!("{text}\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let id = HeaderValue::try_from(id.to_string()).expect("hex digits are a legal header value");
        headers.insert(INVOCATION_ID, id);
        if self.status == StatusCode::SERVICE_UNAVAILABLE && self.code == ErrorCode::Overloaded.as_str() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.closes && version < http::Version::HTTP_2 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
