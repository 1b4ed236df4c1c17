//! What is said to a process over NATS, and what it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use lattice_core::{HostId, ProviderId, ProviderVerb};
use lattice_nats::{ProviderLine, RequestError};
use lattice_provider_sdk::wire::{
    ANSWER_BYTES_MAX, HealthAnswer, LinkAnswer, LinkDefinition, Over, Shutdown,
};
use serde::{Serialize, de::DeserializeOwned};
use tracing::warn;

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
    #[error("its answer has {0} bytes, and at most {ANSWER_BYTES_MAX} are read")]
    TooLong(usize),
    #[error("its answer speaks of no link")]
    NoLink,
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
    /// What processes of this provider said too much of.
    pub(super) excess: Excess,
}

/// Says in the log that an answer was cut: of each kind once, since a process that does it does it each second.
#[derive(Clone, Default)]
pub(super) struct Excess(Arc<Mutex<BTreeSet<Over>>>);

impl Excess {
    fn tell(&self, provider: &ProviderId, over: BTreeSet<Over>) {
        for over in self.new_of(over) {
            warn!(%provider, %over, "a provider's process answers more than its host reads");
        }
    }

    fn new_of(&self, over: BTreeSet<Over>) -> Vec<Over> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        over.into_iter().filter(|over| told.insert(*over)).collect()
    }
}

impl Talk {
    pub(super) async fn health(&self) -> Result<HealthAnswer, Silence> {
        let answer = self.line.ask(&self.id, ProviderVerb::Health, Bytes::new(), HEALTH_WITHIN).await?;
        let (answer, over) = read::<HealthAnswer>(&answer)?.bounded();
        self.excess.tell(&self.id, over);
        Ok(answer)
    }

    pub(super) async fn put(&self, link: &LinkDefinition) -> Result<LinkAnswer, Silence> {
        self.tell_link(ProviderVerb::PutLink, link).await
    }

    pub(super) async fn delete(&self, link: &LinkDefinition) -> Result<LinkAnswer, Silence> {
        self.tell_link(ProviderVerb::DeleteLink, link).await
    }

    async fn tell_link(&self, verb: ProviderVerb, link: &LinkDefinition) -> Result<LinkAnswer, Silence> {
        let (answer, over) = read::<LinkAnswer>(&self.tell(verb, link, LINK_WITHIN).await?)?.bounded();
        self.excess.tell(&self.id, over);
        answer.ok_or(Silence::NoLink)
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
    match answer.len() {
        long if long > ANSWER_BYTES_MAX => Err(Silence::TooLong(long)),
        _ => Ok(serde_json::from_slice(answer)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_long_is_not_read() {
        let long = [b"1".as_slice(), &vec![b' '; ANSWER_BYTES_MAX]].concat();
        assert!(matches!(read::<u64>(&long), Err(Silence::TooLong(bytes)) if bytes == ANSWER_BYTES_MAX + 1));
        assert!(matches!(read::<u64>(&long[1..]), Err(Silence::Unreadable(_))));
        assert!(matches!(read::<u64>(&long[..ANSWER_BYTES_MAX]), Ok(1)));
    }

    #[test]
    fn what_is_too_much_is_said_once() {
        let excess = Excess::default();
        assert_eq!(excess.new_of([Over::Text].into()), [Over::Text]);
        assert_eq!(excess.clone().new_of([Over::Text, Over::Links].into()), [Over::Links]);
        assert_eq!(excess.new_of(BTreeSet::new()), []);
    }
}
