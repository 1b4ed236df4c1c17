//! The outer form that all tokens share, written and read.

use data_encoding::BASE64URL_NOPAD;
use jwt_simple::claims::JWTClaims;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    error::SignError,
    jwt::TOKEN_BYTES_MAX,
    keys::{KeyError, KeyKind, KeyPair, PublicKey, shown_reason},
    signing::{self, check_kind, timestamp},
};

/// The header that NATS servers read.
enum Nats {}

impl signing::Header for Nats {
    const TYPE: &'static str = "JWT";
    const ALGORITHM: &'static str = "ed25519-nkey";
}

/// When a token was signed and until when it counts, in unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Now. A server compares it with revocations: what was signed before one is refused.
    pub issued: u64,
    /// The last second in which it counts; for ever if none.
    pub expires: Option<u64>,
}

impl Times {
    /// For ever from now on.
    #[must_use]
    pub fn from(now: u64) -> Self {
        Self { issued: now, expires: None }
    }
}

/// Why a token cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NatsTokenError {
    /// Not three base64url parts with well-formed JSON of this kind of token.
    #[error("it is no NATS token of this kind: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A key in it is not one.
    #[error("a key in it is not usable: {0}")]
    Key(#[from] KeyError),
}

/// What every token says; `nats` holds what its kind says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Envelope<N> {
    #[serde(rename = "iat")]
    pub(super) issued_at: u64,
    #[serde(rename = "exp", default)]
    pub(super) expires: Option<u64>,
    #[serde(rename = "iss")]
    pub(super) issuer: String,
    #[serde(rename = "sub")]
    pub(super) subject: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) nats: N,
}

#[derive(Serialize)]
struct Custom<'a, N> {
    name: &'a str,
    nats: &'a N,
}

/// Signs what `nats` says about `subject`.
pub(super) fn sign<N: Serialize>(
    issuer: (&KeyPair, KeyKind),
    subject: (&PublicKey, KeyKind),
    name: &str,
    nats: &N,
    times: Times,
) -> Result<String, SignError> {
    check_kind("issuer", issuer.0.public_key(), &[issuer.1])?;
    check_kind("subject", subject.0, &[subject.1])?;
    if let Some(ends) = times.expires.filter(|ends| *ends < times.issued) {
        return Err(SignError::NeverValid { begins: times.issued, ends });
    }
    let body = JWTClaims {
        issued_at: Some(timestamp("iat", times.issued)?),
        expires_at: times.expires.map(|at| timestamp("exp", at)).transpose()?,
        invalid_before: None,
        issuer: Some(issuer.0.public_key().to_string()),
        subject: Some(subject.0.to_string()),
        audiences: None,
        jwt_id: Some(nuid::next().to_string()),
        nonce: None,
        custom: Custom { name, nats },
    };
    signing::sign::<Nats, _>(body, issuer.0, TOKEN_BYTES_MAX)
}

/// Reads a token **without verifying** its signature: whoever wants to log in with it has to convince the server, not us.
pub(super) fn read<N: DeserializeOwned>(token: &str) -> Result<Envelope<N>, NatsTokenError> {
    let malformed = |reason: String| NatsTokenError::Malformed { reason };
    let token = token.trim();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(malformed(format!("it has {} bytes, more than {TOKEN_BYTES_MAX}", token.len())));
    }
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let &[_, body, _] = parts.as_slice() else {
        return Err(malformed("it does not have three parts joined by dots".to_owned()));
    };
    let bytes = BASE64URL_NOPAD
        .decode(body.as_bytes())
        .map_err(|error| malformed(format!("its body is not base64url: {error}")))?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(shown_reason(error)))
}

/// The word for the kind of token that every version 2 token has in `nats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Operator,
    Account,
    User,
}
