//! Errors of JetStream's own JSON interface.

use std::fmt;

use serde::Deserialize;

/// `{"error": {"code", "err_code", "description"}}`; unknown fields are ignored, missing ones read as 0 and empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ApiError {
    #[serde(default)]
    pub(crate) code: u64,
    #[serde(default)]
    pub(crate) err_code: u64,
    #[serde(default)]
    pub(crate) description: String,
}

impl ApiError {
    /// Another revision than the expected one is the key's last.
    pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// The same, when several servers keep the stream.
    pub(crate) const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
    /// The stream takes no messages that expire by themselves.
    pub(crate) const TTL_DISABLED: u64 = 10166;
    /// There is no such stream.
    pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.description, self.code, self.err_code)
    }
}

#[derive(Deserialize)]
struct Answer {
    error: Option<ApiError>,
}

/// The error in an answer, if it holds one.
pub(crate) fn error_in(answer: &[u8]) -> Option<ApiError> {
    match serde_json::from_slice::<Answer>(answer) {
        Ok(answer) => answer.error,
        Err(error) => {
            let description = format!("not an answer of JetStream: {error}");
            Some(ApiError { code: 0, err_code: 0, description })
        }
    }
}
