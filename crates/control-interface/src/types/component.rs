//! Actors, which v1 calls components.

use std::collections::BTreeMap;

use lattice_core::{ActorId, ConfigName, HostId, SecretName, State};
use serde::{Deserialize, Serialize};

use super::{Annotations, state_of};

/// Key in `component_limits`: memory of one instance in bytes, a decimal integer.
pub const LIMIT_MEMORY_BYTES: &str = "max_memory_limit";
/// Ours: key in `component_limits`: processor time of one call in milliseconds, a decimal integer.
pub const LIMIT_CPU_TIME_MS: &str = "max_cpu_time_ms";
/// Key in `component_limits`: wall time of one call in seconds, a decimal integer.
pub const LIMIT_EXECUTION_TIME_S: &str = "max_execution_time";

/// An actor on a host. Everything but `id` has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentDescription {
    /// The actor's id.
    pub id: ActorId,
    /// The image it was started from, as requested.
    #[serde(default)]
    pub image_ref: String,
    /// The name in its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Free texts of whoever started it; v1 hosts always write them.
    #[serde(default)]
    pub annotations: Annotations,
    /// The revision in its claims; 0 without.
    #[serde(default)]
    pub revision: i32,
    /// How many calls it serves at once: our concurrency.
    #[serde(default)]
    pub max_instances: u32,
    /// Limits as requested; `null` without. See [`LIMIT_MEMORY_BYTES`] and [`LIMIT_EXECUTION_TIME_S`].
    #[serde(default)]
    pub limits: Option<BTreeMap<String, String>>,
    /// Ours: `sha256:` and the hash of the image's bytes, where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Ours: the word of its state; see [`ComponentDescription::state`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Ours: why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ours: whether it carries claims that were verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    /// Ours: the account key that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Ours: how many calls one instance serves, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<u32>,
    /// Ours: how many calls may wait, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_queued: Option<u32>,
    /// Ours: its configurations by name; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<ConfigName>>,
    /// Ours: the secrets that it may read, by name; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SecretName>>,
    /// Ours: calls being served now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Ours: calls that wait for one of these to finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
}

impl ComponentDescription {
    /// The state; none from a v1 host, or when a later version has a word that we do not know.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        state_of(self.state.as_deref(), self.reason.as_deref())
    }

    /// Sets word and reason.
    pub fn set_state(&mut self, state: &State) {
        self.state = Some(state.word().to_owned());
        self.reason = state.reason().map(str::to_owned);
    }
}

/// Body of `component.scale.{host}`: start, resize, or with `count` 0 stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleComponentCommand {
    /// The image; may be empty only where the actor already runs.
    #[serde(default)]
    pub component_ref: String,
    /// The actor's id.
    pub component_id: ActorId,
    /// How many calls it shall serve at once (our concurrency, not a number of replicas); 0 stops it.
    #[serde(default)]
    pub count: u32,
    /// Free texts to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Limits; values that are no decimal integers are ignored, as v1 does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_limits: Option<BTreeMap<String, String>>,
    /// Empty, or the host's id again.
    #[serde(default)]
    pub host_id: String,
    /// Configurations, merged left to right.
    #[serde(default)]
    pub config: Vec<ConfigName>,
    /// Ours: secrets that it may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
    /// Whether an actor that runs from another image may be replaced.
    #[serde(default)]
    pub allow_update: bool,
    /// Ours: how many calls one instance may serve, one after the other; none means a fresh instance each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<u32>,
    /// Ours: how many calls may wait while it serves as many as it may; none leaves it to the host, 0 lets none wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_queued: Option<u32>,
}

impl ScaleComponentCommand {
    /// A start of `image` as `id`, serving `count` calls at once, with nothing else asked for.
    #[must_use]
    pub fn new(id: ActorId, image: impl Into<String>, count: u32) -> Self {
        Self {
            component_ref: image.into(),
            component_id: id,
            count,
            annotations: None,
            component_limits: None,
            host_id: String::new(),
            config: Vec::new(),
            secrets: Vec::new(),
            allow_update: false,
            reuse: None,
            max_queued: None,
        }
    }
}

/// Body of `component.update.{host}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateComponentCommand {
    /// The actor's id.
    pub component_id: ActorId,
    /// The image to run instead.
    pub new_component_ref: String,
    /// Empty, or the host's id again.
    #[serde(default)]
    pub host_id: String,
    /// Free texts to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// Body of `component.auction`. Hosts that cannot run the actor stay silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentAuctionRequest {
    /// The image.
    #[serde(default)]
    pub component_ref: String,
    /// The actor's id, as text: v1 tools put other things here too, so it is compared and never more.
    pub component_id: String,
    /// Labels that the host must have.
    pub constraints: BTreeMap<String, String>,
}

/// A host's bid in an auction of an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentAuctionAck {
    /// The image asked for.
    #[serde(default)]
    pub component_ref: String,
    /// The id asked for; hosts of version 1.9 write the image here.
    #[serde(default)]
    pub component_id: String,
    /// Who bids.
    pub host_id: HostId,
    /// The labels asked for.
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}
