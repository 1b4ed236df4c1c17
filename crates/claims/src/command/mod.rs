//! Commands signed by a person: a token that names who commands, in which lattice, on which subject, with which body and when,
//! so that it is good for one request and no other.
//!
//! It travels in a NATS header beside the request, whose body stays as it is. Nothing here knows a clock: the caller passes the
//! time, in milliseconds since 1970.

mod error;
mod seen;

use data_encoding::HEXLOWER;
use jwt_simple::claims::JWTClaims;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::{SignError, VerifyError},
    jwt::{self, Header, Wascap, check_signature, segment},
    keys::{KeyKind, KeyPair, PublicKey, shown_at_most},
    signing::{self, check_kind, timestamp},
};

pub use error::CommandError;
pub use seen::{SEEN_MAX, Seen};

/// The NATS header that carries a token.
pub const COMMAND_HEADER: &str = "Lattice-Control-Token";
/// How long a token is good for, in milliseconds from its issue on.
pub const COMMAND_LIFE_MS: u64 = 30_000;
/// How far the clock of whoever signed may be ahead of the clock of whoever checks, in milliseconds.
pub const COMMAND_AHEAD_MS: u64 = 10_000;
/// The longest token that is read, in bytes; ours have about 600.
pub const COMMAND_BYTES_MAX: usize = 2_048;
/// Lengths of a nonce, in characters.
const NONCE_CHARS: std::ops::RangeInclusive<usize> = 16..=64;
/// The version of the claims; readers refuse others, since they cannot know what those promise.
const VERSION: u32 = 1;

/// The request that a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandRequest<'a> {
    /// The lattice.
    pub lattice: &'a str,
    /// The whole NATS subject, as it is sent.
    pub subject: &'a str,
    /// The body, as it is sent.
    pub body: &'a [u8],
}

/// Who commanded, and what tells this command from every other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommand {
    /// Who: a `U…` key.
    pub key: PublicKey,
    /// What the signer uses once.
    pub nonce: String,
    /// When it was issued, in milliseconds since 1970, by the signer's clock.
    pub issued_ms: u64,
}

/// What the token says. Unknown fields are ignored, missing ones make it malformed.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// Seconds, for tools that read any token; `ctl.at` is what counts, and has to agree.
    iat: u64,
    iss: String,
    jti: String,
    ctl: Ctl,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ctl {
    v: u32,
    lattice: String,
    subject: String,
    /// SHA-256 of the body, in lower-case hex.
    body: String,
    /// When it was issued, in milliseconds since 1970.
    at: u64,
}

/// The claims that are ours, as the library takes them.
#[derive(Serialize)]
struct Custom {
    ctl: Ctl,
}

fn hash(body: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(body))
}

/// Signs a request at the time `now_ms`; the token's text.
///
/// # Errors
/// `KeyKind` for a key that is no user's, `Time` beyond the year 2106.
pub fn sign_command(request: &CommandRequest<'_>, key: &KeyPair, now_ms: u64) -> Result<String, SignError> {
    check_kind("signing key", key.public_key(), &[KeyKind::User])?;
    let ctl = Ctl {
        v: VERSION,
        lattice: request.lattice.to_owned(),
        subject: request.subject.to_owned(),
        body: hash(request.body),
        at: now_ms,
    };
    let body = JWTClaims {
        issued_at: Some(timestamp("iat", now_ms / 1000)?),
        expires_at: None,
        invalid_before: None,
        issuer: Some(key.public_key().to_string()),
        subject: None,
        audiences: None,
        jwt_id: Some(nuid::next().to_string()),
        nonce: None,
        custom: Custom { ctl },
    };
    signing::sign::<Wascap, _>(body, key, COMMAND_BYTES_MAX)
}

/// Checks that `token` is for this request, of this time, and signed by the key that it names. Whether that key may command,
/// and whether the token was used before, is the caller's to check: [`Seen`].
///
/// What costs little is checked first; there is one signature to check.
///
/// # Errors
/// The first check that fails, by name.
pub fn verify_command(
    token: &str,
    request: &CommandRequest<'_>,
    now_ms: u64,
) -> Result<SignedCommand, CommandError> {
    let claims = read(token, request)?;
    let at = claims.ctl.at;
    if at > now_ms.saturating_add(COMMAND_AHEAD_MS) {
        return Err(CommandError::Early { ahead_ms: at - now_ms });
    }
    if now_ms > at.saturating_add(COMMAND_LIFE_MS) {
        return Err(CommandError::Expired { age_ms: now_ms - at });
    }
    signed(token, claims)
}

/// As [`verify_command`], whenever the token was issued: for a command that was carried out when it was fresh, and whose token
/// is kept as the evidence.
///
/// # Errors
/// As there, but for the times.
pub fn verify_order(token: &str, request: &CommandRequest<'_>) -> Result<SignedCommand, CommandError> {
    let claims = read(token, request)?;
    signed(token, claims)
}

/// What a token says, if it says it of this request; unsigned as yet.
fn read(token: &str, request: &CommandRequest<'_>) -> Result<Claims, CommandError> {
    if token.len() > COMMAND_BYTES_MAX {
        return Err(CommandError::TooLong { bytes: token.len() });
    }
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let &[header, body, signature] = parts.as_slice() else {
        return Err(CommandError::Malformed {
            reason: "it does not have three parts joined by dots".to_owned(),
        });
    };
    let header: Header = segment("header", header)?;
    if !header.is_ours() {
        let reason = format!("its header says typ {:?} and alg {:?}", header.typ, header.alg);
        return Err(CommandError::Malformed { reason });
    }
    // One token has one text: the library may read bits that mean nothing in several ways.
    jwt::decode("signature", signature)?;
    let claims: Claims = segment("body", body)?;
    let ctl = &claims.ctl;
    if ctl.v != VERSION {
        return Err(CommandError::Malformed { reason: format!("its version is {}, not {VERSION}", ctl.v) });
    }
    if !NONCE_CHARS.contains(&claims.jti.len()) || claims.iat != ctl.at / 1000 {
        let reason = "its nonce or its times are not as they should be".to_owned();
        return Err(CommandError::Malformed { reason });
    }
    let shown = |text: &str| shown_at_most(text, 256);
    if ctl.lattice != request.lattice {
        return Err(CommandError::OtherLattice { named: shown(&ctl.lattice) });
    }
    if ctl.subject != request.subject {
        return Err(CommandError::OtherSubject { named: shown(&ctl.subject) });
    }
    if ctl.body != hash(request.body) {
        return Err(CommandError::OtherBody);
    }
    Ok(claims)
}

fn signed(token: &str, claims: Claims) -> Result<SignedCommand, CommandError> {
    let key = PublicKey::of_kind(&claims.iss, KeyKind::User).map_err(CommandError::Key)?;
    match check_signature(token, &key) {
        Ok(()) => Ok(SignedCommand { key, nonce: claims.jti, issued_ms: claims.ctl.at }),
        Err(VerifyError::Malformed { reason }) => Err(CommandError::Malformed { reason }),
        Err(_) => Err(CommandError::BadSignature { key: key.to_string() }),
    }
}
