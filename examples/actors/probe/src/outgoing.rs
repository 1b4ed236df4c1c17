//! A request to the outside, which needs a link to an HTTP client.

use actor_http::{respond, start};
use serde_json::json;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, ResponseOutparam, Scheme};
use wasip2::io::streams::StreamError;

/// Fetches `url` and answers with its status and body.
pub(crate) fn relay(response_out: ResponseOutparam, url: &str) {
    let error = match fetch(url) {
        Ok(response) => return pass_on(response_out, &response),
        Err(error) => error,
    };
    let body = format!("{}\n", json!({ "error": error }));
    respond(response_out, 502, "application/json", body.as_bytes());
}

fn fetch(url: &str) -> Result<IncomingResponse, String> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(format!("{url:?} is neither an http nor an https URL")),
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let request = OutgoingRequest::new(Fields::new());
    let malformed = |()| format!("{url:?} is no URL that can be requested");
    request.set_scheme(Some(&scheme)).map_err(malformed)?;
    request.set_authority(Some(authority)).map_err(malformed)?;
    request.set_path_with_query(Some(path)).map_err(malformed)?;

    let pending = outgoing_handler::handle(request, None).map_err(describe)?;
    pending.subscribe().block();
    let answered = pending.get().ok_or("woken without an answer")?;
    answered.map_err(|()| "the answer was taken before")?.map_err(describe)
}

fn describe(error: ErrorCode) -> String {
    format!("{error:?}")
}

fn pass_on(response_out: ResponseOutparam, response: &IncomingResponse) {
    let body = response.consume().expect("the body is taken once");
    let from = body.stream().expect("the stream is taken once");
    let mut to = start(response_out, response.status(), &[("content-type", "application/octet-stream")]);
    loop {
        match from.blocking_read(64 * 1024) {
            Ok(chunk) if !to.write(&chunk) => return,
            Ok(_) => {}
            Err(StreamError::Closed) => return to.finish(),
            // Not finished: an incomplete body has to look incomplete to our client too.
            Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
}
