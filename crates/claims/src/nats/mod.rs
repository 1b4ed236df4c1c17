//! Tokens of a NATS server in operator mode: who may log in, and what they may do.
//!
//! An operator signs accounts, an account (or a signing key that it names) signs users. The server knows the operator and needs
//! nothing else; a user logs in with its token and proves that it has the key. Format: NATS JWT version 2, header
//! `{"typ": "JWT", "alg": "ed25519-nkey"}`.

mod account;
mod creds;
mod operator;
mod provider;
mod token;
mod user;

pub use account::{AccountToken, ScopedKey};
pub use creds::{CredsError, CredsFile};
pub use operator::OperatorToken;
pub use provider::{PROVIDER_TOKEN_SECONDS, ProviderSigner, SignerFileError, provider_credentials};
pub use token::{NatsTokenError, Times};
pub use user::{UserGrant, UserToken};
