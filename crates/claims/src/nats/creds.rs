//! A `.creds` file: a user's token and the seed that goes with it, as all NATS programs read them.

use std::fmt;

use crate::keys::{KeyError, KeyKind, KeyPair};

const TOKEN: (&str, &str) = ("-----BEGIN NATS USER JWT-----", "------END NATS USER JWT------");
const SEED: (&str, &str) = ("-----BEGIN USER NKEY SEED-----", "------END USER NKEY SEED------");

/// A user's token and key. `Debug` hides the seed.
#[derive(Debug, Clone)]
pub struct CredsFile {
    /// The token.
    pub token: String,
    /// The key that it is about.
    pub key: KeyPair,
}

/// Why a text is no credentials file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredsError {
    /// A part is missing.
    #[error("there is no {what} in it; a credentials file holds a user's token and seed")]
    Missing {
        /// `token` or `seed`.
        what: &'static str,
    },
    /// The seed is none of a user.
    #[error("its seed is not usable: {0}")]
    Seed(#[from] KeyError),
}

impl CredsFile {
    /// The token in a file's text, whatever the seed is.
    ///
    /// # Errors
    /// `Missing`.
    pub fn token_in(text: &str) -> Result<&str, CredsError> {
        between(text, TOKEN).ok_or(CredsError::Missing { what: "token" })
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`CredsError`].
    pub fn read(text: &str) -> Result<Self, CredsError> {
        let seed = between(text, SEED).ok_or(CredsError::Missing { what: "seed" })?;
        let key = KeyPair::from_seed(seed)?;
        if key.kind() != KeyKind::User {
            let (key, actual) = (key.public_key().to_string(), key.kind());
            return Err(KeyError::WrongKind { key, actual, expected: KeyKind::User }.into());
        }
        Ok(Self { token: Self::token_in(text)?.to_owned(), key })
    }
}

impl fmt::Display for CredsFile {
    /// The file's text, seed and all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.key.seed().expose();
        writeln!(f, "{}\n{}\n{}\n", TOKEN.0, self.token, TOKEN.1)?;
        writeln!(f, "{}\n{seed}\n{}", SEED.0, SEED.1)
    }
}

fn between<'a>(text: &'a str, (begin, end): (&str, &str)) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    let (inside, _) = rest.split_once(end)?;
    Some(inside.trim()).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_and_hides_its_seed_from_debug() {
        let key = KeyPair::generate(KeyKind::User);
        let creds = CredsFile { token: "a.b.c".to_owned(), key };
        let again = CredsFile::read(&creds.to_string()).unwrap();
        assert_eq!((again.token.as_str(), again.key.public_key()), ("a.b.c", creds.key.public_key()));
        assert!(!format!("{creds:?}").contains(creds.key.seed().expose()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |text: &str| CredsFile::read(text).unwrap_err().to_string();
        assert!(error("").contains("no seed"));
        let of = |kind| CredsFile { token: "a.b.c".to_owned(), key: KeyPair::generate(kind) }.to_string();
        assert!(error(&of(KeyKind::Account)).contains("kind user"));
        let without_token = of(KeyKind::User).replace("a.b.c", "");
        assert!(error(&without_token).contains("no token"));
    }
}
