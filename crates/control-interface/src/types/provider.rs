//! Providers.

use std::collections::BTreeMap;

use lattice_core::{ConfigName, HostId, ProviderId, State};
use serde::{Deserialize, Serialize};

use super::{Annotations, state_of};

/// A provider on a host. Everything but `id` has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderDescription {
    /// The provider's id.
    pub id: ProviderId,
    /// The image it was started from; `file://`, `oci://`, `builtin://` and the like are taken off, as v1 does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_ref: Option<String>,
    /// The name in its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The revision in its claims; 0 without.
    #[serde(default)]
    pub revision: i32,
    /// Free texts of whoever started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Ours: its configurations by name; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<ConfigName>>,
    /// Ours: the word of its state; see [`ProviderDescription::state`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Ours: why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ProviderDescription {
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

/// Body of `provider.start.{host}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartProviderCommand {
    /// The provider's id.
    pub provider_id: ProviderId,
    /// The image.
    #[serde(default)]
    pub provider_ref: String,
    /// Empty, or the host's id again.
    #[serde(default)]
    pub host_id: String,
    /// Configurations, merged left to right.
    #[serde(default)]
    pub config: Vec<ConfigName>,
    /// Free texts to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

impl StartProviderCommand {
    /// A start of `image` as `id`, with nothing else asked for.
    #[must_use]
    pub fn new(id: ProviderId, image: impl Into<String>) -> Self {
        Self {
            provider_id: id,
            provider_ref: image.into(),
            host_id: String::new(),
            config: Vec::new(),
            annotations: None,
        }
    }
}

/// Body of `provider.stop.{host}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopProviderCommand {
    /// The provider's id; older tools write `provider_ref`.
    #[serde(alias = "provider_ref")]
    pub provider_id: ProviderId,
    /// Empty, or the host's id again.
    #[serde(default)]
    pub host_id: String,
}

/// Body of `provider.auction`. Hosts that cannot run the provider stay silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAuctionRequest {
    /// The image.
    #[serde(default)]
    pub provider_ref: String,
    /// The provider's id, as text: v1's `wash` puts the link name here, so it is compared and never more.
    pub provider_id: String,
    /// Labels that the host must have.
    pub constraints: BTreeMap<String, String>,
}

/// A host's bid in an auction of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAuctionAck {
    /// The image asked for.
    #[serde(default)]
    pub provider_ref: String,
    /// The id asked for.
    #[serde(default)]
    pub provider_id: String,
    /// Who bids.
    pub host_id: HostId,
    /// The labels asked for.
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}
