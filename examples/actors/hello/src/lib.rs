//! The smallest useful actor: every request is answered with one line of text.
//!
//! It imports nothing that needs a link; a link *to* it from an HTTP server is what makes it reachable.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let headers = Fields::new();
        headers.set("content-type", &[b"text/plain; charset=utf-8".to_vec()]).expect("a well-formed header");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(response_out, Ok(response));

        let out = body.write().expect("the stream is taken once");
        // A client that is already gone is no fault of ours: what is left is to let go.
        let _ = out.blocking_write_and_flush(b"Hello from the lattice!\n");
        drop(out);
        let _ = OutgoingBody::finish(body, None);
    }
}
