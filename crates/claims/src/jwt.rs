//! Tokens: typed claims, signed and verified with nkeys through jwt-simple's EdDSA traits, in the form wascap reads.
//!
//! The header says typ `jwt` and alg `Ed25519` (wascap refuses `JWT`). Times are checked here against the caller's clock and
//! never by the library, whose defaults accept tokens 15 minutes after their end and refuse `iat` in the future.

use data_encoding::BASE64URL_NOPAD;
use jwt_simple::{
    JWTError,
    algorithms::{EdDSAPublicKeyLike, Edwards25519PublicKey},
    claims::{JWTClaims, NoCustomClaims},
    common::VerificationOptions,
    prelude::Duration,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    entities::Metadata,
    error::{SignError, VerifyError},
    keys::{KeyPair, PublicKey, shown_reason},
    signing::{self, check_kind, timestamp},
};

/// The revision of claims that we write, and the first whose hash readers enforce.
pub const REVISION: u32 = 3;
/// How many seconds before `nbf` a token is already accepted: the clocks of signer and host differ.
pub const NBF_SLACK_SECONDS: u64 = 60;
/// The longest token that is read or written; a provider's config schema may be in it.
pub const TOKEN_BYTES_MAX: usize = 256 * 1024;

/// The header that wascap writes and reads.
pub(crate) enum Wascap {}

impl signing::Header for Wascap {
    const TYPE: &'static str = "jwt";
    const ALGORITHM: &'static str = "Ed25519";
}

/// What a token says. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims<M> {
    /// Unique id of the token.
    #[serde(rename = "jti")]
    pub id: String,
    /// When it was signed. Only shown: one in the future is accepted, so that a clock set back stops nothing.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// The last second in which it counts; for ever if absent.
    #[serde(rename = "exp", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When it begins to count; at once if absent.
    #[serde(rename = "nbf", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// The public key of who signed.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// The public key of who it is about.
    #[serde(rename = "sub")]
    pub subject: String,
    /// What it says about the subject.
    #[serde(rename = "wascap", default = "none", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<M>,
    /// Revision of the claims format; absent or below 3 in tokens of 2021 and 2022.
    #[serde(rename = "wascap_revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
}

// Without it serde would ask for `M: Default`.
fn none<M>() -> Option<M> {
    None
}

impl<M: Metadata> Claims<M> {
    /// Claims that begin at once and never end, with a new id.
    pub fn new(issuer: &PublicKey, subject: &PublicKey, metadata: M, now: u64) -> Claims<M> {
        Claims {
            id: nuid::next().to_string(),
            issued_at: now,
            expires: None,
            not_before: None,
            issuer: issuer.to_string(),
            subject: subject.to_string(),
            metadata: Some(metadata),
            revision: Some(REVISION),
        }
    }

    /// The subject's name for people, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.metadata.as_ref().and_then(Metadata::name)
    }

    /// Checks that issuer and subject are keys of the kinds that such claims have, and returns them.
    ///
    /// # Errors
    /// `BadIssuer`, `BadSubject`, `WrongIssuerKind`, `WrongSubjectKind`.
    pub fn parties(&self) -> Result<(PublicKey, PublicKey), VerifyError> {
        let issuer: PublicKey = self.issuer.parse().map_err(|reason| VerifyError::BadIssuer { reason })?;
        let subject: PublicKey = self.subject.parse().map_err(|reason| VerifyError::BadSubject { reason })?;
        if subject.kind() != M::SUBJECT {
            return Err(VerifyError::WrongSubjectKind {
                subject: subject.to_string(),
                actual: subject.kind(),
                expected: M::SUBJECT,
            });
        }
        if !M::ISSUERS.contains(&issuer.kind()) {
            return Err(VerifyError::WrongIssuerKind { issuer: issuer.to_string(), kind: issuer.kind() });
        }
        Ok((issuer, subject))
    }
}

impl<M> Claims<M> {
    /// Checks `exp` and `nbf` against a clock; `iat` is not looked at.
    ///
    /// # Errors
    /// `Expired` without any slack, `NotYetValid` with [`NBF_SLACK_SECONDS`] of it.
    pub fn check_times(&self, now: u64) -> Result<(), VerifyError> {
        if let Some(at) = self.expires.filter(|at| *at < now) {
            return Err(VerifyError::Expired { at, now });
        }
        if let Some(at) = self.not_before.filter(|at| *at > now.saturating_add(NBF_SLACK_SECONDS)) {
            return Err(VerifyError::NotYetValid { at, now, slack: NBF_SLACK_SECONDS });
        }
        Ok(())
    }
}

struct Verifier(Edwards25519PublicKey, Option<String>);

impl EdDSAPublicKeyLike for Verifier {
    fn jwt_alg_name() -> &'static str {
        <Wascap as signing::Header>::ALGORITHM
    }
    fn public_key(&self) -> &Edwards25519PublicKey {
        &self.0
    }
    fn key_id(&self) -> &Option<String> {
        &self.1
    }
    fn set_key_id(&mut self, key_id: String) {
        self.1 = Some(key_id);
    }
}

#[derive(Serialize)]
struct Custom<'a, M> {
    #[serde(skip_serializing_if = "Option::is_none")]
    wascap: Option<&'a M>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wascap_revision: Option<u32>,
}

/// Signs claims and returns the token's text.
///
/// # Errors
/// `IssuerMismatch`, `KeyKind` where issuer or subject cannot have such claims, `Time`, `NeverValid`, `TooLong`.
pub fn sign_token<M: Metadata + Serialize>(
    claims: &Claims<M>,
    issuer: &KeyPair,
) -> Result<String, SignError> {
    if claims.issuer != issuer.public_key().as_str() {
        return Err(SignError::IssuerMismatch {
            claims: claims.issuer.clone(),
            key: issuer.public_key().to_string(),
        });
    }
    check_kind("issuer", issuer.public_key(), M::ISSUERS)?;
    let subject: PublicKey =
        claims.subject.parse().map_err(|error| SignError::Library { reason: format!("subject: {error}") })?;
    check_kind("subject", &subject, &[M::SUBJECT])?;
    let begins = claims.not_before.unwrap_or(claims.issued_at);
    if let Some(ends) = claims.expires.filter(|ends| *ends < begins) {
        return Err(SignError::NeverValid { begins, ends });
    }
    let body = JWTClaims {
        issued_at: Some(timestamp("iat", claims.issued_at)?),
        expires_at: claims.expires.map(|at| timestamp("exp", at)).transpose()?,
        invalid_before: claims.not_before.map(|at| timestamp("nbf", at)).transpose()?,
        issuer: Some(claims.issuer.clone()),
        subject: Some(claims.subject.clone()),
        audiences: None,
        jwt_id: Some(claims.id.clone()),
        nonce: None,
        custom: Custom { wascap: claims.metadata.as_ref(), wascap_revision: claims.revision },
    };
    signing::sign::<Wascap, _>(body, issuer, TOKEN_BYTES_MAX)
}

#[derive(Deserialize)]
pub(crate) struct Header {
    #[serde(default)]
    pub(crate) typ: String,
    #[serde(default)]
    pub(crate) alg: String,
}

impl Header {
    /// Whether it is the one that wascap writes.
    pub(crate) fn is_ours(&self) -> bool {
        self.typ == <Wascap as signing::Header>::TYPE && self.alg == <Wascap as signing::Header>::ALGORITHM
    }
}

fn malformed(reason: impl ToString) -> VerifyError {
    VerifyError::Malformed { reason: shown_reason(reason) }
}

/// The bytes of one part of a token.
pub(crate) fn decode(name: &str, text: &str) -> Result<Vec<u8>, VerifyError> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|error| malformed(format_args!("its {name} is not base64url: {error}")))
}

pub(crate) fn segment<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, VerifyError> {
    let bytes = decode(name, text)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| malformed(format_args!("its {name} is not usable: {error}")))
}

/// Reads what a token says **without verifying** anything but its form: header, signature and times may be wrong. For
/// showing a token, and for choosing how to verify it.
///
/// # Errors
/// `Malformed`.
pub fn decode_unverified<M: DeserializeOwned>(token: &str) -> Result<Claims<M>, VerifyError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(malformed(format_args!("it has {} bytes, more than {TOKEN_BYTES_MAX}", token.len())));
    }
    let parts: Vec<&str> = token.splitn(5, '.').collect();
    let &[_, body, _] = parts.as_slice() else {
        return Err(malformed("it does not have three parts joined by dots"));
    };
    segment("body", body)
}

/// Checks header and signature of a token against the issuer it names, and returns what it says. Whether that issuer is
/// trusted, and the times, are the caller's to check: [`crate::Trust`], [`Claims::check_times`].
///
/// # Errors
/// `Malformed`, `WrongHeader`, `BadIssuer`, `BadSubject`, `WrongSubjectKind`, `WrongIssuerKind`, `BadSignature`.
pub fn verify_token<M: Metadata + DeserializeOwned>(token: &str) -> Result<Claims<M>, VerifyError> {
    let claims: Claims<M> = decode_unverified(token)?;
    let header: Header = segment("header", token.split('.').next().unwrap_or_default())?;
    if !header.is_ours() {
        return Err(VerifyError::WrongHeader { typ: header.typ, alg: header.alg });
    }
    let (issuer, _) = claims.parties()?;
    check_signature(token, &issuer)?;
    Ok(claims)
}

pub(crate) fn check_signature(token: &str, issuer: &PublicKey) -> Result<(), VerifyError> {
    let wrong = || VerifyError::BadSignature { issuer: issuer.to_string() };
    let key = Edwards25519PublicKey::from_bytes(&issuer.raw()).map_err(|_| wrong())?;
    let options = VerificationOptions {
        // Both together switch every check of times off: the library's clock is the system's, ours is the caller's.
        accept_future: true,
        artificial_time: Some(Duration::from_secs(0)),
        time_tolerance: Some(Duration::from_secs(0)),
        max_token_length: Some(TOKEN_BYTES_MAX),
        ..VerificationOptions::default()
    };
    match Verifier(key, None).verify_token::<NoCustomClaims>(token, Some(options)) {
        Ok(_) => Ok(()),
        Err(error) if error.is::<serde_json::Error>() => Err(malformed(error)),
        Err(error) => match error.downcast_ref::<JWTError>() {
            // A signature of the wrong length or form comes as an error of the library below.
            None | Some(JWTError::InvalidSignature) => Err(wrong()),
            Some(other) => Err(malformed(other)),
        },
    }
}
