//! Keys, claims and signatures: who an actor or provider is, who vouches for it, and whether its bytes are what was signed.
//!
//! The formats are wascap's: an nkey names everybody, a JWT signed by an account key carries the claims, an actor holds its
//! token in a wasm custom section and a provider in its archive. [`nats`] has the tokens of NATS servers. Everything here works
//! on bytes and on a clock that the caller passes (`now`, unix seconds): no files, no network, no system time.

mod actor;
mod archive;
mod command;
mod entities;
mod error;
mod jwt;
mod keys;
pub mod nats;
mod secret;
mod section;
mod signing;
mod token;
mod trust;
mod xkey;

pub use actor::{HashCheck, SignActor, VerifiedActor, inspect_actor, sign_actor, verify_actor};
pub use archive::{
    ArchiveError, ArchiveLimits, Compress, ProviderContents, SignProvider, VerifiedProvider, create_provider,
    inspect_provider, verify_provider,
};
pub use command::{
    COMMAND_AHEAD_MS, COMMAND_BYTES_MAX, COMMAND_HEADER, COMMAND_LIFE_MS, CommandError, CommandRequest,
    SEEN_MAX, Seen, SignedCommand, sign_command, verify_command, verify_order,
};
pub use entities::{
    AccountMetadata, ActorMetadata, ClusterMetadata, HostMetadata, Metadata, OperatorMetadata,
    ProviderMetadata, normalize_call_alias,
};
pub use error::{SignError, VerifyError, utc_text};
pub use jwt::{
    Claims, NBF_SLACK_SECONDS, REVISION, TOKEN_BYTES_MAX, decode_unverified, sign_token, verify_token,
};
pub use keys::{KeyError, KeyKind, KeyPair, PublicKey, SeedText};
pub use secret::{OpenedSecret, SecretError, check_secret, curve_key, open_secret, seal_secret};
pub use section::{
    DEPTH_MAX, SECTION, SECTION_2021, SectionError, WASM_BYTES_MAX, canonical_hash, embed_token,
    extract_token, strip_claims,
};
pub use token::{AnyClaims, DecodedToken, decode_token};
pub use trust::{Trust, Verdict, Word};
pub use xkey::{SEALED_BYTES_MAX, SEALED_BYTES_OVER, SealError, open, seal};
