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
    /// Which rule of this server the request broke; none where it was refused for another cause.
    pub(crate) by_rule: Option<ErrorCode>,
}

impl Refusal {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "bad-request",
            reason: reason.into(),
            closes: true,
            by_rule: Some(ErrorCode::Protocol),
        }
    }

    pub(crate) fn no_route() -> Self {
        let reason = "no actor is linked for this host and path".to_owned();
        Self { status: StatusCode::NOT_FOUND, code: "no-route", reason, closes: false, by_rule: None }
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        let reason = format!("the request body is larger than max_body_bytes of the link, {limit} bytes");
        let code = ErrorCode::TooLarge.as_str();
        let by_rule = Some(ErrorCode::TooLarge);
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, code, reason, closes: true, by_rule }
    }

    pub(crate) fn call(error: CallError) -> Self {
        let status = StatusCode::from_u16(error.code.http_status());
        let reason = told_to_strangers(&error).to_owned();
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: error.code.as_str(),
            reason,
            closes: false,
            by_rule: None,
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

/// What a client is told. A reason may name actors, buckets and commands, or carry a guest's own words: those belong into
/// the log, under the id that the answer carries. Only what the client itself can act upon is passed on, of codes whose
/// reasons hold nothing but numbers.
fn told_to_strangers(error: &CallError) -> &str {
    match error.code {
        ErrorCode::Overloaded | ErrorCode::TooLarge | ErrorCode::Deadline => &error.reason,
        ErrorCode::Trap => "the actor trapped; the host's log has the backtrace under this id",
        ErrorCode::Protocol => "the actor's answer cannot be sent; the host's log says more under this id",
        ErrorCode::Denied => "a rule refuses the call; the host's log says which under this id",
        ErrorCode::NoLink => {
            "something that the actor needs is not linked; the host's log says more under this id"
        }
        ErrorCode::Backend => "something behind the actor failed; the host's log says more under this id",
        ErrorCode::Unreachable => {
            "the actor does not run now; try again later, the host's log says more under this id"
        }
        ErrorCode::Cancelled => "the call was broken off; the host's log says more under this id",
        // A code of a later version.
        _ => "the call failed; the host's log says more under this id",
    }
}

#[cfg(test)]
mod tests {
    use lattice_core::{ActorId, Hop};

    use super::*;

    #[test]
    fn strangers_learn_what_they_can_act_upon_and_nothing_of_the_lattice() {
        for (code, passed_on) in [
            (ErrorCode::Trap, false),
            (ErrorCode::Protocol, false),
            (ErrorCode::NoLink, false),
            (ErrorCode::Denied, false),
            (ErrorCode::Backend, false),
            (ErrorCode::Unreachable, false),
            (ErrorCode::Cancelled, false),
            (ErrorCode::Overloaded, true),
            (ErrorCode::TooLarge, true),
            (ErrorCode::Deadline, true),
        ] {
            let hop = Hop::Actor(ActorId::new("secret").unwrap());
            let reason = "bucket secret: wash link put secret";
            let refusal = Refusal::call(CallError::new(hop, code, reason));
            assert_eq!(refusal.code, code.as_str());
            assert_eq!(refusal.reason.contains("secret"), passed_on, "{code}");
            assert_eq!(refusal.reason.ends_with("under this id"), !passed_on, "{code}");
        }
    }
}
