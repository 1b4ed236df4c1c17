//! Reads secrets through `wasmcloud:secrets`.
//!
//! `/has?name=` tells whether the actor has a secret, of which kind and how long; `/reveal?name=` answers with what it holds,
//! which an actor of your own does not do; `/trap?name=` reads it and then breaks down.

mod bindings;

use actor_http::{query_value, respond, split_target};
use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::bindings::wasmcloud::secrets::{
    reveal::reveal,
    store::{self, SecretValue, SecretsError},
};

wasip2::http::proxy::export!(Keyring);

struct Keyring;

impl Guest for Keyring {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, query) = split_target(&request);
        let name = query_value(&query, "name").unwrap_or_default();
        let found = match store::get(&name) {
            Ok(secret) => reveal(&secret),
            Err(error) => {
                let (status, error) = describe(error);
                return answer(response_out, status, &json!({ "error": error }));
            }
        };
        match path.as_str() {
            "/has" => answer(response_out, 200, &shape(&found)),
            "/reveal" => respond(response_out, 200, "application/octet-stream", bytes(&found)),
            "/trap" => std::process::abort(),
            _ => answer(response_out, 404, &json!({ "error": "there are /has, /reveal and /trap" })),
        }
    }
}

fn bytes(value: &SecretValue) -> &[u8] {
    match value {
        SecretValue::String(text) => text.as_bytes(),
        SecretValue::Bytes(bytes) => bytes,
    }
}

fn shape(value: &SecretValue) -> Value {
    let kind = match value {
        SecretValue::String(_) => "text",
        SecretValue::Bytes(_) => "bytes",
    };
    json!({ "kind": kind, "bytes": bytes(value).len() })
}

fn describe(error: SecretsError) -> (u16, String) {
    match error {
        SecretsError::NotFound => (404, "not found".to_owned()),
        SecretsError::Upstream(reason) | SecretsError::Io(reason) => (502, reason),
    }
}

fn answer(response_out: ResponseOutparam, status: u16, value: &Value) {
    respond(response_out, status, "application/json", format!("{value}\n").as_bytes());
}
