//! Which targets this host takes calls for from callers that know no hosts: kept in step with what runs, and withdrawn
//! before it stops.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lattice_core::EntityId;
use lattice_nats::{Announced, Serving};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Door;
use crate::{actors::Actors, providers::Providers, signal::Changed};

/// An announcement that failed is tried again after so long, or with the next change.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Keeps the announcements of one host.
pub(crate) struct Announcements {
    pub(crate) serving: Arc<Serving>,
    pub(crate) actors: Actors,
    pub(crate) providers: Providers,
    pub(crate) door: Door,
    pub(crate) changed: Changed,
    /// True once nothing is announced and nothing will be again.
    pub(crate) withdrawn: watch::Sender<bool>,
}

impl Announcements {
    /// Keeps them until stopped; what is announced then is withdrawn.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut changed = self.changed.listen();
        let mut announced: BTreeMap<EntityId, Announced> = BTreeMap::new();
        loop {
            changed.borrow_and_update();
            let failed = self.converge(&mut announced).await;
            if self.door.is_closed() {
                self.withdrawn.send_replace(true);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                heard = changed.changed() => if heard.is_err() { return },
                () = tokio::time::sleep(RETRY_AFTER), if failed => {}
            }
        }
    }

    /// Goes from what is announced to what should be; true if something could not be announced.
    async fn converge(&self, announced: &mut BTreeMap<EntityId, Announced>) -> bool {
        let wanted = match self.door.is_closed() {
            true => BTreeSet::new(),
            false => self.targets(),
        };
        announced.retain(|target, _| wanted.contains(target));
        let mut failed = false;
        for target in wanted {
            if announced.contains_key(&target) {
                continue;
            }
            match self.serving.announce(&target).await {
                Ok(one) => drop(announced.insert(target, one)),
                Err(error) => {
                    warn!(%target, %error, "callers that know no hosts do not reach it here; it is tried again");
                    failed = true;
                }
            }
        }
        failed
    }

    /// What can be called here: actors that run and are not being stopped, providers that actors call.
    fn targets(&self) -> BTreeSet<EntityId> {
        let actors = self.actors.callable().into_iter().map(EntityId::from);
        let providers = self.providers.callable().into_iter().map(EntityId::from);
        actors.chain(providers).collect()
    }
}
