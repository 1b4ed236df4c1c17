//! Where an actor's calls go: a snapshot of all links by (source, contract, link name), made anew at every change.

use std::{collections::HashMap, sync::Arc};

use lattice_contracts::{http::Outgoing, keyvalue::Keyvalue};
use lattice_core::{EntityId, Link, LinkName};
use lattice_runtime::Function;

use crate::calls::Way;

/// One link, seen from its source.
#[derive(Clone)]
pub(crate) struct Route {
    /// Who is called under which link, and how far away.
    pub(crate) way: Way,
    /// Interfaces granted; empty grants all.
    pub(crate) interfaces: Vec<String>,
    /// How the target is called.
    pub(crate) sides: Sides,
}

/// The sides by which a target can be called, as far as this host reaches them.
#[derive(Clone, Default)]
pub(crate) struct Sides {
    /// Key-value, where the target is a provider that runs in this host.
    pub(crate) keyvalue: Option<Arc<dyn Keyvalue>>,
    /// Outgoing HTTP, where the target is a provider that runs in this host.
    pub(crate) http: Option<Arc<dyn Outgoing>>,
    /// Functions of anybody's interfaces, where the target is no provider of this host: an actor, whether it runs now or not.
    pub(crate) function: Option<Arc<dyn Function>>,
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
    /// Builds the snapshot; `sides` gives those of a link's target.
    pub(crate) fn build<'a>(
        links: impl IntoIterator<Item = &'a Link>,
        sides: impl Fn(&Way) -> Sides,
    ) -> Self {
        let mut routes = Self::default();
        for link in links {
            // What is stored has been checked when it was put; what a later version stores may be new to us.
            let Ok(link_key) = link.key() else { continue };
            let key = RouteKey {
                namespace: link.wit_namespace.clone(),
                package: link.wit_package.clone(),
                name: link.name.clone(),
            };
            let way = Way { key: link_key, distance: link.distance };
            let (interfaces, sides) = (link.interfaces.clone(), sides(&way));
            let route = Route { way, interfaces, sides };
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

#[cfg(test)]
impl Routes {
    /// One line for each route, in the order in which they are looked at.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (source, of_source) in &self.by_source {
            for (key, routes) in of_source {
                let RouteKey { namespace, package, name } = key;
                let ways: Vec<_> = routes
                    .iter()
                    .map(|one| format!("{} {} {:?}", one.way.key, one.way.distance, one.interfaces))
                    .collect();
                lines.push(format!("{source} {namespace}:{package} {name}: {}", ways.join(", ")));
            }
        }
        lines.sort();
        lines
    }
}

impl Route {
    /// True if the link grants `interface`.
    pub(crate) fn grants(&self, interface: &str) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|name| name == interface)
    }
}
