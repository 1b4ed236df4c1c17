//! Why a control request has no outcome, with what to do about it.

use std::time::Duration;

use lattice_core::{HostId, LatticeName};
use lattice_nats::{RequestError, SubscribeError};

/// Why a control request failed. Nobody there, no answer and a refusal are three different things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// NATS is there, and no host of the lattice.
    #[error(
        "no host answers in lattice {lattice}; start one with `wash up` or `wasmcloud`, or name another lattice"
    )]
    NoHosts {
        /// The lattice.
        lattice: LatticeName,
    },
    /// The host asked is not there.
    #[error("host {host} is not in lattice {lattice}; `wash ctl get hosts` shows which are")]
    NoSuchHost {
        /// The host.
        host: HostId,
        /// The lattice.
        lattice: LatticeName,
    },
    /// Somebody listens, and did not answer in time: the request may still be carried out.
    #[error(
        "no answer to {what} within {after:?}; it may still be carried out: look with `wash ctl get inventory`, or give it more time"
    )]
    Timeout {
        /// What was asked.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The request was taken on, and its outcome did not come in time.
    #[error(
        "{what} was taken on by host {host}, and has neither succeeded nor failed within {after:?}; `wash ctl get inventory` shows its state"
    )]
    NoOutcome {
        /// What was asked.
        what: String,
        /// Who took it on.
        host: HostId,
        /// How long was waited.
        after: Duration,
    },
    /// A host refused, or tried and failed; its own words.
    #[error("{message}")]
    Refused {
        /// Why, and what mends it.
        message: String,
    },
    /// A host refused because of who asks; its own words.
    #[error("{message}")]
    NotAllowed {
        /// Which kind of refusal it is, as `signature-required`.
        code: String,
        /// Why, and what mends it.
        message: String,
    },
    /// The NATS server refused a subject to this user.
    #[error(
        "the NATS server does not allow this user to use {subject}; operators of a lattice need its control and event subjects"
    )]
    Denied {
        /// The subject.
        subject: String,
    },
    /// An answer is not what the protocol says.
    #[error("the answer to {what} cannot be read: {why}; is there a host of another version?")]
    Decode {
        /// What was asked.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// A request cannot be signed.
    #[error("{what} cannot be signed: {why}")]
    Unsigned {
        /// What was asked.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// A request cannot be written, or is too large.
    #[error("{what} cannot be asked: {why}")]
    Unsendable {
        /// What was asked.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// There is no connection to NATS.
    #[error("{0}")]
    Connection(String),
}

impl ControlError {
    /// True if the lattice could not be reached, as opposed to a refusal: `wash` exits with 3.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        use ControlError::{Connection, NoHosts, Timeout};
        matches!(self, NoHosts { .. } | Timeout { .. } | Connection(_))
    }

    /// What a failed request to `host`, or to whichever host, means.
    pub(crate) fn of_request(
        error: RequestError,
        what: &str,
        host: Option<&HostId>,
        lattice: &LatticeName,
    ) -> Self {
        let lattice = lattice.clone();
        match error {
            RequestError::NoResponders { .. } => match host {
                Some(host) => ControlError::NoSuchHost { host: host.clone(), lattice },
                None => ControlError::NoHosts { lattice },
            },
            RequestError::Timeout { after, .. } => ControlError::Timeout { what: what.to_owned(), after },
            RequestError::Denied { subject } => ControlError::Denied { subject },
            RequestError::Disconnected { .. } => ControlError::Connection(error.to_string()),
            other => ControlError::Unsendable { what: what.to_owned(), why: other.to_string() },
        }
    }
}

impl From<SubscribeError> for ControlError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Denied { subject } => ControlError::Denied { subject },
            other => ControlError::Connection(other.to_string()),
        }
    }
}
