//! Credentials of a provider process: a token that its host signs with a scoped key.

use lattice_core::ProviderId;

use super::{CredsFile, UserGrant, UserToken};
use crate::{
    error::SignError,
    keys::{KeyKind, KeyPair, PublicKey},
};

/// How long a provider's token counts, in seconds. It cannot be taken back by the host, which does not sign accounts: so it is
/// short, and renewed at half of it.
pub const PROVIDER_TOKEN_SECONDS: u64 = 3600;

/// Credentials for the provider `id`, with a new key, from `now` on for an hour. `signing` is a scoped key of `account` for
/// providers of one lattice: what the provider may do stands in the account's token, with its id filled in by the server.
///
/// # Errors
/// A key is of another kind.
pub fn provider_credentials(
    signing: &KeyPair,
    account: &PublicKey,
    id: &ProviderId,
    now: u64,
) -> Result<CredsFile, SignError> {
    let key = KeyPair::generate(KeyKind::User);
    let token = UserToken {
        name: id.to_string(),
        user: key.public_key().clone(),
        account: Some(account.clone()),
        grant: UserGrant::Scoped,
        issued: now,
        expires: Some(now + PROVIDER_TOKEN_SECONDS),
    };
    Ok(CredsFile { token: token.sign(signing)?, key })
}
