//! What a provider refused to whoever asked for it, so that an operator sees who tries.

use std::{fmt, net::IpAddr};

use lattice_core::{EntityId, ErrorCode};

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// An actor, a provider or a tool, which a broker with permissions lets nobody else use the name of.
    Caller(EntityId),
    /// Somebody outside of the lattice, by address.
    Client(IpAddr),
    /// More than can be told apart.
    Others,
}

impl Asker {
    /// Reads what [`Display`](fmt::Display) writes. What is neither an id nor an address is one of the others.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match (text.parse(), EntityId::new(text)) {
            (Ok(address), _) => Asker::Client(address),
            (Err(_), Ok(id)) if text != OTHERS => Asker::Caller(id),
            _ => Asker::Others,
        }
    }
}

/// How the others are written.
const OTHERS: &str = "others";

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asker::Caller(id) => f.write_str(id.as_str()),
            Asker::Client(address) => address.fmt(f),
            Asker::Others => f.write_str(OTHERS),
        }
    }
}

/// Calls or requests of one asker that were refused by a rule. Those that fail for another cause (a backend, a deadline) are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Who asked.
    pub asker: Asker,
    /// How often.
    pub count: u64,
    /// Which kind of refusal it was.
    pub code: ErrorCode,
    /// What was asked for, as `wasi:http/outgoing-handler`.
    pub interface: String,
    /// Why, for people.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asker_reads_as_it_is_written_and_nonsense_is_one_of_the_others() {
        for text in ["counter", "192.0.2.1", "2001:db8::1", "others"] {
            assert_eq!(Asker::read(text).to_string(), text);
        }
        assert!(matches!(Asker::read("counter"), Asker::Caller(_)));
        assert!(matches!(Asker::read("::1"), Asker::Client(_)));
        for nonsense in ["", "a b", "192.0.2.1:80", "\u{1b}[2J", "others"] {
            assert_eq!(Asker::read(nonsense), Asker::Others, "{nonsense:?}");
        }
    }
}
