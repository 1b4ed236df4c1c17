//! `component.call`: an operator calls a function of an actor by hand. Ours; v1 tools call over another protocol.
//!
//! Such calls take as long as the actor does, so they have slots of their own: however many there are, the host can
//! still be told to stop the actor.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use lattice_contracts::{
    CallContext,
    http::{BodyError, Request, Response, full},
};
use lattice_control_interface::{
    CallComponentCommand, CallComponentReply, CallFailed, CtlResponse, HttpAnswer, HttpCall,
};
use lattice_core::{ActorId, CallError, EntityId, ErrorCode, Hop, LinkName, TRACEPARENT, TraceParent};
use lattice_runtime::Actor;
use tokio::{sync::Semaphore, time::Instant};
use tracing::info;

use super::{Ctl, reply::read};

/// Calls by hand at once.
const AT_ONCE: usize = 64;
/// The largest body, there and back, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a call may take when its caller does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a caller may wait.
const PATIENCE_MAX: Duration = Duration::from_secs(3600);
/// Who calls by hand. The name is reserved: no actor and no provider calls under it.
const SOURCE: &str = "wash";

/// Serves calls by hand.
pub(super) struct Calls {
    ctl: Arc<Ctl>,
    slots: Semaphore,
}

/// What came of a call.
enum Came {
    Result(Option<String>),
    Http(HttpAnswer),
}

impl Calls {
    pub(super) fn new(ctl: Arc<Ctl>) -> Self {
        Self { ctl, slots: Semaphore::new(AT_ONCE) }
    }

    /// Carries a call out and answers in the protocol's envelope.
    pub(super) async fn answer(&self, body: &[u8]) -> Bytes {
        let response = match read::<CallComponentCommand>("component call", body) {
            Ok(command) => self.call(command).await,
            Err(why) => CtlResponse::error(why),
        };
        Bytes::from(serde_json::to_vec(&response).unwrap_or_default())
    }

    async fn call(&self, command: CallComponentCommand) -> CtlResponse<CallComponentReply> {
        let (invocation, target) = (self.ctl.builtins.ids.next(), command.component_id.clone());
        let patience = command.timeout_ms.map_or(PATIENCE, Duration::from_millis).min(PATIENCE_MAX);
        let came = match EntityId::new(SOURCE) {
            Ok(source) => {
                let context = CallContext {
                    id: invocation,
                    source,
                    target: target.clone().into(),
                    link: LinkName::default(),
                    deadline: Instant::now() + patience,
                    depth: 0,
                    trace: command.http.as_ref().and_then(trace_of),
                };
                self.carry_out(context, command).await
            }
            Err(error) => Err(self.fail(ErrorCode::Protocol, error.to_string())),
        };
        let code = came.as_ref().err().map(|error| error.code.as_str());
        info!(actor = %target, %invocation, error = code, "actor called by hand");
        let mut reply = CallComponentReply {
            invocation: invocation.to_string(),
            host_id: self.ctl.about.id.clone(),
            result: None,
            http: None,
            error: None,
        };
        let mut message = String::new();
        match came {
            Ok(Came::Result(result)) => reply.result = result,
            Ok(Came::Http(answer)) => reply.http = Some(answer),
            Err(error) => {
                message = error.to_string();
                reply.error = Some(CallFailed::from(error));
            }
        }
        CtlResponse { success: reply.error.is_none(), message, ..CtlResponse::ok(reply) }
    }

    async fn carry_out(&self, call: CallContext, command: CallComponentCommand) -> Result<Came, CallError> {
        let Ok(_slot) = self.slots.try_acquire() else {
            let reason = format!("the host already serves {AT_ONCE} calls by hand; try again");
            return Err(self.fail(ErrorCode::Overloaded, reason));
        };
        let id = &command.component_id;
        match (command.http, command.function) {
            (Some(http), None) => {
                let request = request(&http).map_err(|(code, why)| self.fail(code, why))?;
                let deadline = call.deadline;
                let ticket = self.ctl.builtins.callees.enter(id.as_str(), &call).await?;
                let response = ticket.handle(call, request).await?;
                let whole = tokio::time::timeout_at(deadline, self.whole(response)).await;
                let late = || self.fail(ErrorCode::Deadline, "the body did not come to its end in time");
                whole.unwrap_or_else(|_| Err(late())).map(Came::Http)
            }
            (None, Some(function)) => {
                let actor = self.find(id)?;
                let answer = match actor.call_wave(call.clone(), &function, &command.args).await {
                    // Perhaps replaced between the look and the call: nothing was run, so the successor may.
                    Err(error) if error.code == ErrorCode::Unreachable => {
                        let successor = self.find(id).ok().filter(|other| !Arc::ptr_eq(other, &actor));
                        let successor = successor.ok_or(error)?;
                        successor.call_wave(call, &function, &command.args).await
                    }
                    answer => answer,
                };
                answer.map(Came::Result)
            }
            _ => {
                let reason = "a call has either `function` or `http`, and this one has not";
                Err(self.fail(ErrorCode::Protocol, reason))
            }
        }
    }

    fn find(&self, id: &ActorId) -> Result<Arc<Actor>, CallError> {
        self.ctl.actors.running(id.as_str()).ok_or_else(|| {
            let reason =
                format!("actor {id} does not run on this host; start it: wash start actor IMAGE {id}");
            self.fail(ErrorCode::Unreachable, reason)
        })
    }

    /// Reads a response to its end.
    async fn whole(&self, response: Response) -> Result<HttpAnswer, CallError> {
        let (parts, body) = response.into_parts();
        let bytes = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(all) => all.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let reason = format!(
                    "the response body is larger than {BODY_BYTES_MAX} bytes, too large for a call by hand; ask over an \
                     HTTP server"
                );
                return Err(self.fail(ErrorCode::TooLarge, reason));
            }
            Err(error) => {
                return Err(match error.downcast::<BodyError>().map(|error| *error) {
                    Ok(BodyError::Call(error)) => error,
                    Ok(other) => self.fail(ErrorCode::Protocol, other.to_string()),
                    Err(other) => self.fail(ErrorCode::Protocol, other.to_string()),
                });
            }
        };
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let (body, body_base64) = as_text(&bytes);
        Ok(HttpAnswer { status: parts.status.as_u16(), headers: headers.collect(), body, body_base64 })
    }

    fn fail(&self, code: ErrorCode, reason: impl Into<String>) -> CallError {
        CallError::new(Hop::Host(self.ctl.about.id.clone()), code, reason)
    }
}

/// A body as text where it is plain text, else in Base64.
fn as_text(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let plain = |text: &&str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    match std::str::from_utf8(bytes).ok().filter(plain) {
        Some("") => (None, None),
        Some(text) => (Some(text.to_owned()), None),
        None => (None, Some(BASE64.encode(bytes))),
    }
}

/// The trace that a request by hand belongs to, where its header says so.
fn trace_of(http: &HttpCall) -> Option<TraceParent> {
    let mut all = http.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(TRACEPARENT));
    match (all.next(), all.next()) {
        (Some((_, one)), None) => TraceParent::sampled(one),
        _ => None,
    }
}

/// The request that a caller described.
fn request(http: &HttpCall) -> Result<Request, (ErrorCode, String)> {
    let protocol = |why: String| (ErrorCode::Protocol, why);
    let method = if http.method.is_empty() { "GET" } else { &http.method };
    let method: Method = method.parse().map_err(|_| protocol(format!("{method:?} is no HTTP method")))?;
    let path = if http.path.is_empty() { "/" } else { &http.path };
    if !path.starts_with('/') {
        return Err(protocol(format!("the path {path:?} does not begin with a slash")));
    }
    let body = match (&http.body, &http.body_base64) {
        (Some(_), Some(_)) => {
            return Err(protocol("there are two bodies, one as text, one in Base64".into()));
        }
        (Some(text), None) => Bytes::from(text.clone()),
        (None, Some(coded)) => {
            let decoded = BASE64.decode(coded.as_bytes());
            decoded.map_err(|why| protocol(format!("the body is no Base64: {why}")))?.into()
        }
        (None, None) => Bytes::new(),
    };
    if body.len() > BODY_BYTES_MAX {
        let why = format!("the body is {} bytes; a call by hand takes at most {BODY_BYTES_MAX}", body.len());
        return Err((ErrorCode::TooLarge, why));
    }
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in &http.headers {
        let name: HeaderName =
            name.parse().map_err(|_| protocol(format!("{name:?} is no name of a header field")))?;
        let value: HeaderValue =
            value.parse().map_err(|_| protocol(format!("the value of header field {name} is not legal")))?;
        request = request.header(name, value);
    }
    let mut request = request
        .body(full(body.clone()))
        .map_err(|why| protocol(format!("this is no HTTP request: {why}")))?;
    let headers = request.headers_mut();
    lattice_contracts::http::remove_hop_by_hop(headers);
    headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    headers.remove(header::CONTENT_LENGTH);
    if !body.is_empty() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_a_get_of_the_root() {
        let plain = request(&HttpCall::default()).unwrap();
        assert_eq!((plain.method().as_str(), plain.uri().path()), ("GET", "/"));
        assert_eq!(plain.headers()[header::HOST], "localhost");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let text = |text: &str| Some(text.to_owned());
        for (http, said) in [
            (HttpCall { method: "G T".into(), ..HttpCall::default() }, "no HTTP method"),
            (HttpCall { path: "x".into(), ..HttpCall::default() }, "slash"),
            (HttpCall { path: "/a b".into(), ..HttpCall::default() }, "no HTTP request"),
            (HttpCall { headers: vec![("a b".into(), "c".into())], ..HttpCall::default() }, "header field"),
            (HttpCall { headers: vec![("a".into(), "c\n".into())], ..HttpCall::default() }, "header field a"),
            (HttpCall { body: text("a"), body_base64: text("YQ=="), ..HttpCall::default() }, "two bodies"),
            (HttpCall { body_base64: text("%"), ..HttpCall::default() }, "no Base64"),
            (HttpCall { body: Some("x".repeat(BODY_BYTES_MAX + 1)), ..HttpCall::default() }, "at most"),
        ] {
            let (_, why) = request(&http).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn bodies_are_text_where_they_can_be() {
        assert_eq!(as_text(b""), (None, None));
        assert_eq!(as_text(b"a\n"), (Some("a\n".into()), None));
        assert_eq!(as_text(b"\0a"), (None, Some("AGE=".into())));
        assert_eq!(as_text(b"\xff"), (None, Some("/w==".into())));
    }
}
