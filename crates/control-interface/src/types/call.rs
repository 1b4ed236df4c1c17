//! Ours: calling an actor's function by hand.

use lattice_core::{ActorId, CallError, ErrorCode, HostId};
use serde::{Deserialize, Serialize};

/// Body of `component.call.{host}`. Either `function` or `http` says what is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallComponentCommand {
    /// The actor's id.
    pub component_id: ActorId,
    /// The function: `namespace:package/interface.function`, with or without the interface's `@version`, or the name of one
    /// that the actor exports at its root. Left out for a request to its HTTP handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// One WAVE text for each parameter; none reads as an empty list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// A request to the actor's HTTP handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCall>,
    /// When the caller gives up, in milliseconds from now; 10 s when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// An HTTP request by hand. What is left out reads as a GET of `/` without header fields and body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The method; empty is `GET`.
    #[serde(default)]
    pub method: String,
    /// Path and query; empty is `/`.
    #[serde(default)]
    pub path: String,
    /// Header fields, name and value; `host` is `localhost` where none is among them.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body in Base64, where it is no text; not together with `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// What came of a call: data of the answer to `component.call.{host}`, with `success` false where `error` says why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallComponentReply {
    /// The invocation's id, as it stands in the host's log.
    pub invocation: String,
    /// The host that answers.
    pub host_id: HostId,
    /// What the function returned, as WAVE text; left out where it returns nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What the HTTP handler answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAnswer>,
    /// Why the call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallFailed>,
}

/// An HTTP handler's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Header fields, name and value, in their order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body, where it is text; left out where it is empty or no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body in Base64, where it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// Why a call failed: which hop says so, what kind of failure it was, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailed {
    /// Who speaks: `host N…`, `actor NAME`, `provider NAME`.
    pub hop: String,
    /// The kind of failure.
    pub code: ErrorCode,
    /// What happened, and what mends it.
    pub reason: String,
}

impl From<CallError> for CallFailed {
    fn from(error: CallError) -> Self {
        Self { hop: error.hop.to_string(), code: error.code, reason: error.reason }
    }
}
