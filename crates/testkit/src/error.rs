//! What can go wrong while setting a test up.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a part of a test is not there. The texts are meant to be read in a failed test's output, so they carry the
/// last output of the process in question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestkitError {
    /// The program could not be started at all.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program as it was named.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program ended while something was still awaited from it.
    #[error("{program} ended ({status}) before {awaited}; its last output:\n{tail}")]
    Exited {
        /// The program as it was named.
        program: String,
        /// Its exit status.
        status: String,
        /// What was awaited, as "it said …".
        awaited: String,
        /// The end of its output.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("after {within:?}: not {awaited}{tail}")]
    Deadline {
        /// What was awaited.
        awaited: String,
        /// How long.
        within: Duration,
        /// The end of the output of the process that was waited for, or nothing.
        tail: String,
    },
    /// A part that a test needs is neither there nor could be fetched.
    #[error("{part} is missing: {reason}. {remedy}")]
    Missing {
        /// The part.
        part: String,
        /// Where it was looked for and what happened there.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// A command that sets something up failed.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A file, folder or port could not be used.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An HTTP request was not answered.
    #[error("no answer to {method} {url}: {reason}")]
    Http {
        /// The method.
        method: String,
        /// The whole URL.
        url: String,
        /// Why, with all causes.
        reason: String,
    },
}

impl TestkitError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
