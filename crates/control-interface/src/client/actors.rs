//! Starting, resizing, stopping and replacing actors.

use std::time::Duration;

use lattice_core::{CtlVerb, EventName, HostId};
use lattice_nats::{EventError, EventStream};

use super::{Client, Collect};
use crate::{
    ComponentAuctionAck, ComponentAuctionRequest, ControlError, ScaleComponentCommand,
    UpdateComponentCommand,
    events::{ComponentScaleFailed, ComponentScaled, EventData},
};

/// The outcome of a start, a change of size, or a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaled {
    /// What the host said when it took the request on; not empty is a warning.
    pub note: String,
    /// What then was.
    pub event: ComponentScaled,
}

impl Client {
    /// Asks `host` to start, resize, or with `count` 0 stop an actor; what it said when it took that on. Not empty is a
    /// warning. The outcome comes as an event.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`], [`ControlError::Refused`].
    pub async fn scale_component(
        &self,
        host: &HostId,
        command: &ScaleComponentCommand,
    ) -> Result<String, ControlError> {
        let mut command = command.clone();
        command.host_id = host.to_string();
        self.order(CtlVerb::ComponentScale(host.clone()), Some(host), Some(&command)).await
    }

    /// As [`Client::scale_component`], and waits at most `deadline` for the outcome.
    ///
    /// # Errors
    /// [`ControlError::Refused`] with the reason if it failed, [`ControlError::NoOutcome`] if nothing came.
    pub async fn scale_component_and_wait(
        &self,
        host: &HostId,
        command: &ScaleComponentCommand,
        deadline: Duration,
    ) -> Result<Scaled, ControlError> {
        let names = [EventName::ComponentScaled, EventName::ComponentScaleFailed];
        let mut events = EventStream::subscribe(self.connection(), self.lattice(), &names).await?;
        let note = self.scale_component(host, command).await?;
        let outcome = events.wait_for(deadline, |event| {
            let done = ComponentScaled::read(event).map(Ok);
            let done = done.or_else(|| ComponentScaleFailed::read(event).map(Err))?;
            let (at, id) = match &done {
                Ok(scaled) => (&scaled.host_id, &scaled.component_id),
                Err(failed) => (&failed.host_id, &failed.component_id),
            };
            (at == host && *id == command.component_id).then_some(done)
        });
        match outcome.await {
            Ok(Ok(event)) => Ok(Scaled { note, event }),
            Ok(Err(failed)) => Err(ControlError::Refused { message: failed.error }),
            Err(error) => Err(no_outcome(&error, &command.component_id, host)),
        }
    }

    /// Asks `host` to run another image of an actor; what it said when it took that on.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`], [`ControlError::Refused`].
    pub async fn update_component(
        &self,
        host: &HostId,
        command: &UpdateComponentCommand,
    ) -> Result<String, ControlError> {
        self.order(CtlVerb::ComponentUpdate(host.clone()), Some(host), Some(command)).await
    }

    /// The hosts that could run an actor.
    ///
    /// # Errors
    /// [`ControlError::Connection`] without NATS.
    pub async fn auction_component(
        &self,
        request: &ComponentAuctionRequest,
        collect: Collect,
    ) -> Result<Vec<ComponentAuctionAck>, ControlError> {
        self.collect(CtlVerb::ComponentAuction, Some(request), collect).await
    }
}

/// What it means that the event of `id` did not come.
pub(super) fn no_outcome(error: &EventError, id: &impl ToString, host: &HostId) -> ControlError {
    match error {
        EventError::Timeout { after } => {
            ControlError::NoOutcome { what: id.to_string(), host: host.clone(), after: *after }
        }
        other => ControlError::Connection(other.to_string()),
    }
}
