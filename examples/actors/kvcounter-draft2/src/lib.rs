//! The actor `kvcounter` on the second draft of `wasi:keyvalue`: counters are signed, and there is compare-and-set.
//!
//! Paths under `/cas/` are counted by compare-and-set instead of by an atomic increment, which gives the same figures.

use actor_http::{respond, split_target};
use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use crate::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::bindings::wasi::keyvalue::store::{self, Bucket};

#[allow(missing_docs, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../wit/keyvalue-draft2"],
        inline: "
            package examples:kvcounter-draft2;
            world kvcounter-draft2 {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
            }
        ",
        generate_all,
    });
}

wasip2::http::proxy::export!(KvCounter);

struct KvCounter;

/// How often a compare-and-set that lost a race is tried again before the request is given up.
const CAS_ATTEMPTS_MAX: usize = 100;

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
    let key = format!("counter{path}");
    let counted = store::open("default").and_then(|bucket| match path.starts_with("/cas/") {
        true => swap_until_won(&bucket, &key),
        false => atomics::increment(&bucket, &key, 1),
    });
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

fn swap_until_won(bucket: &Bucket, key: &str) -> Result<i64, store::Error> {
    let mut cas = Cas::new(bucket, key)?;
    for _ in 0..CAS_ATTEMPTS_MAX {
        let current = cas.current()?.map(|bytes| String::from_utf8_lossy(&bytes).parse::<i64>());
        let next = match current {
            None => 1,
            Some(Ok(current)) => current.saturating_add(1),
            Some(Err(_)) => return Err(store::Error::Other(format!("{key} holds no number"))),
        };
        match atomics::swap(cas, next.to_string().as_bytes()) {
            Ok(()) => return Ok(next),
            Err(CasError::StoreError(error)) => return Err(error),
            Err(CasError::CasFailed(newer)) => cas = newer,
        }
    }
    Err(store::Error::Other(format!("{key} changed under us {CAS_ATTEMPTS_MAX} times in a row")))
}
