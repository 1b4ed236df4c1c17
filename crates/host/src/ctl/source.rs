//! Whose control requests are refused, and what is told of them.

use lattice_core::UserKey;

/// Who sent what was refused, as far as that is proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A key that has a role.
    Key(UserKey),
    /// Keys that have none: anybody can make as many as he likes.
    UnknownKey,
    /// Tokens whose signature does not hold, or was not looked at any more.
    Forged,
    /// Nobody signed.
    Unsigned,
    /// Whoever wrote a fact as this host; who has a host's credentials can write any name there.
    Writer(String),
    /// More sources than can be told apart.
    Others,
}

impl Source {
    pub(super) fn name(&self) -> &str {
        match self {
            Source::Key(key) => key.as_str(),
            Source::UnknownKey => "unknown-key",
            Source::Forged => "forged",
            Source::Unsigned => "unsigned",
            Source::Writer(host) => host,
            Source::Others => "others",
        }
    }
}

/// One refusal, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) code: &'static str,
    pub(super) command: &'static str,
    pub(super) key: Option<UserKey>,
    pub(super) reply_to: Option<String>,
    pub(super) message: String,
}
