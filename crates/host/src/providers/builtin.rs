//! Providers that are part of the host: which there are, and how each is made.

use std::{sync::Arc, time::Duration};

use lattice_contracts::{InvocationIds, Provider, ProviderContext};
use lattice_core::{Builtin, ImageRef};
use lattice_nats::Connection;
use lattice_provider_http_client::HttpClient;
use lattice_provider_http_server::HttpServer;
use lattice_provider_keyvalue_nats::KeyvalueNats;

use super::Providers;
use crate::{
    about::About, actors::Callees, events::Events, lattice::Lattice, secrets::Secrets, supervisor::Tasks,
};

/// Starts providers in this process; cheap to clone.
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
    pub(crate) drain: Duration,
}

impl Builtins {
    /// Makes a provider of an image; the text of a failure says what mends it.
    pub(super) fn make(
        &self,
        image: &ImageRef,
        context: ProviderContext,
    ) -> Result<Arc<dyn Provider>, String> {
        let builtin = match image {
            ImageRef::Builtin(builtin) => *builtin,
            other => {
                return Err(format!(
                    "{other} would be a process of its own, which this version does not start; there are {}",
                    Builtin::ALL
                        .iter()
                        .map(|b| format!("builtin://{}", b.name()))
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
        };
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

    /// True for images whose providers call actors: they stop before the actors do.
    pub(crate) fn calls_actors(&self, image: &ImageRef) -> bool {
        matches!(image, ImageRef::Builtin(Builtin::HttpServer))
    }
}
