//! What the lattice's events carry: written by hosts, read by tools and tests.
//!
//! Image references, as v1 has them: events of actors carry the reference as requested, events of providers the parsed
//! one (`file://` becomes the path, other schemes vanish), `provider_start_failed` the one requested.

mod audit;

use lattice_core::{
    ActorId, ConfigName, EntityId, Event, EventName, HostId, Labels, Link, LinkName, ProviderId, State,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Annotations, HostInventory, LinkStatus};

pub use audit::{CallRefused, ControlAudit, ControlRefused};

/// The data of one kind of event.
pub trait EventData: Serialize + DeserializeOwned {
    /// The event that carries it.
    const NAME: EventName;

    /// Reads the data of `event`; none if it is another event, or its data is not what v1 or we write.
    #[must_use]
    fn read(event: &Event) -> Option<Self> {
        if event.name() == Some(Self::NAME) { Self::deserialize(&event.data).ok() } else { None }
    }

    /// The data as JSON.
    ///
    /// # Errors
    /// None of our types fails to be written; the error is serde's.
    fn to_data(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

macro_rules! carried_by {
    ($($name:ident: $data:ty),* $(,)?) => {
        $(impl EventData for $data { const NAME: EventName = EventName::$name; })*
    };
}

carried_by! {
    HostStarted: HostStarted,
    HostHeartbeat: HostInventory,
    HostStopped: HostStopped,
    HostLost: HostLost,
    HostBack: HostBack,
    HostState: HostStateChanged,
    LabelsChanged: LabelsChanged,
    ComponentScaled: ComponentScaled,
    ComponentScaleFailed: ComponentScaleFailed,
    ProviderStarted: ProviderStarted,
    ProviderStartFailed: ProviderStartFailed,
    ProviderStopped: ProviderStopped,
    LinkdefSet: Link,
    LinkdefSetFailed: LinkdefSetFailed,
    LinkdefDeleted: LinkdefDeleted,
    ConfigSet: ConfigSet,
    ConfigDeleted: ConfigDeleted,
    FactOverridden: FactOverridden,
    ControlAudit: ControlAudit,
    ControlRefused: ControlRefused,
    CallRefused: CallRefused,
    ActorState: ActorStateChanged,
    ProviderState: ProviderStateChanged,
    LinkState: LinkStateChanged,
}

/// Data of `host_started`: the host answers its control subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStarted {
    /// A name for people.
    pub friendly_name: String,
    /// The host's labels.
    #[serde(default)]
    pub labels: Labels,
    /// Always 0.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// Version of the host program.
    #[serde(default)]
    pub version: String,
}

/// Data of `host_stopped`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStopped {
    /// The host's labels.
    #[serde(default)]
    pub labels: Labels,
}

/// Data of our `host_lost`, with the evidence. The source of the event is the host that says so. Nothing is stopped or
/// started because of it: whoever is lost gets no calls, until it is heard again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLost {
    /// Who is lost.
    pub host_id: HostId,
    /// Its name for people; empty where it is not known.
    #[serde(default)]
    pub friendly_name: String,
    /// Which life of the host it was.
    #[serde(default)]
    pub epoch: u64,
    /// The number of the last beat of it that was heard.
    #[serde(default)]
    pub sequence: u64,
    /// How long it was silent, in milliseconds.
    #[serde(default)]
    pub silent_ms: u64,
    /// What it did when it was asked, for people.
    #[serde(default)]
    pub reason: String,
}

/// Data of our `host_back`: a host that was lost is heard again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostBack {
    /// Who is back.
    pub host_id: HostId,
    /// Its name for people; empty where it is not known.
    #[serde(default)]
    pub friendly_name: String,
    /// Which life of the host it is.
    #[serde(default)]
    pub epoch: u64,
    /// The number of the beat that was heard.
    #[serde(default)]
    pub sequence: u64,
}

/// Data of our `host_state`: a host's own state. An unknown state makes the data unreadable: a reader must not guess one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStateChanged {
    /// Whose state.
    pub host_id: HostId,
    /// What it is, and why.
    #[serde(flatten)]
    pub state: State,
}

/// Data of `labels_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsChanged {
    /// Whose labels.
    pub host_id: HostId,
    /// All of them, as they now are.
    #[serde(default)]
    pub labels: Labels,
}

/// Claims as events carry them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventClaims {
    /// The actor's alias; actors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// The account key that signed.
    #[serde(default)]
    pub issuer: String,
    /// Tags; providers write null.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// The name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The version for people.
    #[serde(default)]
    pub version: Option<String>,
    /// The revision; actors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// Unix seconds as text, or `never`.
    #[serde(default = "never")]
    pub not_before_human: String,
    /// Unix seconds as text, or `never`.
    #[serde(default = "never")]
    pub expires_human: String,
}

fn never() -> String {
    "never".to_owned()
}

/// Data of `component_scaled`: an actor was started, resized, or with `max_instances` 0 stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaled {
    /// The key in its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<EventClaims>,
    /// Free texts of whoever started it.
    #[serde(default)]
    pub annotations: Annotations,
    /// Where.
    pub host_id: HostId,
    /// The image, as requested.
    pub image_ref: String,
    /// How many calls it serves at once.
    pub max_instances: u32,
    /// The actor's id.
    pub component_id: ActorId,
}

/// Data of `component_scale_failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaleFailed {
    /// The key in its claims, where they could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Free texts of the request.
    #[serde(default)]
    pub annotations: Annotations,
    /// Where.
    pub host_id: HostId,
    /// The image, as requested.
    pub image_ref: String,
    /// The actor's id.
    pub component_id: ActorId,
    /// How many calls it was to serve at once.
    #[serde(default)]
    pub max_instances: u32,
    /// Why, and what mends it.
    #[serde(default)]
    pub error: String,
}

/// Data of `provider_started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStarted {
    /// Where.
    pub host_id: HostId,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// The image, parsed.
    pub image_ref: String,
    /// Free texts of whoever started it.
    #[serde(default)]
    pub annotations: Annotations,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<EventClaims>,
    /// The provider's id again, for tools of older versions.
    #[serde(flatten)]
    pub legacy: Legacy,
}

/// Data of `provider_start_failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStartFailed {
    /// Why, and what mends it.
    #[serde(default)]
    pub error: String,
    /// Where.
    pub host_id: HostId,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// The image, as requested.
    pub provider_ref: String,
    /// Always `default`; for tools of older versions.
    #[serde(default)]
    pub link_name: LinkName,
}

/// Data of `provider_stopped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStopped {
    /// Where.
    pub host_id: HostId,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// Free texts of whoever started it.
    #[serde(default)]
    pub annotations: Annotations,
    /// Why: `stop`.
    #[serde(default)]
    pub reason: String,
    /// The provider's id again, for tools of older versions.
    #[serde(flatten)]
    pub legacy: Legacy,
}

/// Fields that only tools of older versions read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legacy {
    /// The provider's id.
    #[serde(default)]
    pub instance_id: String,
    /// The provider's id.
    #[serde(default)]
    pub public_key: String,
    /// Always `default`.
    #[serde(default)]
    pub link_name: LinkName,
}

impl Legacy {
    /// The fields for the provider `id`.
    #[must_use]
    pub fn of(id: &ProviderId) -> Self {
        Self { instance_id: id.to_string(), public_key: id.to_string(), link_name: LinkName::default() }
    }
}

/// Data of `health_check_passed`, `health_check_failed` and `health_check_status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Where.
    pub host_id: HostId,
    /// The provider's id.
    pub provider_id: ProviderId,
}

/// Data of `linkdef_set_failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefSetFailed {
    /// The link that was to be put.
    #[serde(flatten)]
    pub link: Link,
    /// Why not.
    #[serde(default)]
    pub error: String,
}

/// Data of `linkdef_deleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefDeleted {
    /// Who called.
    pub source_id: EntityId,
    /// The link's name.
    #[serde(default)]
    pub name: LinkName,
    /// Namespace of the contract.
    pub wit_namespace: String,
    /// Package of the contract.
    pub wit_package: String,
    /// Who was called, if the link existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<EntityId>,
    /// What it granted, if the link existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<String>>,
}

/// Data of `config_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSet {
    /// The configuration's name.
    pub config_name: ConfigName,
}

/// Data of `config_deleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigDeleted {
    /// The configuration's name.
    pub config_name: ConfigName,
}

/// Data of our `fact_overridden`: when the lattice's bucket was lost or replaced, what hosts knew was put together again,
/// and of two versions of this fact the older one lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactOverridden {
    /// The fact's key in the bucket.
    pub key: String,
    /// The version that stays.
    pub kept: FactVersion,
    /// The version that is gone.
    pub lost: FactVersion,
}

/// One version of a fact, without its data: a configuration may hold what is not for everybody's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactVersion {
    /// Counts the changes of the fact.
    pub version: u64,
    /// The host that made the change.
    pub writer: String,
    /// When, RFC 3339; empty where it is not known.
    #[serde(default)]
    pub at: String,
    /// True if the change was a deletion.
    #[serde(default)]
    pub deleted: bool,
}

/// Data of our `actor_state`. An unknown state makes the data unreadable: a reader must not guess one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorStateChanged {
    /// Where.
    pub host_id: HostId,
    /// The actor's id.
    pub actor_id: ActorId,
    /// What it now does, and why.
    #[serde(flatten)]
    pub state: State,
}

/// Data of our `provider_state`. An unknown state makes the data unreadable: a reader must not guess one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStateChanged {
    /// Where.
    pub host_id: HostId,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// What it now does, and why.
    #[serde(flatten)]
    pub state: State,
}

/// Data of our `link_state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStateChanged {
    /// Where.
    pub host_id: HostId,
    /// The link and its state there.
    #[serde(flatten)]
    pub link: LinkStatus,
}
