//! `provider.auction`, `provider.start`, `provider.stop`.

use lattice_control_interface::{
    ProviderAuctionAck, ProviderAuctionRequest, StartProviderCommand, StopProviderCommand,
    events::{Legacy, ProviderStopped},
};
use lattice_core::ImageRef;
use tokio::time::Instant;

use super::{
    Ctl,
    reply::{Answer, Outcome, not_kept, read, said},
};
use crate::providers::{NotRunning, ProviderSpec, StartRefused};

impl Ctl {
    /// Silent unless this host could run the provider and does not yet.
    pub(super) fn provider_auction(&self, body: &[u8]) -> Outcome<ProviderAuctionAck> {
        let request: ProviderAuctionRequest = read("provider auction", body)?;
        if self.builtins.table.runs(&request.provider_id)
            || !self.about.labels().satisfy(&request.constraints)
        {
            return Ok(Answer::Silence);
        }
        Ok(Answer::Data(ProviderAuctionAck {
            provider_ref: request.provider_ref,
            provider_id: request.provider_id,
            host_id: self.about.id.clone(),
            constraints: request.constraints,
        }))
    }

    /// Acknowledged when it is on record here; the outcome is told by event.
    pub(super) async fn provider_start(&self, body: &[u8]) -> Outcome {
        let command: StartProviderCommand = read("provider start", body)?;
        self.is_for_us(&command.host_id)?;
        if self.actors.view(command.provider_id.as_str()).is_some() {
            return Err(format!(
                "{} is the id of an actor on this host; give the provider another",
                command.provider_id
            ));
        }
        let image: ImageRef = command.provider_ref.parse().map_err(|error| format!("{error}"))?;
        if matches!(image, ImageRef::File(_)) && !self.allow_files {
            return Err(format!(
                "this host starts no files at the request of others: {} is one; push it to a registry, or start the host \
                 with --allow-file-load",
                command.provider_ref
            ));
        }
        let spec = ProviderSpec {
            id: command.provider_id,
            image,
            image_text: command.provider_ref,
            config: command.config,
            annotations: command.annotations.unwrap_or_default(),
        };
        match self.builtins.start(spec.clone()) {
            Ok(()) => {
                self.record.provider(&spec).await.map_err(not_kept)?;
                said("successfully started provider")
            }
            Err(StartRefused::AlreadyRunning) => Err("provider with that ID is already running".to_owned()),
            Err(StartRefused::Stopping) => Err("the host is stopping; start it on another one".to_owned()),
        }
    }

    /// Answered when nothing of the provider is left.
    pub(super) async fn provider_stop(&self, body: &[u8]) -> Outcome {
        let command: StopProviderCommand = read("provider stop", body)?;
        self.is_for_us(&command.host_id)?;
        let id = command.provider_id;
        let stopped = self.builtins.table.stop(&id, Instant::now() + self.builtins.drain).await;
        self.record.no_provider(&id).await.map_err(not_kept)?;
        match stopped {
            Ok(spec) => {
                self.events.publish(&ProviderStopped {
                    host_id: self.about.id.clone(),
                    provider_id: id.clone(),
                    annotations: spec.annotations,
                    reason: "stop".to_owned(),
                    legacy: Legacy::of(&id),
                });
                said("successfully stopped provider")
            }
            Err(NotRunning) => Err("provider with that ID is not running".to_owned()),
        }
    }
}
