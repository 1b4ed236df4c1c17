//! Events: `CloudEvents` 1.0 in structured JSON on `wasmbus.evt.{lattice}.{name}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The events of the lattice. They are v1's, with v1's data, where they are not called ours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName { $($(#[$doc])* $variant,)* }

        impl EventName {
            /// Every event.
            pub const ALL: &[EventName] = &[$(EventName::$variant,)*];

            /// The last token of the subject.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(EventName::$variant => $text,)* }
            }
        }
    };
}

names! {
    /// A host answers its control subjects.
    HostStarted = "host_started",
    /// A host's inventory, every 30 s.
    HostHeartbeat = "host_heartbeat",
    /// A host has stopped on request.
    HostStopped = "host_stopped",
    /// Ours: a host was silent, and did not answer when it was asked.
    HostLost = "host_lost",
    /// Ours: a host that was lost is heard again.
    HostBack = "host_back",
    /// Ours: a host's own state changed: it lost the lattice, or met hosts of 1.x, or that is over.
    HostState = "host_state",
    /// Labels of a host changed.
    LabelsChanged = "labels_changed",
    /// An actor was started, stopped or given another concurrency.
    ComponentScaled = "component_scaled",
    /// An actor could not be started.
    ComponentScaleFailed = "component_scale_failed",
    /// A provider runs.
    ProviderStarted = "provider_started",
    /// A provider could not be started.
    ProviderStartFailed = "provider_start_failed",
    /// A provider has stopped on request.
    ProviderStopped = "provider_stopped",
    /// A provider that was not healthy is.
    HealthCheckPassed = "health_check_passed",
    /// A provider that was healthy is not.
    HealthCheckFailed = "health_check_failed",
    /// A provider's health has not changed.
    HealthCheckStatus = "health_check_status",
    /// A link was put.
    LinkdefSet = "linkdef_set",
    /// A link could not be put.
    LinkdefSetFailed = "linkdef_set_failed",
    /// A link was deleted.
    LinkdefDeleted = "linkdef_deleted",
    /// A configuration was put.
    ConfigSet = "config_set",
    /// A configuration was deleted.
    ConfigDeleted = "config_deleted",
    /// Ours: two hosts knew different versions of a fact, and one of them lost.
    FactOverridden = "fact_overridden",
    /// Ours: somebody changed something by a control request: who, what, and how it ended.
    ControlAudit = "control_audit",
    /// Ours: control requests were refused because of who sent them.
    ControlRefused = "control_refused",
    /// Ours: calls were refused for want of a right.
    CallRefused = "call_refused",
    /// Ours: an actor's state or its reason changed.
    ActorState = "actor_state",
    /// Ours: a provider's state or its reason changed.
    ProviderState = "provider_state",
    /// Ours: a link's state on this host, or its reason, changed.
    LinkState = "link_state",
}

/// The text names no event we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of an event")]
pub struct ParseEventNameError {
    /// The text.
    pub text: String,
}

impl FromStr for EventName {
    type Err = ParseEventNameError;
    fn from_str(text: &str) -> Result<Self, ParseEventNameError> {
        let found = EventName::ALL.iter().copied().find(|name| name.as_str() == text);
        found.ok_or_else(|| ParseEventNameError { text: text.to_owned() })
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event, as it is written. Unknown attributes are ignored; an unknown `type` is kept as text, so that tools can
/// show events of later versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Always `1.0`.
    pub specversion: String,
    /// A UUID.
    pub id: String,
    /// `com.wasmcloud.lattice.{name}`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The host that speaks.
    pub source: String,
    /// Always `application/json`.
    #[serde(default)]
    pub datacontenttype: String,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub time: String,
    /// As the event's name says.
    #[serde(default)]
    pub data: Value,
}

impl Event {
    /// Puts an event together; `id` is a UUID and `time` RFC 3339, both made by the caller.
    #[must_use]
    pub fn new(name: EventName, source: &crate::HostId, id: String, time: String, data: Value) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id,
            kind: format!("com.wasmcloud.lattice.{name}"),
            source: source.to_string(),
            datacontenttype: "application/json".to_owned(),
            time,
            data,
        }
    }

    /// The event's name, where it is one we know.
    #[must_use]
    pub fn name(&self) -> Option<EventName> {
        self.kind.strip_prefix("com.wasmcloud.lattice.")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_structured_cloud_event() {
        let host = crate::HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let data = serde_json::json!({"config_name": "web"});
        let event = Event::new(EventName::ConfigSet, &host, "id".into(), "2026-01-01T00:00:00Z".into(), data);
        insta::assert_json_snapshot!(event, @r#"
        {
          "specversion": "1.0",
          "id": "id",
          "type": "com.wasmcloud.lattice.config_set",
          "source": "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "datacontenttype": "application/json",
          "time": "2026-01-01T00:00:00Z",
          "data": {
            "config_name": "web"
          }
        }
        "#);
        assert_eq!(event.name(), Some(EventName::ConfigSet));
    }

    #[test]
    fn names_read_back() {
        for name in EventName::ALL {
            assert_eq!(name.as_str().parse(), Ok(*name));
        }
        assert!("host_exploded".parse::<EventName>().is_err());
    }
}
