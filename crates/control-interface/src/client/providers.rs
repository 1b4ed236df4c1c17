//! Starting and stopping providers.

use std::time::Duration;

use lattice_core::{CtlVerb, EventName, HostId, ProviderId};
use lattice_nats::EventStream;

use super::{Client, Collect, actors::no_outcome};
use crate::{
    ControlError, ProviderAuctionAck, ProviderAuctionRequest, StartProviderCommand, StopProviderCommand,
    events::{EventData, ProviderStartFailed, ProviderStarted},
};

/// The outcome of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What the host said when it took the request on.
    pub note: String,
    /// What then was.
    pub event: ProviderStarted,
}

impl Client {
    /// Asks `host` to start a provider; what it said when it took that on. The outcome comes as an event.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`], [`ControlError::Refused`].
    pub async fn start_provider(
        &self,
        host: &HostId,
        command: &StartProviderCommand,
    ) -> Result<String, ControlError> {
        let mut command = command.clone();
        command.host_id = host.to_string();
        self.order(CtlVerb::ProviderStart(host.clone()), Some(host), Some(&command)).await
    }

    /// As [`Client::start_provider`], and waits at most `deadline` for the outcome.
    ///
    /// # Errors
    /// [`ControlError::Refused`] with the reason if it failed, [`ControlError::NoOutcome`] if nothing came.
    pub async fn start_provider_and_wait(
        &self,
        host: &HostId,
        command: &StartProviderCommand,
        deadline: Duration,
    ) -> Result<Started, ControlError> {
        let names = [EventName::ProviderStarted, EventName::ProviderStartFailed];
        let mut events = EventStream::subscribe(self.connection(), self.lattice(), &names).await?;
        let note = self.start_provider(host, command).await?;
        let outcome = events.wait_for(deadline, |event| {
            let done = ProviderStarted::read(event).map(Ok);
            let done = done.or_else(|| ProviderStartFailed::read(event).map(Err))?;
            let (at, id) = match &done {
                Ok(started) => (&started.host_id, &started.provider_id),
                Err(failed) => (&failed.host_id, &failed.provider_id),
            };
            (at == host && *id == command.provider_id).then_some(done)
        });
        match outcome.await {
            Ok(Ok(event)) => Ok(Started { note, event }),
            Ok(Err(failed)) => Err(ControlError::Refused { message: failed.error }),
            Err(error) => Err(no_outcome(&error, &command.provider_id, host)),
        }
    }

    /// Stops a provider on `host`; when this returns it has stopped.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it does not run there.
    pub async fn stop_provider(&self, host: &HostId, id: &ProviderId) -> Result<String, ControlError> {
        let body = StopProviderCommand { provider_id: id.clone(), host_id: host.to_string() };
        self.order(CtlVerb::ProviderStop(host.clone()), Some(host), Some(&body)).await
    }

    /// The hosts that could run a provider.
    ///
    /// # Errors
    /// [`ControlError::Connection`] without NATS.
    pub async fn auction_provider(
        &self,
        request: &ProviderAuctionRequest,
        collect: Collect,
    ) -> Result<Vec<ProviderAuctionAck>, ControlError> {
        self.collect(CtlVerb::ProviderAuction, Some(request), collect).await
    }
}
