//! Answers a request with a description of it, as JSON with the members of the echo actor of 2021: `method`, `path`,
//! `query_string`, `headers` and `body`, the last one as an array of numbers, one per byte.

use actor_http::{BodyError, read_body, respond, split_target};
use serde_json::{Map, Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, Method, ResponseOutparam};

wasip2::http::proxy::export!(Echo);

struct Echo;

const JSON: &str = "application/json";

impl Guest for Echo {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, query) = split_target(&request);
        let body = match read_body(&request) {
            Ok(body) => body,
            Err(BodyError::TooLarge) => {
                let error =
                    json!({ "error": format!("a body of more than {} bytes", actor_http::BODY_BYTES_MAX) });
                return respond(response_out, 413, JSON, format!("{error}\n").as_bytes());
            }
            Err(BodyError::Broken) => {
                return respond(response_out, 400, JSON, b"{\"error\":\"the body ended too early\"}\n");
            }
        };
        let answer = json!({
            "method": method_name(request.method()),
            "path": path,
            "query_string": query,
            "headers": header_object(&request.headers()),
            "body": body,
        });
        respond(response_out, 200, JSON, format!("{answer}\n").as_bytes());
    }
}

fn method_name(method: Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    };
    name.to_owned()
}

/// Header names in order of their first appearance; the values of a repeated one joined by a comma and a blank.
fn header_object(headers: &Fields) -> Value {
    let mut object = Map::new();
    for (name, value) in headers.entries() {
        let value = String::from_utf8_lossy(&value).into_owned();
        match object.get_mut(&name) {
            Some(Value::String(earlier)) => {
                earlier.push_str(", ");
                earlier.push_str(&value);
            }
            _ => {
                object.insert(name, Value::String(value));
            }
        }
    }
    Value::Object(object)
}
