//! What a provider process says that it refused.

use lattice_contracts::{Asker, Refused};
use lattice_core::ErrorCode;
use serde::{Deserialize, Serialize};

/// What one asker was refused since the process was started. Counts only grow, so that one that was told and not heard is told again
/// with the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalAnswer {
    /// Who: an id, the address of a client, or `others` where there are more than the process tells apart.
    #[serde(default)]
    pub source: String,
    /// How often.
    #[serde(default)]
    pub count: u64,
    /// The word for which kind of refusal the latest one was.
    #[serde(default)]
    pub code: String,
    /// What was asked for the latest time.
    #[serde(default)]
    pub interface: String,
    /// Why the latest one was refused.
    #[serde(default)]
    pub message: String,
}

impl RefusalAnswer {
    /// What is told of `refused`, whose count is the one since the start.
    #[must_use]
    pub fn new(refused: &Refused) -> Self {
        let Refused { asker, count, code, interface, reason } = refused;
        Self {
            source: asker.to_string(),
            count: *count,
            code: code.as_str().to_owned(),
            interface: interface.clone(),
            message: reason.clone(),
        }
    }

    /// What it says, of `count` refusals. A kind that a later version knows reads as `denied`.
    #[must_use]
    pub fn refused(&self, count: u64) -> Refused {
        Refused {
            asker: Asker::read(&self.source),
            count,
            code: ErrorCode::parse(&self.code).unwrap_or(ErrorCode::Denied),
            interface: self.interface.clone(),
            reason: self.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_as_it_is_written_and_what_a_later_version_writes() {
        let refused = Refused {
            asker: Asker::read("mole"),
            count: 3,
            code: ErrorCode::NoLink,
            interface: "wasi:keyvalue/store".to_owned(),
            reason: "mole has no link".to_owned(),
        };
        let answer = RefusalAnswer::new(&refused);
        insta::assert_snapshot!(serde_json::to_string(&answer).unwrap(), @r#"{"source":"mole","count":3,"code":"no-link","interface":"wasi:keyvalue/store","message":"mole has no link"}"#);
        assert_eq!(answer.refused(3), refused);
        let later: RefusalAnswer =
            serde_json::from_str(r#"{"source":"a b","code":"expelled","new":1}"#).unwrap();
        let read = later.refused(1);
        assert_eq!((read.asker, read.code), (Asker::Others, ErrorCode::Denied));
    }
}
