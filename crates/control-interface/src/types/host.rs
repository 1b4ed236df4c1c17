//! Hosts and what runs on them.

use lattice_core::{AccountKey, ActorId, CurveKey, HostId, Labels, LatticeName, ProviderId, UserKey};
use serde::{Deserialize, Serialize};

use super::{ComponentDescription, LinkStatus, ProviderDescription};

/// A host, as it answers `host.ping`. Everything but `id` has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its public key.
    pub id: HostId,
    /// A name for people.
    #[serde(default)]
    pub friendly_name: String,
    /// Labels, the host's own (`hostcore.*`) among them.
    #[serde(default)]
    pub labels: Labels,
    /// The lattice it belongs to.
    #[serde(default)]
    pub lattice: LatticeName,
    /// How long it has been running, in seconds.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// The same for people, as `1h 2m 3s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_human: Option<String>,
    /// Version of the host program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The JetStream domain it keeps state in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub js_domain: Option<String>,
    /// `nats://host:port` that calls go over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_host: Option<String>,
    /// `nats://host:port` that control goes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctl_host: Option<String>,
    /// Ours: `ready`, `degraded` or `stopping`, see [`lattice_core::State`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Ours: why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ours: one line each about what an operator should know, as `unsigned actors are allowed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// Ours: how many other hosts of our kind it hears; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u32>,
    /// Ours: other hosts that this one takes to be lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostHost>,
    /// Ours: true if its NATS server asks nobody for credentials; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// Ours: the public key to which secrets are sealed for it; none from a host that takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xkey: Option<CurveKey>,
}

/// A host that was silent and did not answer, as another one tells it: what it last said of itself. Everything but `id` has
/// a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostHost {
    /// Its public key.
    pub id: HostId,
    /// A name for people.
    #[serde(default)]
    pub friendly_name: String,
    /// Labels, the host's own (`hostcore.*`) among them.
    #[serde(default)]
    pub labels: Labels,
    /// Version of the host program.
    #[serde(default)]
    pub version: String,
    /// The actors that ran there, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<ActorId>,
    /// The providers that ran there, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderId>,
}

/// What runs on a host: the answer to `host.get` and the data of a heartbeat. Everything but `host_id` has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInventory {
    /// The host's public key.
    pub host_id: HostId,
    /// A name for people.
    #[serde(default)]
    pub friendly_name: String,
    /// Labels, the host's own (`hostcore.*`) among them.
    #[serde(default)]
    pub labels: Labels,
    /// Version of the host program.
    #[serde(default)]
    pub version: String,
    /// How long it has been running, for people.
    #[serde(default)]
    pub uptime_human: String,
    /// How long it has been running, in seconds.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// Actors, v1's components.
    #[serde(default, alias = "actors")]
    pub components: Vec<ComponentDescription>,
    /// Providers.
    #[serde(default)]
    pub providers: Vec<ProviderDescription>,
    /// Ours: the links that concern this host, each with its state here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<LinkStatus>>,
    /// Ours: one line each about what an operator should know, as `unsigned actors are allowed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// Ours: the accounts whose signatures count because this host's own flags name them; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusts: Option<Vec<AccountKey>>,
    /// Ours: the keys that are admins because this host's own flags name them; none from a v1 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admins: Option<Vec<UserKey>>,
    /// Ours: whether requests that change something have to be signed; missing reads as false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed_control: bool,
    /// Ours: how many control requests were refused because of who sent them, since the host was started; missing reads as 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub control_refused: u64,
    /// Ours: the public key to which secrets are sealed for it; none from a host that takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xkey: Option<CurveKey>,
    /// Ours: how many calls of others were refused for want of a right, since the host was started; missing reads as 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls_refused: u64,
    /// Ours: how the engine was set up on this machine (pool, memory budget), for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Body of `host.stop.{host}`; an empty body reads as the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopHostCommand {
    /// Empty, or the host's id again.
    #[serde(default)]
    pub host_id: String,
    /// How long calls in flight may take to finish, in milliseconds; none leaves it to the host (10 s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

/// Body of our `host.forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetHostCommand {
    /// Who is to be forgotten.
    pub host_id: HostId,
}

/// Body of `label.put.{host}` and, without the value, `label.del.{host}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLabel {
    /// The label's key.
    pub key: String,
    /// Its value; missing reads as empty.
    #[serde(default)]
    pub value: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
