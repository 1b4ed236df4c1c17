//! The incoming side: target and bounded body.

use wasip2::http::types::{IncomingBody, IncomingRequest};
use wasip2::io::streams::StreamError;

/// The longest request body that the example actors read, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

const READ_BYTES: u64 = 64 * 1024;

/// Why a body was not read to its end.
pub enum BodyError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    TooLarge,
    /// The client went away, or sent something that is no body.
    Broken,
}

/// Splits the target into path and query string, both as they were sent, without the `?`.
pub fn split_target(request: &IncomingRequest) -> (String, String) {
    let target = request.path_with_query().unwrap_or_default();
    match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (if target.is_empty() { "/".to_owned() } else { target }, String::new()),
    }
}

/// Reads the whole body, at most [`BODY_BYTES_MAX`] bytes. Call it once per request.
pub fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, BodyError> {
    let body: IncomingBody = request.consume().map_err(|()| BodyError::Broken)?;
    let stream = body.stream().map_err(|()| BodyError::Broken)?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(chunk) if bytes.len() + chunk.len() > BODY_BYTES_MAX => return Err(BodyError::TooLarge),
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(BodyError::Broken),
        }
    }
}
