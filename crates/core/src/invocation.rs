//! One call: its id, what it asks for, and the error that a failing hop answers with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ActorId, HostId, ProviderId, every::every};

/// How deep calls may nest: A calls B calls C …; one deeper is refused, so that a circle ends.
pub const MAX_DEPTH: u8 = 16;

/// The most calls that an operator may let wait for one actor on one host.
pub const QUEUE_MAX: u32 = 65_536;

/// The id of one invocation: 128 bits, shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvocationId(u128);

impl InvocationId {
    /// Makes an id of `bits`; who makes ids sees to it that they are unique.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a call asks for: an interface of a contract, and a function of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation {
    /// The interface with its package, as `wasi:http/incoming-handler`, without version.
    pub interface: &'static str,
    /// The function, as `handle`.
    pub function: &'static str,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

/// Which hop of a call speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hop {
    /// The host, while it looked for the target.
    Host(HostId),
    /// The actor that was called, or the runtime around it.
    Actor(ActorId),
    /// The provider that was called.
    Provider(ProviderId),
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hop::Host(id) => write!(f, "host {id}"),
            Hop::Actor(id) => write!(f, "actor {id}"),
            Hop::Provider(id) => write!(f, "provider {id}"),
        }
    }
}

/// What kind of failure a call met. The words are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no link for the call.
    NoLink,
    /// A rule refuses the call.
    Denied,
    /// All permits are taken and the queue is full; nothing was run.
    Overloaded,
    /// Time ran out.
    Deadline,
    /// The guest trapped.
    Trap,
    /// The backend behind a provider failed.
    Backend,
    /// The target runs nowhere, or does not answer.
    Unreachable,
    /// A payload is over a limit.
    TooLarge,
    /// The caller gave up.
    Cancelled,
    /// Somebody did not keep to the protocol.
    Protocol,
}

impl ErrorCode {
    every! {
        "Every code."
        ErrorCode: NoLink, Denied, Overloaded, Deadline, Trap, Backend, Unreachable, TooLarge, Cancelled, Protocol,
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NoLink => "no-link",
            ErrorCode::Denied => "denied",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::Deadline => "deadline",
            ErrorCode::Trap => "trap",
            ErrorCode::Backend => "backend",
            ErrorCode::Unreachable => "unreachable",
            ErrorCode::TooLarge => "too-large",
            ErrorCode::Cancelled => "cancelled",
            ErrorCode::Protocol => "protocol",
        }
    }

    /// Reads a word of the wire; `None` for one of a later version.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The HTTP status by which an HTTP server tells its client of this.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            ErrorCode::Trap | ErrorCode::Protocol => 500,
            ErrorCode::NoLink | ErrorCode::Backend => 502,
            ErrorCode::Denied => 403,
            ErrorCode::Overloaded | ErrorCode::Unreachable => 503,
            ErrorCode::Deadline => 504,
            ErrorCode::TooLarge => 413,
            ErrorCode::Cancelled => 499,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The typed error that a failing hop answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{hop}: {code}: {reason}")]
pub struct CallError {
    /// Who speaks.
    pub hop: Hop,
    /// What kind of failure it was.
    pub code: ErrorCode,
    /// What happened, to what, and what mends it, in one line.
    pub reason: String,
    /// True where the call was certainly not run, so that it may be tried elsewhere: whoever refused says so.
    pub not_run: bool,
}

impl CallError {
    /// Puts an error together.
    #[must_use]
    pub fn new(hop: Hop, code: ErrorCode, reason: impl Into<String>) -> Self {
        Self { hop, code, reason: reason.into(), not_run: false }
    }

    /// The same, said of a call that was certainly not run.
    #[must_use]
    pub fn not_run(self) -> Self {
        Self { not_run: true, ..self }
    }

    /// True if the call was certainly not run, and others may not say the same of it: they are full, gone, or neither.
    #[must_use]
    pub fn may_be_tried_elsewhere(&self) -> bool {
        self.not_run && matches!(self.code, ErrorCode::Overloaded | ErrorCode::Unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_wire_are_those_of_serde() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("{:?}", code.as_str()));
        }
    }
}
