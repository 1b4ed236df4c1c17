//! Signing and verifying actors: claims in a wasm file, and the order in which they are doubted.

use crate::{
    entities::{ActorMetadata, normalize_call_alias},
    error::{SignError, VerifyError},
    jwt::{Claims, REVISION, decode_unverified, sign_token, verify_token},
    keys::{KeyKind, KeyPair, PublicKey},
    section::{canonical_hash, cut_out_hash, embed_token, extract_token, find_claims},
    signing::check_kind,
    trust::Trust,
};

/// What to write into an actor's claims. Times are unix seconds; absent times mean at once and for ever.
#[derive(Debug, Clone, Default)]
pub struct SignActor {
    /// A name for people.
    pub name: Option<String>,
    /// A version for people.
    pub version: Option<String>,
    /// A number that grows with each release.
    pub revision: Option<i32>,
    /// Free words.
    pub tags: Vec<String>,
    /// A name that calls may use in place of the key; normalised before it is written.
    pub call_alias: Option<String>,
    /// The last second in which the signature counts.
    pub expires: Option<u64>,
    /// When the signature begins to count.
    pub not_before: Option<u64>,
}

/// Whether the signed hash was found to be that of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashCheck {
    /// The code is what was signed.
    Confirmed,
    /// The claims are older than enforced hashes and theirs does not fit: the code may have been changed. Only where
    /// [`Trust::with_unconfirmed_hashes`] allows it.
    NotEnforced,
}

/// An actor whose claims passed every check.
#[derive(Debug, Clone)]
pub struct VerifiedActor {
    /// What its token says.
    pub claims: Claims<ActorMetadata>,
    /// The token's text.
    pub token: String,
    /// Who signed: an `A…` key.
    pub issuer: PublicKey,
    /// For which account: the issuer itself, or the one that the lattice names it a signing key of.
    pub account: PublicKey,
    /// Who it is: an `M…` key, the actor's id where none is given.
    pub subject: PublicKey,
    /// Whether its code is what was signed.
    pub hash: HashCheck,
}

/// Signs a module or component: any claims in it are replaced. Returns the signed file.
///
/// # Errors
/// Unusable wasm, keys that are not an account's (`issuer`) and a module's (`subject`), times that can never hold, a call
/// alias that is empty or reads like a key.
pub fn sign_actor(
    wasm: &[u8],
    sign: &SignActor,
    issuer: &KeyPair,
    subject: &PublicKey,
    now: u64,
) -> Result<Vec<u8>, SignError> {
    check_kind("subject", subject, &[KeyKind::Module])?;
    let metadata = ActorMetadata {
        name: sign.name.clone(),
        hash: canonical_hash(wasm)?,
        tags: (!sign.tags.is_empty()).then(|| sign.tags.clone()),
        revision: sign.revision,
        version: sign.version.clone(),
        call_alias: sign.call_alias.as_deref().map(call_alias).transpose()?,
        provider: false,
        caps: None,
    };
    let mut claims = Claims::new(issuer.public_key(), subject, metadata, now);
    claims.expires = sign.expires;
    claims.not_before = sign.not_before;
    let token = sign_token(&claims, issuer)?;
    Ok(embed_token(wasm, &token)?)
}

fn call_alias(given: &str) -> Result<String, SignError> {
    let alias = normalize_call_alias(given);
    let reason = if alias.is_empty() {
        "it is empty"
    } else if alias.to_ascii_uppercase().parse::<PublicKey>().is_ok() {
        "it reads like a key"
    } else if !alias.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'/')) {
        "it may hold letters, digits, `_` and `/`"
    } else {
        return Ok(alias);
    };
    Err(SignError::CallAlias { alias, reason })
}

/// The token of an actor and what it says, **without verifying** it; nothing if the actor is unsigned.
///
/// # Errors
/// Unusable wasm, or a token whose form is wrong.
pub fn inspect_actor(wasm: &[u8]) -> Result<Option<(String, Claims<ActorMetadata>)>, VerifyError> {
    let Some(token) = extract_token(wasm)? else { return Ok(None) };
    Ok(Some((token.to_owned(), decode_unverified(token)?)))
}

/// Checks everything about an actor's claims at the time `now` (unix seconds).
///
/// In this order, so that nothing a stranger wrote is believed before the signature is: form, kinds of key, signature,
/// hash, issuer, times.
///
/// # Errors
/// The first check that fails, by name; [`VerifyError::remedy`] says what to do.
pub fn verify_actor(wasm: &[u8], trust: &Trust, now: u64) -> Result<VerifiedActor, VerifyError> {
    let found = find_claims(wasm)?.ok_or(VerifyError::Unsigned)?;
    let claims: Claims<ActorMetadata> = verify_token(found.token)?;
    let (issuer, subject) = claims.parties()?;
    let metadata = claims.metadata.as_ref().ok_or_else(|| VerifyError::Malformed {
        reason: "it says nothing about the actor (no `wascap`)".to_owned(),
    })?;
    let revision = claims.revision.unwrap_or(0);
    let actual = canonical_hash(wasm)?;
    let hash = if metadata.hash == actual {
        HashCheck::Confirmed
    } else if revision >= REVISION {
        return Err(VerifyError::Tampered { expected: metadata.hash.clone(), actual });
    } else if metadata.hash == cut_out_hash(wasm, &found.section) {
        HashCheck::Confirmed
    } else if trust.accepts_unconfirmed_hashes() {
        HashCheck::NotEnforced
    } else {
        return Err(VerifyError::HashNotConfirmed { expected: metadata.hash.clone(), actual, revision });
    };
    let account = trust.check(&issuer)?;
    claims.check_times(now)?;
    Ok(VerifiedActor { token: found.token.to_owned(), issuer, account, subject, hash, claims })
}
