//! Our nkeys as jwt-simple's EdDSA traits want keys, and tokens signed with them. What a header calls the one and the same
//! signature differs: wascap's way is not that of NATS servers.

use std::marker::PhantomData;

use jwt_simple::{
    algorithms::{EdDSAKeyPairLike, Edwards25519KeyPair},
    claims::JWTClaims,
    common::{HeaderOptions, KeyMetadata},
    prelude::{Duration, UnixTimeStamp},
};
use serde::Serialize;

use crate::{
    error::SignError,
    keys::{KeyKind, KeyPair, PublicKey},
};

/// The header of a family of tokens.
pub(crate) trait Header {
    /// Its `typ`.
    const TYPE: &'static str;
    /// Its `alg`.
    const ALGORITHM: &'static str;
}

struct Signer<H> {
    key: Edwards25519KeyPair,
    // jwt-simple asks for references to these.
    id: Option<String>,
    metadata: Option<KeyMetadata>,
    header: PhantomData<H>,
}

impl<H: Header> EdDSAKeyPairLike for Signer<H> {
    fn jwt_alg_name() -> &'static str {
        H::ALGORITHM
    }
    fn key_pair(&self) -> &Edwards25519KeyPair {
        &self.key
    }
    fn key_id(&self) -> &Option<String> {
        &self.id
    }
    fn metadata(&self) -> &Option<KeyMetadata> {
        &self.metadata
    }
    fn attach_metadata(&mut self, metadata: KeyMetadata) -> Result<(), jwt_simple::Error> {
        self.metadata = Some(metadata);
        Ok(())
    }
}

/// The token with that header and `body`, signed with `pair`.
///
/// # Errors
/// `TooLong` for one of more than `bytes_max` bytes, `Library`.
pub(crate) fn sign<H: Header, C: Serialize>(
    body: JWTClaims<C>,
    pair: &KeyPair,
    bytes_max: usize,
) -> Result<String, SignError> {
    let signer: Signer<H> = Signer { key: key_pair_of(pair)?, id: None, metadata: None, header: PhantomData };
    let options = HeaderOptions { signature_type: Some(H::TYPE.to_owned()), ..HeaderOptions::default() };
    let token = signer.sign_with_options(body, &options).map_err(library)?;
    match token.len() {
        bytes if bytes > bytes_max => Err(SignError::TooLong { bytes, max: bytes_max }),
        _ => Ok(token),
    }
}

/// The key as jwt-simple wants it.
fn key_pair_of(pair: &KeyPair) -> Result<Edwards25519KeyPair, SignError> {
    let seed = pair.signing_seed().map_err(library)?;
    // jwt-simple takes the seed followed by its public key.
    let mut both = [0; 64];
    both[..32].copy_from_slice(&seed);
    both[32..].copy_from_slice(&pair.public_key().raw());
    let key = Edwards25519KeyPair::from_bytes(&both);
    both.fill(0);
    key.map_err(library)
}

fn library(reason: impl ToString) -> SignError {
    SignError::Library { reason: reason.to_string() }
}

/// A time as jwt-simple takes it.
///
/// # Errors
/// `Time`: the library keeps seconds in 32 bits and would silently write another one.
pub(crate) fn timestamp(field: &'static str, value: u64) -> Result<UnixTimeStamp, SignError> {
    if value > u64::from(u32::MAX) {
        return Err(SignError::Time { field, value });
    }
    Ok(Duration::from_secs(value))
}

/// Checks that a key may have that role.
///
/// # Errors
/// `KeyKind`.
pub(crate) fn check_kind(role: &'static str, key: &PublicKey, wanted: &[KeyKind]) -> Result<(), SignError> {
    if wanted.contains(&key.kind()) {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|kind| kind.name()).collect();
    Err(SignError::KeyKind { role, key: key.to_string(), actual: key.kind(), expected: names.join(" or ") })
}
