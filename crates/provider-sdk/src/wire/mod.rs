//! What a host and its provider processes write to each other, both ways: JSON, in the fields of wasmCloud 1.x and a few of ours.
//!
//! Each type says how missing fields read; unknown ones are ignored, so that two versions meet.

mod answer;
mod bounds;
mod command;
mod host_data;
mod link;
mod refusal;
mod secret;

pub use answer::{HealthAnswer, LinkAnswer, ServedInterface};
pub use bounds::{ANSWER_BYTES_MAX, LINKS_TOLD_MAX, Over, REFUSALS_MAX, SERVES_MAX, TEXT_CHARS_MAX};
pub use command::{Credentials, Shutdown};
pub use host_data::{HOST_DATA_BYTES_MAX, HostData, HostDataError};
pub use link::LinkDefinition;
pub use refusal::RefusalAnswer;
pub use secret::SecretValue;

/// The version of calls and of these messages that this program speaks. wasmCloud 1.x speaks none of them, and says nothing.
pub const PROTOCOL: u32 = 1;
