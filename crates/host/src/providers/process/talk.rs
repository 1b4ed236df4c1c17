//! What is said to a process over NATS, and what it answers.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use lattice_core::{HostId, ProviderId, ProviderVerb};
use lattice_nats::{ProviderLine, RequestError};
use lattice_provider_sdk::wire::{HealthAnswer, LinkAnswer, LinkDefinition, Shutdown};
use serde::{Serialize, de::DeserializeOwned};

/// How long a process may take to say how it is.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take to take a link: a little more than the provider itself may.
const LINK_WITHIN: Duration = Duration::from_secs(9);
/// How long it may take to take anything else.
const TELL_WITHIN: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("its answer does not read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Silence {
    /// True if it is this host that is not connected, so that nothing is known of the process.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Silence::Request(RequestError::Disconnected { .. }))
    }
}

/// Speaks to the processes of one provider.
#[derive(Clone)]
pub(super) struct Talk {
    pub(super) line: ProviderLine,
    pub(super) id: ProviderId,
}

impl Talk {
    pub(super) async fn health(&self) -> Result<HealthAnswer, Silence> {
        let answer = self.line.ask(&self.id, ProviderVerb::Health, Bytes::new(), HEALTH_WITHIN).await?;
        read(&answer)
    }

    pub(super) async fn put(&self, link: &LinkDefinition) -> Result<LinkAnswer, Silence> {
        read(&self.tell(ProviderVerb::PutLink, link, LINK_WITHIN).await?)
    }

    pub(super) async fn delete(&self, link: &LinkDefinition) -> Result<LinkAnswer, Silence> {
        read(&self.tell(ProviderVerb::DeleteLink, link, LINK_WITHIN).await?)
    }

    pub(super) async fn update_config(&self, config: &BTreeMap<String, String>) -> Result<(), Silence> {
        self.tell(ProviderVerb::UpdateConfig, config, TELL_WITHIN).await.map(drop)
    }

    /// Gives it sealed credentials; the number of those that it has then.
    pub(super) async fn renew(&self, sealed: Vec<u8>) -> Result<u64, Silence> {
        let verb = ProviderVerb::RenewCredentials;
        read(&self.line.ask(&self.id, verb, sealed.into(), TELL_WITHIN).await?)
    }

    /// Tells it to end, and waits until it says that it does.
    pub(super) async fn shutdown(&self, host: &HostId, within: Duration) -> Result<(), Silence> {
        let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let order = Shutdown { host_id: host.to_string(), within_ms: Some(ms) };
        self.tell(ProviderVerb::Shutdown, &order, within + TELL_WITHIN).await.map(drop)
    }

    async fn tell(
        &self,
        verb: ProviderVerb,
        what: &impl Serialize,
        within: Duration,
    ) -> Result<Bytes, Silence> {
        let payload = serde_json::to_vec(what)?;
        Ok(self.line.ask(&self.id, verb, payload.into(), within).await?)
    }
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Silence> {
    Ok(serde_json::from_slice(answer)?)
}
