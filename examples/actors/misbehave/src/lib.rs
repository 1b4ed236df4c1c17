//! Does on request what an actor should not do, so that tests can show that a host and its other actors stay unharmed.
//!
//! The path chooses: `/loop`, `/memory`, `/trap`, `/recurse`, `/print`, `/sleep?ms=`, `/leak?n=`, `/count` (reads the
//! request body), `/mirror` (sends it back), `/trickle?n=&ms=`, `/big?bytes=`, `/early?n=&ms=`,
//! `/panic-after-head?bytes=`, `/instance` (how many requests this instance has answered so); `/` behaves.

mod exhaust;
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};

use actor_http::{query_value, respond, split_target};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Misbehave);

struct Misbehave;

/// What an instance remembers: a fresh one starts at nothing.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

impl Guest for Misbehave {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, query) = split_target(&request);
        let number =
            |key, default: u64| query_value(&query, key).and_then(|n| n.parse().ok()).unwrap_or(default);
        let answer = match path.as_str() {
            "/" => "ok\n".to_owned(),
            "/instance" => format!("{}\n", ANSWERED.fetch_add(1, Ordering::Relaxed) + 1),
            "/loop" => exhaust::spin(),
            "/memory" => exhaust::memory(),
            "/trap" => panic!("asked to trap"),
            "/recurse" => exhaust::stack(),
            "/print" => exhaust::print(number("bytes", 1024 * 1024)),
            "/sleep" => exhaust::sleep_ms(number("ms", 1_000)),
            "/leak" => exhaust::leak_handles(number("n", 10_000_000)),
            "/count" => return stream::count(&request, response_out),
            "/trickle" => return stream::trickle(response_out, number("n", 10), number("ms", 100)),
            "/mirror" => return stream::mirror(&request, response_out),
            "/big" => return stream::big(response_out, number("bytes", 16 * 1024 * 1024)),
            "/early" => return stream::early(response_out, number("n", 100), number("ms", 100)),
            "/panic-after-head" => return stream::panic_after_head(response_out, number("bytes", 0)),
            _ => return respond(response_out, 404, TEXT, b"no such misbehaviour\n"),
        };
        respond(response_out, 200, TEXT, answer.as_bytes());
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
