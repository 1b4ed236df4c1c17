//! Answers every request with one line of text, like `hello`, but on WASI 0.3: the handler is asynchronous, and the body a
//! stream. A host serves it only with `--wasip3`. The path `/trap` traps after the line is out.

use wasip3::{
    exports::http::handler::Guest,
    http::types::{ErrorCode, Fields, Request, Response},
    wit_bindgen, wit_future, wit_stream,
};

wasip3::http::service::export!(Hello);

struct Hello;

impl Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let traps = request.get_path_with_query().as_deref() == Some("/trap");
        let (mut out, body) = wit_stream::new();
        // The body is written after the head is out, while the host reads it.
        wit_bindgen::spawn_local(async move {
            out.write_all(b"Hello from the lattice, on WASI 0.3!\n".to_vec()).await;
            assert!(!traps, "asked to trap");
        });
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
        Ok(response)
    }
}
