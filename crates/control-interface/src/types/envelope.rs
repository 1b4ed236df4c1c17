//! What every control request is answered with.

use serde::{Deserialize, Serialize};

/// The [code](CtlResponse::code) of what a host did not do because it was frozen while the request waited; asking anew is safe.
pub const STALE: &str = "stale";

/// The answer to a control request: `{"success": true, "message": "", "response": …}`.
///
/// A missing `message` reads as empty, a missing `response` or `code` as none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CtlResponse<T> {
    /// Whether the request was carried out, or at least taken on where the outcome comes as an event.
    pub success: bool,
    /// What was done, or why it was not; may be empty.
    #[serde(default)]
    pub message: String,
    /// Ours: which kind of refusal it is, where the request was refused because of who sent it, as `signature-required`, or because
    /// it came too late ([`STALE`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was asked for.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub response: Option<T>,
}

impl<T> CtlResponse<T> {
    /// Success with the data asked for; v1 leaves the message empty then.
    #[must_use]
    pub fn ok(response: T) -> Self {
        Self { success: true, message: String::new(), code: None, response: Some(response) }
    }

    /// Success without data; the message says what was done.
    #[must_use]
    pub fn success(message: impl Into<String>) -> Self {
        Self { success: true, message: message.into(), code: None, response: None }
    }

    /// Refusal; the message says why, and what would mend it.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { success: false, message: message.into(), code: None, response: None }
    }

    /// Refusal because of who asks, with its kind.
    #[must_use]
    pub fn denied(code: &str, message: impl Into<String>) -> Self {
        Self { code: Some(code.to_owned()), ..Self::error(message) }
    }
}
