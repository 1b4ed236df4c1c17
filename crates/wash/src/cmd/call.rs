//! `wash call`: calls a function of an actor by hand, and says what it returned.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use lattice_control_interface::{CallComponentCommand, CallComponentReply, CallFailed, HttpAnswer, HttpCall};
use lattice_core::{ActorId, HostId};
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, Pair, Session, all_inventories, failed, resolve_host},
    output::{Output, Reply},
};

/// The largest body that a host takes, in bytes.
const BODY_BYTES_MAX: u64 = 256 * 1024;

/// What to call.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    wash call calculator demo:calls/math.add 2 3\n  \
    wash call calculator demo:calls/math.middle '{x: 0, y: 0}' '{x: 4, y: 10}'\n  \
    wash call calculator greet '\"you\"'\n  \
    wash call hello\n  \
    wash call echo --http-method POST --http-path /a --http-body hi")]
pub(crate) struct Args {
    /// The actor's id
    actor: ActorId,
    /// NAMESPACE:PACKAGE/INTERFACE.FUNCTION, or the name of a function at the actor's root [default: its HTTP handler]
    function: Option<String>,
    /// One text in WAVE for each parameter: 42, '"text"', '[1, 2]', '{x: 1}', 'some(1)'
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// Call it on this host: an id, the first characters of one, or its name [default: one that runs it]
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Longest wait for the function, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A request to an HTTP handler.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "HTTP")]
struct HttpArgs {
    /// Method of the request [default: GET, or POST with a body]
    #[arg(long, value_name = "METHOD")]
    http_method: Option<String>,
    /// Path and query of the request [default: /]
    #[arg(long, value_name = "PATH")]
    http_path: Option<String>,
    /// Header field of the request; may be repeated
    #[arg(long = "http-header", value_name = "NAME=VALUE")]
    http_headers: Vec<Pair>,
    /// Host that the request names [default: localhost]
    #[arg(long, value_name = "HOST")]
    http_host: Option<String>,
    /// Port that the request names
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Body of the request
    #[arg(long, value_name = "TEXT", conflicts_with = "http_body_path")]
    http_body: Option<String>,
    /// File with the body of the request, at most 256 KiB
    #[arg(long, value_name = "FILE")]
    http_body_path: Option<PathBuf>,
}

impl HttpArgs {
    fn is_given(&self) -> bool {
        self.http_method.is_some()
            || self.http_path.is_some()
            || !self.http_headers.is_empty()
            || self.http_host.is_some()
            || self.http_port.is_some()
            || self.http_body.is_some()
            || self.http_body_path.is_some()
    }

    fn request(self) -> Outcome<HttpCall> {
        let body = self.http_body_path.as_deref().map(read_body).transpose()?;
        let (body, body_base64) = match (self.http_body, body) {
            (Some(text), _) => (Some(text), None),
            (None, Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => (Some(text), None),
                Err(other) => (None, Some(BASE64.encode(other.as_bytes()))),
            },
            (None, None) => (None, None),
        };
        let default = if body.is_some() || body_base64.is_some() { "POST" } else { "GET" };
        let mut headers: Vec<(String, String)> = self.http_headers.into_iter().map(Into::into).collect();
        if self.http_host.is_some() || self.http_port.is_some() {
            let host = self.http_host.unwrap_or_else(|| "localhost".to_owned());
            let port = self.http_port.map(|port| format!(":{port}")).unwrap_or_default();
            headers.push(("host".to_owned(), format!("{host}{port}")));
        }
        Ok(HttpCall {
            method: self.http_method.unwrap_or_else(|| default.to_owned()),
            path: self.http_path.unwrap_or_else(|| "/".to_owned()),
            headers,
            body,
            body_base64,
        })
    }
}

fn read_body(path: &Path) -> Outcome<Vec<u8>> {
    use std::io::Read as _;
    let failed = |error| Failure::refused(error).context(format!("cannot read {}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(BODY_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BODY_BYTES_MAX {
        let text = format!("{} is larger than {BODY_BYTES_MAX} bytes, too large for a call", path.display());
        return Err(Failure::say(Exit::Refused, text).help("send it through an HTTP server"));
    }
    Ok(bytes)
}

/// True for the function that answers HTTP requests, in whatever version.
fn is_http(function: &str) -> bool {
    let Some((interface, name)) = function.rsplit_once('.') else { return false };
    let interface = interface.split_once('@').map_or(interface, |(interface, _)| interface);
    name == "handle" && matches!(interface, "wasi:http/incoming-handler" | "wasi:http/handler")
}

fn command(args: Args) -> Outcome<CallComponentCommand> {
    let mut command = CallComponentCommand {
        component_id: args.actor,
        function: args.function,
        args: args.args,
        http: None,
        timeout_ms: Some(args.wait_timeout_ms),
    };
    let function = command.function.as_deref();
    if function.is_none_or(is_http) {
        if !command.args.is_empty() {
            let text = "a call of an HTTP handler takes no arguments";
            return Err(Failure::say(Exit::Usage, text)
                .help("describe the request with --http-method, --http-path and so on"));
        }
        command.function = None;
        command.http = Some(args.http.request()?);
    } else if args.http.is_given() {
        let text =
            format!("{} is no HTTP handler; --http-… flags have no meaning", function.unwrap_or_default());
        return Err(Failure::say(Exit::Usage, text).help("leave the function out, or the flags"));
    }
    Ok(command)
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Called {
    component_id: ActorId,
    #[serde(flatten)]
    reply: CallComponentReply,
}

impl Reply for Called {
    fn text(&self) -> String {
        match (&self.reply.result, &self.reply.http) {
            (Some(result), _) => result.clone(),
            (None, Some(HttpAnswer { body: Some(text), .. })) => {
                text.strip_suffix('\n').unwrap_or(text).to_owned()
            }
            (None, Some(HttpAnswer { status, body_base64: Some(_), .. })) => {
                format!("status {status}; the body is no text: see it with -o json")
            }
            (None, Some(HttpAnswer { status, .. })) => format!("status {status}, without a body"),
            (None, None) => "done; the function returns nothing".to_owned(),
        }
    }
}

/// A host that runs the actor.
async fn where_it_runs(session: &Session, id: &ActorId, wanted: Option<&str>) -> Outcome<HostId> {
    if let Some(host) = wanted {
        return resolve_host(session, host).await;
    }
    let inventories = all_inventories(session).await?;
    let mut reason = None;
    for inventory in inventories {
        let Some(actor) = inventory.components.iter().find(|actor| actor.id == *id) else { continue };
        if actor.max_instances > 0 {
            return Ok(inventory.host_id);
        }
        reason = actor.state().map(|state| state.to_string());
    }
    let lattice = session.client.lattice();
    let text = match reason {
        Some(state) => format!("actor {id} is not running in lattice {lattice}: {state}"),
        None => format!("no host of lattice {lattice} runs actor {id}"),
    };
    Err(Failure::say(Exit::Refused, text).help(format!("start it: wash start actor IMAGE {id}")))
}

fn call_failed(failed: CallFailed, invocation: &str) -> Failure {
    let CallFailed { hop, code, reason } = failed;
    let (what, remedy) = reason.split_once("; ").unwrap_or((&reason, ""));
    let named = if what.contains(invocation) { String::new() } else { format!(" (invocation {invocation})") };
    Failure::say(Exit::Refused, format!("{hop}: {code}: {what}{named}")).help(remedy)
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let (connection, host) = (args.connection.clone(), args.host_id.clone());
    let id = args.actor.clone();
    let command = command(args)?;
    let session = connection.connect().await?;
    let host = where_it_runs(&session, &id, host.as_deref()).await?;
    let mut reply = session.client.call_component(&host, &command).await.map_err(failed)?;
    if let Some(error) = reply.error.take() {
        return Err(call_failed(error, &reply.invocation));
    }
    if let Some(answer) = reply.http.as_ref().filter(|answer| answer.status >= 400) {
        out.note(format!("note: the actor answered with status {}", answer.status));
    }
    out.reply(&Called { component_id: id, reply })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(line: &[&str]) -> Outcome<CallComponentCommand> {
        command(Line::try_parse_from([&["wash"], line].concat()).unwrap().args)
    }

    #[test]
    fn a_function_with_arguments_or_a_request() {
        let add = read(&["calculator", "demo:calls/math.add", "-2", "3"]).unwrap();
        assert_eq!((add.args, add.http), (vec!["-2".to_owned(), "3".to_owned()], None));
        for line in [&["hello"][..], &["hello", "wasi:http/incoming-handler@0.2.6.handle"]] {
            let http = read(line).unwrap().http.unwrap();
            assert_eq!((http.method.as_str(), http.path.as_str(), http.body), ("GET", "/", None));
        }
        let line = ["echo", "--http-body", "hi", "--http-header", "a=b", "--http-port", "81"];
        let http = read(&line).unwrap().http.unwrap();
        assert_eq!((http.method.as_str(), http.body.as_deref()), ("POST", Some("hi")));
        let headers = [("a", "b"), ("host", "localhost:81")];
        assert_eq!(http.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_does_not_go_together_is_a_mistake_of_the_command_line() {
        for line in [
            &["calculator", "greet", "--http-path", "/"][..],
            &["hello", "wasi:http/incoming-handler.handle", "1"],
        ] {
            assert_eq!(read(line).unwrap_err().exit(), Exit::Usage, "{line:?}");
        }
        assert_eq!(
            read(&["hello", "--http-body-path", "/nowhere/at/all"]).unwrap_err().exit(),
            Exit::Refused
        );
    }

    #[test]
    fn a_failure_says_who_and_what_and_which_call() {
        let failed = CallFailed {
            hop: "actor a".into(),
            code: lattice_core::ErrorCode::Unreachable,
            reason: "gone; start it".into(),
        };
        let text = call_failed(failed, "00ff").text();
        for part in ["actor a: unreachable: gone (invocation 00ff)", "start it"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
