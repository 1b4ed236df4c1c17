//! From subject to command.

use std::sync::Arc;

use bytes::Bytes;
use lattice_core::CtlVerb;
use lattice_nats::ControlRequest;

use super::{
    call::Calls,
    guard::{Admitted, Guard},
    reply::{Outcome, write},
};
use crate::{
    about::About,
    actors::{Actors, Crew},
    events::Events,
    inventory::Inventory,
    lattice::Lattice,
    memory::Record,
    providers::Builtins,
    roles::Roles,
    secrets::Secrets,
    shutdown::StopRequest,
    trust::Trusting,
};

/// Everything commands act on.
pub(crate) struct Ctl {
    pub(crate) about: Arc<About>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) roles: Roles,
    pub(crate) trust: Trusting,
    pub(crate) secrets: Secrets,
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

/// Takes one request from its arrival to its answer: whether it may be carried out is asked here, once, for all of them. `None`
/// where the protocol wants silence.
pub(super) async fn serve(ctl: &Ctl, calls: &Calls, request: &ControlRequest) -> Option<Bytes> {
    let admitted = match ctl.guard.admit(request) {
        Ok(admitted) => admitted,
        Err(refusal) => return Some(refusal.answer()),
    };
    let verb = &request.subject.verb;
    let answer = match verb {
        CtlVerb::ComponentCall(_) => Some(calls.answer(&request.payload).await),
        verb => ctl.answer(verb, &request.payload, &admitted).await,
    };
    ctl.guard.audit(admitted, verb, answer.as_ref());
    answer
}

impl Ctl {
    /// Carries out one command that may be.
    async fn answer(&self, verb: &CtlVerb, body: &[u8], asked: &Admitted) -> Option<Bytes> {
        match verb {
            CtlVerb::HostPing => write(self.host_ping()),
            CtlVerb::HostGet(_) => write(self.host_get()),
            CtlVerb::HostStop(_) => write(self.host_stop(body)),
            CtlVerb::HostForget => write(self.host_forget(body).await),
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
            CtlVerb::TrustPut => write(self.trust_put(body, asked).await),
            CtlVerb::TrustDel => write(self.trust_del(body, asked).await),
            CtlVerb::TrustGet => write(self.trust_get().await),
            CtlVerb::RolePut => write(self.role_put(body, asked).await),
            CtlVerb::RoleDel => write(self.role_del(body, asked).await),
            CtlVerb::RoleGet => write(self.role_get().await),
            CtlVerb::SecretPut => write(self.secret_put(body, asked).await),
            CtlVerb::SecretDel => write(self.secret_del(body).await),
            CtlVerb::SecretList => write(self.secret_list().await),
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
