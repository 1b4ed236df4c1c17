//! The JSON of the v1 control protocol, one file per noun.
//!
//! How unknown and missing fields read is the same everywhere: unknown fields are ignored, and a missing field reads as
//! the default that its description names; one without a default is required. Fields marked *ours* are left out
//! when empty, so what we write is what v1 tools expect.

mod call;
mod component;
mod envelope;
mod host;
mod link;
mod provider;
mod role;
mod secret;
mod trust;

use std::collections::BTreeMap;

use lattice_core::State;

pub use call::{CallComponentCommand, CallComponentReply, CallFailed, HttpAnswer, HttpCall};
pub use component::{
    ComponentAuctionAck, ComponentAuctionRequest, ComponentDescription, LIMIT_CPU_TIME_MS,
    LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES, ScaleComponentCommand, UpdateComponentCommand,
};
pub use envelope::{CtlResponse, STALE};
pub use host::{ForgetHostCommand, Host, HostInventory, HostLabel, LostHost, StopHostCommand};
pub use link::{DeleteLinkCommand, LinkStatus};
pub use provider::{
    ProviderAuctionAck, ProviderAuctionRequest, ProviderDescription, StartProviderCommand,
    StopProviderCommand,
};
pub use role::{DeleteRoleCommand, PutRoleCommand, RoleChange, RoleEntry};
pub use secret::{DeleteSecretCommand, PutSecretCommand, SecretChange, SecretEntry};
pub use trust::{DeleteTrustCommand, PutTrustCommand, TrustChange, TrustEntry};

/// Annotations of an actor or provider: free `key: value` texts of whoever started it.
pub type Annotations = BTreeMap<String, String>;

/// A named configuration.
pub type ConfigMap = BTreeMap<String, String>;

/// Claims of one actor or provider, as `claims.get` tells them. Actors: `call_alias`, `iss`, `issuer`, `name`, `rev`,
/// `revision`, `sub`, `subject`, `tags` (joined by commas), `version`; providers the same without `call_alias` and
/// `tags`, with `config_schema` where there is one.
pub type ClaimsMap = BTreeMap<String, String>;

/// The two optional fields that carry a [`State`] in a record of v1.
fn state_of(state: Option<&str>, reason: Option<&str>) -> Option<State> {
    State::from_parts(state?, reason)
}
