//! Where an actor's calls go: a snapshot of all links by (source, contract, link name), made anew at every change.

use std::{collections::HashMap, sync::Arc};

use lattice_contracts::{http::Outgoing, keyvalue::Keyvalue};
use lattice_core::{EntityId, Link, LinkName, ProviderId};

/// One link, seen from its source.
#[derive(Clone)]
pub(crate) struct Route {
    /// Who is called.
    pub(crate) target: EntityId,
    /// Interfaces granted; empty grants all.
    pub(crate) interfaces: Vec<String>,
    /// The target's key-value side, where it runs in this host.
    pub(crate) keyvalue: Option<Arc<dyn Keyvalue>>,
    /// The target's outgoing-HTTP side, where it runs in this host.
    pub(crate) http: Option<Arc<dyn Outgoing>>,
}

#[derive(Hash, PartialEq, Eq)]
struct RouteKey {
    namespace: String,
    package: String,
    name: LinkName,
}

/// All routes of the lattice, as this host sees them.
#[derive(Default)]
pub(crate) struct Routes {
    by_source: HashMap<EntityId, HashMap<RouteKey, Vec<Route>>>,
}

impl Routes {
    /// Builds the snapshot; `local` gives the sides of a provider that runs here.
    pub(crate) fn build<'a>(
        links: impl IntoIterator<Item = &'a Link>,
        local: impl Fn(&ProviderId) -> (Option<Arc<dyn Keyvalue>>, Option<Arc<dyn Outgoing>>),
    ) -> Self {
        let mut routes = Self::default();
        for link in links {
            let (keyvalue, http) = local(&link.target.clone().into());
            let key = RouteKey {
                namespace: link.wit_namespace.clone(),
                package: link.wit_package.clone(),
                name: link.name.clone(),
            };
            let route =
                Route { target: link.target.clone(), interfaces: link.interfaces.clone(), keyvalue, http };
            routes.by_source.entry(link.source.clone()).or_default().entry(key).or_default().push(route);
        }
        routes
    }

    /// The links of `source` under a contract and link name. More than one where their interfaces differ.
    pub(crate) fn find(&self, source: &str, namespace: &str, package: &str, name: &LinkName) -> &[Route] {
        let Some(of_source) = self.by_source.get(source) else { return &[] };
        let key =
            RouteKey { namespace: namespace.to_owned(), package: package.to_owned(), name: name.clone() };
        of_source.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl Route {
    /// True if the link grants `interface`.
    pub(crate) fn grants(&self, interface: &str) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|name| name == interface)
    }
}
