//! The control protocol of the lattice: its types and its client. What `wash`, tests and other people's tools use.
//!
//! The wire is wasmCloud 1.x's: JSON requests on `wasmbus.ctl.v1.{lattice}.…`, outcomes of what takes time as events.
//! Ours are optional fields, and calls by hand.

mod client;
mod error;
pub mod events;
mod types;

pub use client::{Client, Collect, Scaled, Started};
pub use error::ControlError;
pub use types::{
    Annotations, CallComponentCommand, CallComponentReply, CallFailed, ClaimsMap, ComponentAuctionAck,
    ComponentAuctionRequest, ComponentDescription, ConfigMap, CtlResponse, DeleteLinkCommand,
    DeleteRoleCommand, DeleteSecretCommand, DeleteTrustCommand, ForgetHostCommand, Host, HostInventory,
    HostLabel, HttpAnswer, HttpCall, LIMIT_CPU_TIME_MS, LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES,
    LinkStatus, LostHost, ProviderAuctionAck, ProviderAuctionRequest, ProviderDescription, PutRoleCommand,
    PutSecretCommand, PutTrustCommand, RoleChange, RoleEntry, STALE, ScaleComponentCommand, SecretChange,
    SecretEntry, StartProviderCommand, StopHostCommand, StopProviderCommand, TrustChange, TrustEntry,
    UpdateComponentCommand,
};
