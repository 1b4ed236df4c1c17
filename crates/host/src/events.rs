//! What the host tells the lattice of what happens on it.

use std::{sync::Arc, time::Duration};

use lattice_control_interface::events::EventData;
use lattice_nats::EventPublisher;
use tracing::warn;

/// Publishes this host's events; cheap to clone.
#[derive(Clone)]
pub(crate) struct Events(pub(crate) Arc<EventPublisher>);

impl Events {
    /// Publishes one event, and never waits. Events are hints: one that cannot be sent is logged and gone.
    pub(crate) fn publish<D: EventData>(&self, data: &D) {
        match data.to_data() {
            Ok(value) => self.0.publish(D::NAME, value),
            Err(error) => warn!(event = %D::NAME, %error, "event cannot be written"),
        }
    }

    /// The same, but waits until there is room for it.
    pub(crate) async fn publish_when_there_is_room<D: EventData>(&self, data: &D) {
        match data.to_data() {
            Ok(value) => self.0.publish_when_there_is_room(D::NAME, value).await,
            Err(error) => warn!(event = %D::NAME, %error, "event cannot be written"),
        }
    }

    /// Sends what waits, at most for `patience`, and stops.
    pub(crate) async fn close(&self, patience: Duration) {
        self.0.close(patience).await;
    }
}
