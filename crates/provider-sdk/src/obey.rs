//! What the host says, done.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lattice_contracts::{Callee, Provider, ProviderLink};
use lattice_core::{Contract, EntityId, LinkKey, ProviderVerb, Secret, SecretName, State};
use lattice_nats::Said;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use crate::{
    calls::RemoteActor,
    desk::LinkOrder,
    life::Life,
    links::Links,
    renewal::{Refused, Renewal},
    start::Me,
    wire::{HealthAnswer, LinkAnswer, LinkDefinition, PROTOCOL, ServedInterface},
};
use lattice_contracts::Report as _;

/// What a provider may take to say how a link fares at first.
const PUT_WITHIN: Duration = Duration::from_secs(8);

/// Who obeys.
pub(crate) struct Obedience<'a> {
    pub(crate) me: &'a Me,
    pub(crate) provider: &'a Arc<dyn Provider>,
    pub(crate) links: &'a Links,
    pub(crate) renewal: &'a Renewal,
    pub(crate) orders: mpsc::Sender<LinkOrder>,
    pub(crate) renewed: watch::Sender<u64>,
}

impl Obedience<'_> {
    /// Does what is said, except that links wait their turn.
    pub(crate) async fn obey(&self, said: Said) {
        let answer = match said.verb {
            ProviderVerb::Health => serde_json::to_vec(&self.health()).unwrap_or_default(),
            ProviderVerb::PutLink | ProviderVerb::DeleteLink => return self.queue(said),
            ProviderVerb::UpdateConfig => {
                match serde_json::from_slice::<BTreeMap<String, String>>(&said.payload) {
                    Ok(config) => {
                        self.provider.update_config(config);
                        b"{}".to_vec()
                    }
                    Err(error) => return warn!(%error, "a configuration does not read"),
                }
            }
            ProviderVerb::RenewCredentials => match self.renew(&said.payload) {
                Ok(()) | Err(Refused::Old { .. }) => self.renewal.number().to_string().into_bytes(),
                // Whoever sent it hears nothing.
                Err(_) => return,
            },
            ProviderVerb::Shutdown => return,
        };
        if let Err(error) = said.answer(answer).await {
            debug!(%error, "the host was not answered");
        }
    }

    fn queue(&self, said: Said) {
        let deletes = said.verb == ProviderVerb::DeleteLink;
        match serde_json::from_slice::<LinkDefinition>(&said.payload) {
            Ok(link) => match link.key() {
                Ok(key) => self.wait_its_turn(LinkOrder { key, link, deletes, said: Some(said) }),
                Err(error) => warn!(%error, "a link carries nothing"),
            },
            Err(error) => warn!(%error, "a link does not read"),
        }
    }

    fn wait_its_turn(&self, order: LinkOrder) {
        if self.orders.try_send(order).is_err() {
            // The host asks again until it is answered.
            warn!("a link has to wait: too many do already");
        }
    }

    /// Takes new credentials; anybody may have sent them.
    pub(crate) fn renew(&self, sealed: &[u8]) -> Result<(), Refused> {
        let taken = self.renewal.take(sealed);
        match &taken {
            Ok(()) => {
                debug!(number = self.renewal.number(), "new credentials");
                self.renewed.send_modify(|count| *count += 1);
            }
            Err(Refused::Old { .. }) => {}
            Err(why) => warn!(%why, "new credentials are not taken"),
        }
        taken
    }

    fn health(&self) -> HealthAnswer {
        let (links, more_links) = self.links.answers();
        let state = self.links.whole();
        HealthAnswer {
            healthy: state.serves(),
            message: state.reason().map(str::to_owned),
            protocol: Some(PROTOCOL),
            instance_id: self.me.instance.clone(),
            state: (&state).into(),
            serves: self.provider.serves().iter().map(ServedInterface::from).collect(),
            links,
            more_links,
            refusals: self.links.refusals(),
            credentials: self.renewal.number(),
        }
    }
}

impl Life {
    /// Gives the provider a link; how it fares then.
    pub(crate) async fn put(&self, key: &LinkKey, link: LinkDefinition) -> LinkAnswer {
        if !self.links.begin(key, link.generation, link.interfaces.clone()) {
            return self.links.answer(key);
        }
        let is_source = key.source == EntityId::from(self.me.id.clone());
        let other = if is_source { &key.target } else { &key.source };
        let callee = match is_source && key.contract == Contract::http() {
            true => Callee::Http(Arc::new(RemoteActor(self.calls.clone()))),
            false => Callee::None,
        };
        let sealed = if is_source { &link.source_secrets } else { &link.target_secrets };
        let secrets = match self.secrets(sealed.as_deref()) {
            Ok(secrets) => secrets,
            Err(why) => {
                self.links.link(key, State::Failed(why));
                return self.links.answer(key);
            }
        };
        let put = self.provider.put_link(ProviderLink {
            key: key.clone(),
            actor: other.clone().into(),
            interfaces: link.interfaces,
            config: if is_source { link.source_config } else { link.target_config },
            secrets,
            callee,
        });
        if tokio::time::timeout(PUT_WITHIN, put).await.is_err() {
            let reason = format!("the provider did not take the link within {PUT_WITHIN:?}; put it again");
            self.links.link(key, State::Failed(reason));
        }
        self.links.answer(key)
    }

    /// The secrets of a link, opened; or why there are none.
    fn secrets(&self, sealed: Option<&[u8]>) -> Result<BTreeMap<SecretName, Secret>, String> {
        let Some(sealed) = sealed else { return Ok(BTreeMap::new()) };
        let secrets = self
            .renewal
            .open_secrets(sealed)
            .map_err(|why| format!("the link's secrets do not open: {why}"))?;
        match secrets.is_empty() || self.provider.takes_secrets() {
            true => Ok(secrets),
            false => Err(format!("{} has no use for secrets; put the link without them", self.me.id)),
        }
    }

    /// Takes a link from the provider.
    pub(crate) async fn delete(&self, key: &LinkKey, generation: u64) -> LinkAnswer {
        if self.links.forget(key, generation)
            && tokio::time::timeout(PUT_WITHIN, self.provider.delete_link(key)).await.is_err()
        {
            warn!(%key, "the provider did not give up a link in time");
        }
        self.links.answer(key)
    }
}
