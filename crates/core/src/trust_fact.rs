//! Whether signatures of an account count in a lattice: the fact under `trust.{key}`.

use serde::{Deserialize, Serialize};

use crate::{AccountKey, Order, UserKey};

/// What the lattice says of one key: an account, or a key that signs for one. Each key has a fact of its own, so that two
/// people who name two signing keys at once do not undo each other, and a revoked key stays known as such.
///
/// A missing `standing` and a word of a later version read as revoked: what is not understood lets nobody in. Unknown
/// fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustFact {
    /// `trusted` or `revoked`; see [`TrustFact::standing`].
    #[serde(default)]
    pub standing: String,
    /// The account that this key signs for; none where the key is an account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountKey>,
    /// Who said so; none where the command was not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// The command, where it was signed. Hosts that know an admin trust nobody without the order of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Whether a key's signatures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// They do.
    Trusted,
    /// They do not, even where a host's own flags name the key.
    Revoked,
}

impl Standing {
    /// The word in a fact.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::Trusted => "trusted",
            Standing::Revoked => "revoked",
        }
    }

    /// What a word in a fact means: one that is not known means revoked.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "trusted" => Standing::Trusted,
            _ => Standing::Revoked,
        }
    }
}

impl TrustFact {
    /// A fact of this standing, with who said so.
    #[must_use]
    pub fn new(
        standing: Standing,
        account: Option<AccountKey>,
        by: Option<UserKey>,
        order: Option<Order>,
    ) -> Self {
        Self { standing: standing.word().to_owned(), account, by, order }
    }

    /// Whether the key's signatures count.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of_word(&self.standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_as_it_is_written_and_of_another_version() {
        let key = |letter: &str| format!("{letter}{}", "B".repeat(55));
        let account = AccountKey::new(key("A")).unwrap();
        let fact =
            TrustFact::new(Standing::Trusted, Some(account), Some(UserKey::new(key("U")).unwrap()), None);
        insta::assert_json_snapshot!(fact, @r#"
        {
          "standing": "trusted",
          "account": "ABBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
          "by": "UBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
        }
        "#);
        for (text, standing) in [
            (r#"{"standing":"trusted","more":1}"#, Standing::Trusted),
            (r#"{"standing":"revoked"}"#, Standing::Revoked),
            (r#"{"standing":"trusted-on-weekdays"}"#, Standing::Revoked),
            ("{}", Standing::Revoked),
        ] {
            let read: TrustFact = serde_json::from_str(text).unwrap();
            assert_eq!((read.standing(), read.account, read.by), (standing, None, None), "{text}");
        }
    }
}
