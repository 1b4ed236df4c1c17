//! Bodies that are slow, long, or end in the middle.

use std::time::Duration;

use actor_http::{BodyWriter, respond, start};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::io::streams::StreamError;

use crate::TEXT;

const HEADERS: &[(&str, &str)] = &[("content-type", TEXT)];

/// Reads the request body to its end, holding none of it, and answers with its length.
pub(crate) fn count(request: &IncomingRequest, response_out: ResponseOutparam) {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = 0_u64;
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                let reason = error.to_debug_string();
                return respond(
                    response_out,
                    400,
                    TEXT,
                    format!("after {bytes} bytes: {reason}\n").as_bytes(),
                );
            }
        }
    }
    respond(response_out, 200, TEXT, format!("{bytes} bytes\n").as_bytes());
}

/// Sends back what comes, as it comes, holding one piece of it.
pub(crate) fn mirror(request: &IncomingRequest, response_out: ResponseOutparam) {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut answer = start(response_out, 200, HEADERS);
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) if answer.write(&piece) => {}
            Err(StreamError::Closed) => return answer.finish(),
            // Nobody reads on, or nobody goes on writing: the answer stays incomplete.
            Ok(_) | Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
}

/// Sends `n` lines, waiting `ms` before each.
pub(crate) fn trickle(response_out: ResponseOutparam, n: u64, ms: u64) {
    let mut body = start(response_out, 200, HEADERS);
    for line in 1..=n {
        std::thread::sleep(Duration::from_millis(ms));
        if !body.write(format!("line {line}\n").as_bytes()) {
            return;
        }
    }
    body.finish();
}

/// Sends `bytes` bytes as fast as the client takes them.
pub(crate) fn big(response_out: ResponseOutparam, bytes: u64) {
    let mut body = start(response_out, 200, HEADERS);
    if write_bytes(&mut body, bytes) {
        body.finish();
    }
}

/// False when the client is gone.
fn write_bytes(body: &mut BodyWriter, bytes: u64) -> bool {
    let block = [b'x'; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let piece = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        if !body.write(&block[..piece]) {
            return false;
        }
        left -= piece as u64;
    }
    true
}

/// Sends the head and a first line at once, then goes on working and writing although nobody may be waiting.
pub(crate) fn early(response_out: ResponseOutparam, n: u64, ms: u64) {
    let mut body = start(response_out, 200, HEADERS);
    body.write(b"answered early\n");
    for _ in 0..n {
        std::thread::sleep(Duration::from_millis(ms));
        // On purpose not stopping when the client is gone.
        body.write(b".");
    }
    body.finish();
}

/// Sends the head, a first line and so many bytes more, then traps. With more bytes than the way to the client holds, the
/// client has the head by then.
pub(crate) fn panic_after_head(response_out: ResponseOutparam, bytes: u64) {
    let mut body = start(response_out, 200, HEADERS);
    body.write(b"this line arrives\n");
    write_bytes(&mut body, bytes);
    panic!("asked to trap after the head");
}
