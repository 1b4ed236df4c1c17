//! The state of an actor, a provider or a link, always with the reason when it is not simply ready.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shortened;

/// Why something is not ready: one line that says what happened, to what, and what mends it.
pub type Reason = String;

/// What an actor, provider or link is doing. JSON: `{"state":"failed","reason":"…"}`; `reason` is left out where there
/// is none. A missing reason reads as empty, and an unknown state is refused: a reader that cannot name a state must
/// not guess one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
#[non_exhaustive]
pub enum State {
    /// Waits for something that is not there yet: an end of a link, a config, a link.
    Pending(Reason),
    /// Being fetched, checked, compiled or bound.
    Starting,
    /// Does its work.
    Ready,
    /// Does part of its work.
    Degraded(Reason),
    /// Does nothing, and why. Where the cause may pass (a taken port), it is tried again by itself.
    Failed(Reason),
    /// Finishing what it has in hand.
    Stopping,
}

impl State {
    /// The state's word, without the reason.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            State::Pending(_) => "pending",
            State::Starting => "starting",
            State::Ready => "ready",
            State::Degraded(_) => "degraded",
            State::Failed(_) => "failed",
            State::Stopping => "stopping",
        }
    }

    /// The reason, where the state has one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            State::Pending(reason) | State::Degraded(reason) | State::Failed(reason) => Some(reason),
            State::Starting | State::Ready | State::Stopping => None,
        }
    }

    /// The same, with a reason in one line of at most `chars` characters; what was cut off stands as `…`.
    #[must_use]
    pub fn shortened(&self, chars: usize) -> Self {
        let short = |reason: &Reason| shortened(reason, chars).into_owned();
        match self {
            State::Pending(reason) => State::Pending(short(reason)),
            State::Degraded(reason) => State::Degraded(short(reason)),
            State::Failed(reason) => State::Failed(short(reason)),
            State::Starting | State::Ready | State::Stopping => self.clone(),
        }
    }

    /// True for [`State::Ready`] and [`State::Degraded`]: calls are answered.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(self, State::Ready | State::Degraded(_))
    }

    /// Puts a word and a reason back together, as tools read them from an inventory; `None` for an unknown word.
    #[must_use]
    pub fn from_parts(word: &str, reason: Option<&str>) -> Option<Self> {
        let reason = || reason.unwrap_or_default().to_owned();
        Some(match word {
            "pending" => State::Pending(reason()),
            "starting" => State::Starting,
            "ready" => State::Ready,
            "degraded" => State::Degraded(reason()),
            "failed" => State::Failed(reason()),
            "stopping" => State::Stopping,
            _ => return None,
        })
    }
}

/// How a state is written.
#[derive(Serialize, Deserialize)]
struct Written {
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

impl From<State> for Written {
    fn from(state: State) -> Self {
        Written { state: state.word().to_owned(), reason: state.reason().map(str::to_owned) }
    }
}

impl TryFrom<Written> for State {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        State::from_parts(&written.state, written.reason.as_deref())
            .ok_or_else(|| format!("unknown state {:?}", written.state))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) if !reason.is_empty() => write!(f, "{}: {reason}", self.word()),
            _ => f.write_str(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_word_and_reason() {
        let failed = State::Failed("address 127.0.0.1:8080 in use".into());
        let json = serde_json::to_string(&failed).unwrap();
        assert_eq!(json, r#"{"state":"failed","reason":"address 127.0.0.1:8080 in use"}"#);
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), failed);
        assert_eq!(serde_json::to_string(&State::Ready).unwrap(), r#"{"state":"ready"}"#);
        assert_eq!(
            serde_json::from_str::<State>(r#"{"state":"failed"}"#).unwrap(),
            State::Failed(String::new())
        );
        assert!(serde_json::from_str::<State>(r#"{"state":"confused"}"#).is_err());
        assert_eq!(State::from_parts("failed", Some("address 127.0.0.1:8080 in use")), Some(failed));
    }
}
