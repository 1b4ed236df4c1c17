//! From subject to command.

use std::sync::Arc;

use bytes::Bytes;
use lattice_core::CtlVerb;

use super::reply::{Outcome, write};
use crate::{
    about::About,
    actors::{Actors, Crew},
    events::Events,
    inventory::Inventory,
    lattice::Lattice,
    memory::Record,
    providers::Builtins,
    shutdown::StopRequest,
};

/// Everything commands act on.
pub(crate) struct Ctl {
    pub(crate) about: Arc<About>,
    pub(crate) inventory: Inventory,
    pub(crate) actors: Actors,
    pub(crate) crew: Crew,
    pub(crate) builtins: Builtins,
    pub(crate) lattice: Lattice,
    /// What an operator starts here is there again after a restart.
    pub(crate) record: Record,
    pub(crate) events: Events,
    pub(crate) stop: StopRequest,
    /// Whether commands may name files of this machine.
    pub(crate) allow_files: bool,
}

impl Ctl {
    /// Carries out one command; `None` where the protocol wants silence.
    pub(crate) async fn answer(&self, verb: &CtlVerb, body: &[u8]) -> Option<Bytes> {
        match verb {
            CtlVerb::HostPing => write(self.host_ping()),
            CtlVerb::HostGet(_) => write(self.host_get()),
            CtlVerb::HostStop(_) => write(self.host_stop(body)),
            CtlVerb::ComponentAuction => write(self.actor_auction(body)),
            CtlVerb::ComponentScale(_) => write(self.actor_scale(body).await),
            CtlVerb::ComponentUpdate(_) => write(self.actor_update(body).await),
            CtlVerb::ProviderAuction => write(self.provider_auction(body)),
            CtlVerb::ProviderStart(_) => write(self.provider_start(body).await),
            CtlVerb::ProviderStop(_) => write(self.provider_stop(body).await),
            CtlVerb::LabelPut(_) => write(self.label_put(body)),
            CtlVerb::LabelDel(_) => write(self.label_del(body)),
            CtlVerb::LinkPut => write(self.link_put(body).await),
            CtlVerb::LinkDel => write(self.link_del(body).await),
            CtlVerb::LinkGet => write(self.link_get().await),
            CtlVerb::ClaimsGet => write(self.claims_get().await),
            CtlVerb::ConfigPut(name) => write(self.config_put(name, body).await),
            CtlVerb::ConfigGet(name) => write(self.config_get(name).await),
            CtlVerb::ConfigDel(name) => write(self.config_del(name).await),
            CtlVerb::TrustPut => write(self.trust_put(body).await),
            CtlVerb::TrustDel => write(self.trust_del(body).await),
            CtlVerb::TrustGet => write(self.trust_get().await),
            CtlVerb::RegistryPut => write(refuse(
                "registry.put is not served by this version: give credentials by --oci-user or a docker config file",
            )),
            other => write(refuse(&format!("{other:?} is not served by this version"))),
        }
    }
}

fn refuse(why: &str) -> Outcome {
    Err(why.to_owned())
}
