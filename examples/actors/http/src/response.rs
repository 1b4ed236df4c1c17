//! The outgoing side: a head, then a body in as many writes as one likes.

use std::io::Write;

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// The body of a response whose head is already on its way. Dropping it without [`finish`](Self::finish) tells the
/// client that the body is incomplete.
pub struct BodyWriter {
    // Declared before the body: a stream has to be dropped before the body that it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

impl BodyWriter {
    /// Writes all of `bytes`, waiting while the client is slow. False when the client is gone.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| Write::flush(&mut self.stream)).is_ok()
    }

    /// Ends the body. A client that has gone meanwhile is no error.
    pub fn finish(self) {
        drop(self.stream);
        let _ = OutgoingBody::finish(self.body, None);
    }
}

/// Sends the head of a response and hands back its body to write.
pub fn start(response_out: ResponseOutparam, status: u16, headers: &[(&str, &str)]) -> BodyWriter {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.set(name, &[value.as_bytes().to_vec()]).expect("headers of our own are well formed");
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("a status of our own is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(response_out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    BodyWriter { stream, body }
}

/// Answers with a complete body.
pub fn respond(response_out: ResponseOutparam, status: u16, content_type: &str, body: &[u8]) {
    let mut writer = start(response_out, status, &[("content-type", content_type)]);
    writer.write(body);
    writer.finish();
}
