//! Counts the requests to each path in a key-value store, and answers `{"counter": n}`.
//!
//! Which store that is, is decided by the link from this actor to a key-value provider: bucket `default` is the
//! one that the link names. The counting is one atomic increment, so that it is exact however many requests arrive at once.

use actor_http::{respond, split_target};
use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use crate::bindings::wasi::keyvalue::{atomics, store};

#[allow(missing_docs, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../wit/keyvalue-draft"],
        inline: "
            package examples:kvcounter;
            world kvcounter {
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
            }
        ",
        generate_all,
    });
}

wasip2::http::proxy::export!(KvCounter);

struct KvCounter;

impl Guest for KvCounter {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, _) = split_target(&request);
        let (status, answer) = match request.method() {
            Method::Get => count(&path),
            _ => (405, json!({ "error": "only GET counts" })),
        };
        respond(response_out, status, "application/json", format!("{answer}\n").as_bytes());
    }
}

fn count(path: &str) -> (u16, Value) {
    // The path stands in the key as it was sent, so that two paths never share a counter.
    let counted =
        store::open("default").and_then(|bucket| atomics::increment(&bucket, &format!("counter{path}"), 1));
    match counted {
        Ok(counter) => (200, json!({ "counter": counter })),
        Err(store::Error::NoSuchStore) => {
            (503, json!({ "error": "the key-value link offers no bucket \"default\"" }))
        }
        Err(store::Error::AccessDenied) => {
            (503, json!({ "error": "the key-value link does not allow this" }))
        }
        Err(store::Error::Other(reason)) => (502, json!({ "error": reason })),
    }
}
