//! Keeps the routes of actors' calls in step with links and providers.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use super::{Routes, Sides};
use crate::{actors::Callees, calls::Way, lattice::Lattice, providers::Providers};

/// Gives out the newest routes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    routes: Arc<RwLock<Arc<Routes>>>,
    lattice: Lattice,
    providers: Providers,
    callees: Callees,
}

impl Router {
    pub(crate) fn new(lattice: Lattice, providers: Providers, callees: Callees) -> Self {
        let router = Self { routes: Arc::default(), lattice, providers, callees };
        router.rebuild();
        router
    }

    /// The routes as they are now.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rebuild(&self) {
        let view = self.lattice.view();
        let routes = Arc::new(Routes::build(view.links.values(), |way| self.sides(way)));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    fn sides(&self, way: &Way) -> Sides {
        let provider = self.providers.sides(&way.key.target.clone().into());
        provider.unwrap_or_else(|| Sides {
            function: Some(self.callees.function(way.clone())),
            ..Sides::default()
        })
    }

    /// Rebuilds at every change until stopped.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut changed = self.lattice.changed().listen();
        loop {
            changed.borrow_and_update();
            self.rebuild();
            tokio::select! {
                () = stop.cancelled() => return,
                heard = changed.changed() => if heard.is_err() { return },
            }
        }
    }
}
