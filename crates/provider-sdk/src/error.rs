//! Why a provider does not run.

use lattice_nats::{ConnectError, SubscribeError};

use crate::wire::HostDataError;

/// Why a provider process ended before it was told to. Its text is what the host shows as the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing came on standard input, or it could not be read.
    #[error(
        "no host data on standard input: {0}; a host starts this program: wash start provider ARCHIVE NAME"
    )]
    Input(String),
    /// What came is no host data.
    #[error(transparent)]
    HostData(#[from] HostDataError),
    /// A name or key in the host data is none.
    #[error("the host data is not usable: {what}: {why}")]
    Unusable {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The host is of another generation.
    #[error(
        "this provider speaks protocol {} of calls, and its host {}; start it on a host of this version",
        crate::wire::PROTOCOL,
        theirs.map_or("that of wasmCloud 1.x".to_owned(), |theirs| theirs.to_string())
    )]
    Protocol {
        /// What the host speaks; none is wasmCloud 1.x.
        theirs: Option<u32>,
    },
    /// NATS does not let it in.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// NATS does not let it listen.
    #[error("this provider cannot listen: {0}")]
    Subscribe(#[from] SubscribeError),
    /// The provider itself refuses, for example its configuration.
    #[error("{0}")]
    Made(String),
    /// The system refuses something.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        why: String,
    },
}
