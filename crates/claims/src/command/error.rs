//! Why a signed command is not accepted, and what mends it.

use super::{COMMAND_AHEAD_MS, COMMAND_BYTES_MAX, COMMAND_LIFE_MS};
use crate::{error::VerifyError, keys::KeyError};

/// Why a token does not speak for a request. Every variant is a refusal; the same token never becomes good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Longer than any of ours.
    #[error("its token has {bytes} bytes, more than {COMMAND_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// No token in the form of version 1.
    #[error("its token is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The issuer is no user's key.
    #[error("its token names no user's key: {0}")]
    Key(#[source] KeyError),
    /// Signed for another lattice.
    #[error("its token is for lattice {named:?}, not for this one")]
    OtherLattice {
        /// The lattice that it names.
        named: String,
    },
    /// Signed for another subject.
    #[error("its token is for another subject: {named}")]
    OtherSubject {
        /// The subject that it names.
        named: String,
    },
    /// Signed for another body.
    #[error("its body is not the one that was signed")]
    OtherBody,
    /// Too old.
    #[error("its token was issued {} s ago, and is good for {} s", age_ms / 1000, COMMAND_LIFE_MS / 1000)]
    Expired {
        /// How old it is, in milliseconds.
        age_ms: u64,
    },
    /// Issued in the future.
    #[error(
        "its token was issued {} s in the future, and clocks may differ by {} s",
        ahead_ms.div_ceil(1000),
        COMMAND_AHEAD_MS / 1000
    )]
    Early {
        /// How far in the future, in milliseconds.
        ahead_ms: u64,
    },
    /// The key that it names did not sign it.
    #[error("the signature is wrong: {key} did not sign this command")]
    BadSignature {
        /// The claimed key.
        key: String,
    },
    /// It was carried out already, or refused after it had been checked.
    #[error("it was sent before: a signed command is good for once")]
    Replayed,
    /// Issued before this memory began: it may have been used by then.
    #[error("its token was issued {} s before this host was started, which cannot know whether it was used", before_ms.div_ceil(1000))]
    BeforeStart {
        /// How long before, in milliseconds.
        before_ms: u64,
    },
    /// Older than the oldest that is remembered: it may have been used.
    #[error(
        "its token is older than the commands that this host remembers, which cannot know whether it was used"
    )]
    Forgotten,
}

impl CommandError {
    /// The kind of refusal, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            CommandError::TooLong { .. } | CommandError::Malformed { .. } | CommandError::Key(_) => {
                "token-malformed"
            }
            CommandError::OtherLattice { .. }
            | CommandError::OtherSubject { .. }
            | CommandError::OtherBody => "token-mismatch",
            CommandError::Expired { .. } => "token-expired",
            CommandError::Early { .. } => "token-early",
            CommandError::BadSignature { .. } => "token-forged",
            CommandError::Replayed => "token-replayed",
            CommandError::BeforeStart { .. } | CommandError::Forgotten => "token-forgotten",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            CommandError::TooLong { .. } | CommandError::Malformed { .. } | CommandError::Key(_) => {
                "sign it with a user key and a wash of this version: wash keys gen user"
            }
            CommandError::OtherLattice { .. }
            | CommandError::OtherSubject { .. }
            | CommandError::OtherBody => {
                "each command is signed for itself; if you did not change it on the way, somebody did"
            }
            CommandError::Expired { .. } | CommandError::Early { .. } => {
                "set the clocks of both machines, and send it again"
            }
            CommandError::BadSignature { .. } => "sign it with the key that it names",
            CommandError::Replayed | CommandError::Forgotten => "send it again, which signs it anew",
            CommandError::BeforeStart { .. } => {
                "send it again in a moment; where that does not help, set the clocks of both machines"
            }
        }
    }
}

impl From<VerifyError> for CommandError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Malformed { reason } => CommandError::Malformed { reason },
            other => CommandError::Malformed { reason: other.to_string() },
        }
    }
}
