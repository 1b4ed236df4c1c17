//! What the server refuses: it says so in an error line that names the subject, and nowhere else.

use std::fmt;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// A message was not passed on.
    Publish,
    /// A subscription was not made; it stays silent.
    Subscribe,
}

/// The server refused a subject to this connection's user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    /// What was refused.
    pub refused: Refused,
    /// The subject.
    pub subject: String,
}

impl Violation {
    /// Reads the server's error text; none if it speaks of something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let rest = lower.find("permissions violation for ").map(|at| &lower[at + 26..])?;
        let refused = if rest.starts_with("publish") { Refused::Publish } else { Refused::Subscribe };
        // The quoted text is taken from the original: subjects are case-sensitive.
        let subject = text.split('"').nth(1)?.to_owned();
        Some(Self { refused, subject })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.refused {
            Refused::Publish => "publish to",
            Refused::Subscribe => "subscribe to",
        };
        write!(f, "the NATS server does not allow this user to {what} {:?}", self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words() {
        let read = |text: &str| Violation::parse(text).map(|v| (v.refused, v.subject));
        assert_eq!(
            read("Permissions Violation for Publish to \"a.B\""),
            Some((Refused::Publish, "a.B".into()))
        );
        assert_eq!(
            read("Permissions Violation for Subscription to \"a.>\" using queue \"q\""),
            Some((Refused::Subscribe, "a.>".into()))
        );
        assert_eq!(
            read("permissions violation for publish with Reply of \"_INBOX.x\""),
            Some((Refused::Publish, "_INBOX.x".into()))
        );
        assert_eq!(read("Authorization Violation"), None);
        assert_eq!(read("permissions violation for publish"), None);
    }
}
