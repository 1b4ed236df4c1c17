//! Telling the lattice how commands about actors went: the events that tools of wasmCloud 1.x wait for.

use lattice_claims::{ActorMetadata, Claims};
use lattice_control_interface::events::{ComponentScaleFailed, ComponentScaled, EventClaims};
use lattice_core::HostId;

use super::ActorSpec;
use crate::events::Events;

/// Tells in the name of a host.
pub(super) struct Teller {
    pub(super) host: HostId,
    pub(super) events: Events,
}

impl Teller {
    pub(super) fn scaled(&self, spec: &ActorSpec, claims: Option<&Claims<ActorMetadata>>) {
        self.events.publish(&ComponentScaled {
            public_key: claims.map(|claims| claims.subject.clone()),
            claims: claims.map(event_claims),
            annotations: spec.annotations.clone(),
            host_id: self.host.clone(),
            image_ref: spec.image_text.clone(),
            max_instances: spec.concurrency,
            component_id: spec.id.clone(),
        });
    }

    pub(super) fn failed(&self, spec: &ActorSpec, error: String) {
        self.events.publish(&ComponentScaleFailed {
            public_key: None,
            annotations: spec.annotations.clone(),
            host_id: self.host.clone(),
            image_ref: spec.image_text.clone(),
            component_id: spec.id.clone(),
            max_instances: spec.concurrency,
            error,
        });
    }
}

fn event_claims(claims: &Claims<ActorMetadata>) -> EventClaims {
    let human = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let metadata = claims.metadata.as_ref();
    EventClaims {
        call_alias: metadata.and_then(|m| m.call_alias.clone()),
        issuer: claims.issuer.clone(),
        tags: Some(metadata.and_then(|m| m.tags.clone()).unwrap_or_default()),
        name: metadata.and_then(|m| m.name.clone()),
        version: metadata.and_then(|m| m.version.clone()),
        revision: metadata.and_then(|m| m.revision),
        not_before_human: human(claims.not_before),
        expires_human: human(claims.expires),
    }
}
