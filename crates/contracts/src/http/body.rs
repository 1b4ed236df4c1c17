//! Streamed bodies, and what those who pass them on share.

use std::task::Poll;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, Full, combinators::UnsyncBoxBody};
use lattice_core::CallError;

/// A streamed body. Whoever holds it pulls; nothing is buffered beyond a frame or two.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// What comes of asking a body for its next frame.
pub type PolledFrame = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is longer than the receiver allows.
    #[error("body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The other side of the connection went away.
    #[error("the connection ended before the body did: {0}")]
    Connection(String),
    /// Whoever makes the body failed while making it.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// An empty body.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is already complete.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How many bytes of a body may still come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    left: u64,
    limit: u64,
}

impl Allowance {
    /// `limit` bytes in all.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { left: limit, limit }
    }

    /// Whether so many bytes more may come.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`].
    pub fn allows(&self, bytes: u64) -> Result<(), BodyError> {
        if bytes > self.left { Err(BodyError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    /// Counts a frame.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] if its data is more than may still come; nothing is counted then.
    pub fn take(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        let bytes = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.allows(bytes)?;
        self.left -= bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_to_its_allowance() {
        let data = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
        let mut allowance = Allowance::new(5);
        assert!(
            allowance.take(&data("abc")).is_ok()
                && allowance.take(&Frame::trailers(http::HeaderMap::new())).is_ok()
        );
        assert!(allowance.allows(2).is_ok() && allowance.allows(3).is_err());
        let error = allowance.take(&data("def")).unwrap_err();
        assert_eq!(error.to_string(), "body is larger than 5 bytes");
        assert!(allowance.take(&data("de")).is_ok() && allowance.take(&data("")).is_ok());
        assert!(allowance.take(&data("f")).is_err());
    }
}
