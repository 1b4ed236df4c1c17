//! nkeys of every kind: made, read from their text, checked, and kept from logs.
//!
//! A public key is 56 characters whose first letter says what it names; a seed is 58 characters that start with `S` and
//! the same letter. Ed25519 kinds sign; the curve kind (`X`) only encrypts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Length of every public key's text.
const PUBLIC_CHARS: usize = 56;
/// Length of every seed's text.
const SEED_CHARS: usize = 58;

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// `A…`: issues the claims of actors and providers.
    Account,
    /// `U…`: a person or program on NATS.
    User,
    /// `M…`: an actor (v1 says component, 2021 said module).
    Module,
    /// `V…`: a capability provider (nkeys says service).
    Provider,
    /// `N…`: a host (nkeys says server).
    Host,
    /// `C…`: a cluster of hosts.
    Cluster,
    /// `O…`: issues accounts.
    Operator,
    /// `X…`: encrypts secrets for one receiver; cannot sign.
    Curve,
}

impl KeyKind {
    /// Every kind, in the order in which help texts list them.
    pub const ALL: [KeyKind; 8] = [
        KeyKind::Account,
        KeyKind::User,
        KeyKind::Module,
        KeyKind::Provider,
        KeyKind::Host,
        KeyKind::Cluster,
        KeyKind::Operator,
        KeyKind::Curve,
    ];

    /// The first letter of a public key of this kind; a seed starts with `S` and this letter.
    pub fn letter(self) -> char {
        match self {
            KeyKind::Account => 'A',
            KeyKind::User => 'U',
            KeyKind::Module => 'M',
            KeyKind::Provider => 'V',
            KeyKind::Host => 'N',
            KeyKind::Cluster => 'C',
            KeyKind::Operator => 'O',
            KeyKind::Curve => 'X',
        }
    }

    /// The name that commands use, for example in `wash keys gen account`.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Account => "account",
            KeyKind::User => "user",
            KeyKind::Module => "module",
            KeyKind::Provider => "provider",
            KeyKind::Host => "host",
            KeyKind::Cluster => "cluster",
            KeyKind::Operator => "operator",
            KeyKind::Curve => "curve",
        }
    }

    fn of_letter(letter: char) -> Option<KeyKind> {
        KeyKind::ALL.into_iter().find(|kind| kind.letter() == letter)
    }

    fn nkey(self) -> nkeys::KeyPairType {
        match self {
            KeyKind::Account => nkeys::KeyPairType::Account,
            KeyKind::User => nkeys::KeyPairType::User,
            KeyKind::Module => nkeys::KeyPairType::Module,
            KeyKind::Provider => nkeys::KeyPairType::Service,
            KeyKind::Host => nkeys::KeyPairType::Server,
            KeyKind::Cluster => nkeys::KeyPairType::Cluster,
            KeyKind::Operator => nkeys::KeyPairType::Operator,
            KeyKind::Curve => nkeys::KeyPairType::Curve,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = KeyError;

    /// Reads a kind's name, its other names (`actor`, `component`, `service`, `server`, `xkey`, `x25519`) or its letter.
    fn from_str(text: &str) -> Result<KeyKind, KeyError> {
        let lower = text.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "account" | "a" => KeyKind::Account,
            "user" | "u" => KeyKind::User,
            "module" | "actor" | "component" | "m" => KeyKind::Module,
            "provider" | "service" | "v" => KeyKind::Provider,
            "host" | "server" | "n" => KeyKind::Host,
            "cluster" | "c" => KeyKind::Cluster,
            "operator" | "o" => KeyKind::Operator,
            "curve" | "xkey" | "x25519" | "x" => KeyKind::Curve,
            _ => return Err(KeyError::UnknownKind { text: shown(text) }),
        })
    }
}

/// Why a text is not a key, or a key cannot do what was asked. No message ever holds a seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No kind of key has this name.
    #[error(
        "{text:?} is no kind of key; kinds are account, user, module, provider, host, cluster, operator and curve"
    )]
    UnknownKind {
        /// The text, cut short.
        text: String,
    },
    /// The text has the wrong length.
    #[error("a {what} has {expected} characters, this has {len}")]
    Length {
        /// `public key` or `seed`.
        what: &'static str,
        /// How many it must have.
        expected: usize,
        /// How many it has.
        len: usize,
    },
    /// A seed stands where a public key belongs; the text is not repeated.
    #[error("this is a seed (a secret), where a public key is wanted; keep it out of files that others read")]
    SeedInsteadOfPublicKey,
    /// A public key stands where a seed belongs.
    #[error("this is the public key {text}, where a seed (starting with S) is wanted")]
    PublicKeyInsteadOfSeed {
        /// The key.
        text: String,
    },
    /// Not base32, an unknown prefix, a checksum that does not fit, or no point on the curve.
    #[error("the {what} is damaged: {reason}; copy it again, whole")]
    Damaged {
        /// `public key` or `seed`.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key is well formed and of another kind.
    #[error("{key} is a key of kind {actual}, where one of kind {expected} (starting with {}) is wanted", expected.letter())]
    WrongKind {
        /// The public key.
        key: String,
        /// Its kind.
        actual: KeyKind,
        /// The wanted kind.
        expected: KeyKind,
    },
    /// Curve keys encrypt; they cannot sign.
    #[error("{key} is a curve key, which encrypts and cannot sign")]
    CannotSign {
        /// The public key.
        key: String,
    },
}

/// At most 64 characters of a text that somebody else wrote.
pub(crate) fn shown(text: &str) -> String {
    shown_at_most(text, 64)
}

/// Why something could not be read: a library's words, which may quote what somebody else wrote.
pub(crate) fn shown_reason(reason: impl ToString) -> String {
    shown_at_most(&reason.to_string(), 300)
}

/// At most so many characters, none of which does anything to a terminal or a log.
pub(crate) fn shown_at_most(text: &str, chars: usize) -> String {
    text.chars().take(chars).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A checked public key: length, alphabet, prefix and checksum fit, and it is a point on the curve where it must be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    kind: KeyKind,
    text: String,
}

impl PublicKey {
    /// Reads a public key that must be of one kind.
    ///
    /// # Errors
    /// As [`PublicKey::from_str`], and `WrongKind`.
    pub fn of_kind(text: &str, expected: KeyKind) -> Result<PublicKey, KeyError> {
        let key: PublicKey = text.parse()?;
        if key.kind == expected {
            Ok(key)
        } else {
            Err(KeyError::WrongKind { key: key.text, actual: key.kind, expected })
        }
    }

    /// What the key names.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 56 characters.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The 32 bytes of the key itself.
    pub(crate) fn raw(&self) -> [u8; 32] {
        nkeys::from_public_key(&self.text).expect("the text was checked when this value was made").1
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads a public key of any kind. Blanks around it are not accepted.
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        const WHAT: &str = "public key";
        if text.starts_with('S') && text.len() == SEED_CHARS {
            return Err(KeyError::SeedInsteadOfPublicKey);
        }
        if text.len() != PUBLIC_CHARS {
            return Err(KeyError::Length { what: WHAT, expected: PUBLIC_CHARS, len: text.len() });
        }
        let damaged = |reason| KeyError::Damaged { what: WHAT, reason };
        nkeys::from_public_key(text).map_err(|_| damaged("a character is wrong or missing"))?;
        let kind = text
            .chars()
            .next()
            .and_then(KeyKind::of_letter)
            .ok_or_else(|| damaged("it starts with no known letter"))?;
        if kind != KeyKind::Curve {
            nkeys::KeyPair::from_public_key(text).map_err(|_| damaged("it is no point on the curve"))?;
        }
        Ok(PublicKey { kind, text: text.to_owned() })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for PublicKey {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The text of a seed, wiped from memory with it. It has no `Display`, and its `Debug` hides it: only [`SeedText::expose`]
/// shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedText(Zeroizing<String>);

impl SeedText {
    /// The 58 characters, to be written to a file that only its owner reads.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SeedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeedText(hidden)")
    }
}

/// A key with its secret half. `Debug` shows the public half only.
#[derive(Clone)]
pub struct KeyPair {
    public: PublicKey,
    seed: SeedText,
}

impl KeyPair {
    /// Makes a new key from the system's randomness.
    pub fn generate(kind: KeyKind) -> KeyPair {
        match kind {
            KeyKind::Curve => KeyPair::of_curve(nkeys::XKey::new()),
            signing => KeyPair::of_signing(nkeys::KeyPair::new(signing.nkey()), signing),
        }
    }

    /// Reads a seed; blanks and line ends around it are ignored, since it usually comes from a file.
    ///
    /// # Errors
    /// `Length`, `Damaged`, or `PublicKeyInsteadOfSeed`.
    pub fn from_seed(text: &str) -> Result<KeyPair, KeyError> {
        const WHAT: &str = "seed";
        let text = text.trim();
        if let Ok(public) = text.parse::<PublicKey>() {
            return Err(KeyError::PublicKeyInsteadOfSeed { text: public.text });
        }
        if text.len() != SEED_CHARS {
            return Err(KeyError::Length { what: WHAT, expected: SEED_CHARS, len: text.len() });
        }
        let damaged = |reason| KeyError::Damaged { what: WHAT, reason };
        nkeys::decode_seed(text).map_err(|_| damaged("a character is wrong or missing"))?;
        let kind = text
            .chars()
            .nth(1)
            .and_then(KeyKind::of_letter)
            .ok_or_else(|| damaged("its second letter names no kind of key"))?;
        if kind == KeyKind::Curve {
            return Ok(KeyPair::of_curve(nkeys::XKey::from_seed(text).map_err(|_| damaged("no curve key"))?));
        }
        let pair = nkeys::KeyPair::from_seed(text).map_err(|_| damaged("no signing key"))?;
        if pair.key_pair_type() != kind.nkey() {
            return Err(damaged("its prefix names no kind of key"));
        }
        Ok(KeyPair::of_signing(pair, kind))
    }

    fn of_signing(pair: nkeys::KeyPair, kind: KeyKind) -> KeyPair {
        let seed = pair.seed().expect("the pair was made from its seed");
        KeyPair { public: PublicKey { kind, text: pair.public_key() }, seed: SeedText(Zeroizing::new(seed)) }
    }

    fn of_curve(key: nkeys::XKey) -> KeyPair {
        let seed = key.seed().expect("the key was made from its seed");
        KeyPair {
            public: PublicKey { kind: KeyKind::Curve, text: key.public_key() },
            seed: SeedText(Zeroizing::new(seed)),
        }
    }

    /// What the key names.
    pub fn kind(&self) -> KeyKind {
        self.public.kind
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The secret half as text.
    pub fn seed(&self) -> &SeedText {
        &self.seed
    }

    /// The 32 secret bytes of a signing key.
    ///
    /// # Errors
    /// `CannotSign` for a curve key.
    pub(crate) fn signing_seed(&self) -> Result<[u8; 32], KeyError> {
        if self.kind() == KeyKind::Curve {
            return Err(KeyError::CannotSign { key: self.public.text.clone() });
        }
        Ok(nkeys::decode_seed(self.seed.expose()).expect("the seed is that of a valid key").1)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, seed hidden)", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_seed() {
        for kind in KeyKind::ALL {
            let pair = KeyPair::generate(kind);
            assert_eq!(pair.public_key().as_str().chars().next(), Some(kind.letter()));
            assert!(pair.seed().expose().starts_with(&format!("S{}", kind.letter())), "{kind}");
            let again = KeyPair::from_seed(&format!("{}\n", pair.seed().expose())).unwrap();
            assert_eq!(again.public_key(), pair.public_key());
            assert_eq!(again.kind(), kind);
            assert_eq!(pair.public_key().as_str().parse::<PublicKey>().unwrap().kind(), kind);
            assert_eq!(kind.name().parse::<KeyKind>().unwrap(), kind);
        }
    }

    #[test]
    fn debug_hides_the_seed() {
        let pair = KeyPair::generate(KeyKind::Account);
        let seed = pair.seed();
        assert!(!format!("{pair:?} {seed:?}").contains(seed.expose()));
    }

    #[test]
    fn wrong_texts_name_what_is_wrong() {
        let account = KeyPair::generate(KeyKind::Account);
        let text = account.public_key().as_str();
        let mut flipped = text.to_owned();
        let other = if flipped.ends_with('A') { "B" } else { "A" };
        flipped.replace_range(55..56, other);
        let error = |text: &str| text.parse::<PublicKey>().unwrap_err();
        assert!(matches!(error(""), KeyError::Length { len: 0, .. }));
        assert!(matches!(error(&text[..55]), KeyError::Length { len: 55, .. }));
        assert!(matches!(error(&flipped), KeyError::Damaged { .. }));
        assert!(matches!(error(&text.to_lowercase()), KeyError::Damaged { .. }));
        assert!(matches!(error(&"é".repeat(28)), KeyError::Damaged { .. }));
        assert_eq!(error(account.seed().expose()), KeyError::SeedInsteadOfPublicKey);
        assert!(matches!(KeyPair::from_seed(text), Err(KeyError::PublicKeyInsteadOfSeed { .. })));
        assert!(matches!(KeyPair::from_seed(&"é".repeat(29)), Err(KeyError::Damaged { .. })));
        let wrong = PublicKey::of_kind(text, KeyKind::Module).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            format!("{text} is a key of kind account, where one of kind module (starting with M) is wanted")
        );
    }

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal_or_a_log() {
        assert_eq!(shown("a\x1b[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(shown(&"é".repeat(65)).chars().count(), 64);
        assert_eq!(shown_reason(format_args!("{}\r", "x".repeat(299))), "x".repeat(299) + "\u{fffd}");
    }

    #[test]
    fn a_published_seed_gives_its_known_public_key() {
        // The account and user pair of the NATS documentation.
        let pair = KeyPair::from_seed("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY").unwrap();
        assert_eq!(pair.public_key().as_str(), "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
        assert_eq!(pair.kind(), KeyKind::User);
    }
}
