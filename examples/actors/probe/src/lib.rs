//! Shows what a host gives an actor, so that tests can look at it from inside.
//!
//! `/http?url=` relays a request over the link to an HTTP client, `/config?key=` reads configuration through both versions
//! of `wasi:config` (without a key: all of it), `/log?level=&message=` writes a log line, `/env` tells what of the
//! machine is visible, which has to be nothing.

mod bindings;
mod outgoing;
mod settings;
mod surroundings;

use actor_http::{query_value, respond, split_target};
use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Probe);

struct Probe;

impl Guest for Probe {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, query) = split_target(&request);
        let value = |key| query_value(&query, key);
        match path.as_str() {
            "/" => answer(response_out, 200, &json!({ "ok": true })),
            "/http" => outgoing::relay(response_out, &value("url").unwrap_or_default()),
            "/config" => {
                let (status, found) = settings::look_up(value("key").as_deref());
                answer(response_out, status, &found);
            }
            "/log" => {
                let (status, done) =
                    settings::log(value("level").as_deref(), &value("message").unwrap_or_default());
                answer(response_out, status, &done);
            }
            "/env" => answer(response_out, 200, &surroundings::describe()),
            _ => answer(response_out, 404, &json!({ "error": "no such probe" })),
        }
    }
}

fn answer(response_out: ResponseOutparam, status: u16, value: &Value) {
    respond(response_out, status, "application/json", format!("{value}\n").as_bytes());
}
