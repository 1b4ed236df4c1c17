//! How providers are made: those that are part of the host here, the others as processes.

use std::{sync::Arc, time::Duration};

use lattice_contracts::{InvocationIds, Provider, ProviderContext, Serves};
use lattice_core::{Builtin, Direction, ImageRef};
use lattice_nats::Connection;
use lattice_provider_http_client::HttpClient;
use lattice_provider_http_server::HttpServer;
use lattice_provider_keyvalue_nats::KeyvalueNats;

use super::{Processes, ProviderView, Providers};
use crate::{
    about::About, actors::Callees, calls::RefusedCalls, events::Events, lattice::Lattice, secrets::Secrets,
    supervisor::Tasks,
};

/// Starts providers, in this process and as their own; cheap to clone.
#[derive(Clone)]
pub(crate) struct Builtins {
    pub(crate) table: Providers,
    pub(crate) about: Arc<About>,
    pub(crate) tasks: Tasks,
    pub(crate) ids: Arc<InvocationIds>,
    pub(crate) events: Events,
    pub(crate) lattice: Lattice,
    pub(crate) secrets: Secrets,
    pub(crate) callees: Callees,
    pub(crate) connection: Connection,
    pub(crate) processes: Processes,
    pub(crate) refused: Arc<RefusedCalls>,
    pub(crate) drain: Duration,
}

impl Builtins {
    /// Makes a provider that is part of the host; the text of a failure says what mends it.
    pub(super) fn make(
        &self,
        builtin: Builtin,
        context: ProviderContext,
    ) -> Result<Arc<dyn Provider>, String> {
        Ok(match builtin {
            Builtin::HttpServer => HttpServer::new(context).map_err(|error| error.to_string())?,
            Builtin::HttpClient => HttpClient::new(context).map_err(|error| error.to_string())?,
            Builtin::KeyvalueNats => {
                KeyvalueNats::new(context, self.connection.clone(), self.about.lattice.clone())
                    .map_err(|error| error.to_string())?
            }
            other => return Err(format!("builtin://{} is not made by this host", other.name())),
        })
    }

    /// True for providers that call actors: they stop before the actors do.
    pub(crate) fn calls_actors(&self, view: &ProviderView) -> bool {
        let calls = |serves: &Serves| serves.direction == Direction::ToActor;
        matches!(view.spec.image, ImageRef::Builtin(Builtin::HttpServer))
            || view.serves.as_ref().is_some_and(|serves| serves.iter().any(calls))
    }
}
