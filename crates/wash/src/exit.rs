//! What the exit code says.

use std::process::ExitCode;

/// How a command ended, told apart by scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Refused, failed, or not found.
    Refused,
    /// The command line makes no sense.
    Usage,
    /// The lattice (or the registry) could not be reached; trying later may help.
    Unreachable,
}

impl Exit {
    /// The number a shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        }
    }

    /// The word in JSON errors.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Refused => "refused",
            Exit::Usage => "usage",
            Exit::Unreachable => "unreachable",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}
