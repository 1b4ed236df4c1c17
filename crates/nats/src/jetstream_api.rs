//! Errors of JetStream's own JSON interface.

use std::fmt;

use serde::Deserialize;

/// An error of JetStream: `{"code", "err_code", "description"}`, under `error` in an answer. Unknown fields are ignored,
/// missing ones read as 0 and empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// Much like an HTTP status; 0 where the answer could not be read.
    #[serde(default)]
    pub code: u64,
    /// Which error it is; 0 where the answer could not be read.
    #[serde(default)]
    pub err_code: u64,
    /// The server's words.
    #[serde(default)]
    pub description: String,
}

impl ApiError {
    /// There is no message under the subject.
    pub const NO_MESSAGE: u64 = 10037;
    /// A message is larger than the stream takes.
    pub const MESSAGE_TOO_LARGE: u64 = 10054;
    /// There is no such stream.
    pub const STREAM_NOT_FOUND: u64 = 10059;
    /// Another revision than the expected one is the key's last.
    pub const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// The same, when several servers keep the stream.
    pub const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
    /// The stream takes no messages that expire by themselves.
    pub const TTL_DISABLED: u64 = 10166;

    /// Stands for an answer that is none of JetStream's.
    #[must_use]
    pub fn unreadable(why: impl fmt::Display) -> Self {
        Self { code: 0, err_code: 0, description: format!("unreadable answer: {why}") }
    }

    /// True if a write expected another revision than the key's last.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.err_code, Self::WRONG_LAST_SEQUENCE | Self::WRONG_LAST_SEQUENCE_CONSTANT)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.err_code) {
            (0, 0) => f.write_str(&self.description),
            (code, err_code) => write!(f, "{} ({code}, {err_code})", self.description),
        }
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
        Err(error) => Some(ApiError::unreadable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_and_told() {
        let conflict =
            br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence","new":1}}"#;
        let error = error_in(conflict).unwrap();
        assert!(error.is_conflict());
        assert_eq!(error.to_string(), "wrong last sequence (400, 10071)");
        assert_eq!(error_in(br#"{"type":"info"}"#), None);
        let bare = error_in(br#"{"error":{}}"#).unwrap();
        assert_eq!((bare.code, bare.err_code, bare.is_conflict()), (0, 0, false));
        assert!(error_in(b"<html>").unwrap().to_string().starts_with("unreadable answer: "));
    }
}
