//! An actor's way out: which link carries a call, and to whom.

use std::{collections::BTreeMap, sync::Arc};

use lattice_contracts::{CallContext, InvocationIds, http::Outgoing, keyvalue::Keyvalue, logging::LogRecord};
use lattice_core::{
    ActorId, CallError, ConfigName, Distance, ErrorCode, Hop, HostId, LinkName, Secret, SecretName,
};
use lattice_nats::remote::{http::outgoing::RemoteOutgoing, keyvalue::RemoteKeyvalue};
use lattice_runtime::{Bound, Dispatch, Function, Interface, NoSecret};

use crate::{
    calls::{LinkCaller, Remote, Way},
    guest_log,
    lattice::{Lattice, View},
    links::{Route, Router, merge},
    secrets::{Missing, Secrets},
};

/// What one actor may reach; made when the actor starts, and always looks at the newest links.
pub(crate) struct HostDispatch {
    pub(crate) actor: ActorId,
    pub(crate) host: HostId,
    pub(crate) config: Vec<ConfigName>,
    /// The secrets that it may read, whatever else this host has.
    pub(crate) named: Vec<SecretName>,
    pub(crate) secrets: Secrets,
    pub(crate) router: Router,
    pub(crate) remote: Remote,
    pub(crate) lattice: Lattice,
    pub(crate) ids: Arc<InvocationIds>,
}

impl HostDispatch {
    fn fail(&self, code: ErrorCode, reason: String) -> CallError {
        CallError::new(Hop::Host(self.host.clone()), code, reason)
    }

    /// What `pick` makes of the link's target, and the context to call it under.
    fn bind<T: ?Sized>(
        &self,
        current: &CallContext,
        (namespace, package, interface): (&str, &str, &str),
        link: &LinkName,
        pick: impl Fn(&Route) -> Option<Arc<T>>,
    ) -> Result<Bound<T>, CallError> {
        let (actor, contract) = (&self.actor, format_args!("{namespace}:{package}"));
        let routes = self.router.routes();
        let found = routes.find(actor.as_str(), namespace, package, link);
        let Some(route) = found.iter().find(|route| route.grants(interface)).or(found.first()) else {
            let named = if *link == LinkName::default() { String::new() } else { format!(" -l {link}") };
            let other = target_word(namespace, package);
            let reason = format!(
                "actor {actor} has no link for {contract}; make one: wash link put {actor} {other} {contract}{named}"
            );
            return Err(self.fail(ErrorCode::NoLink, reason));
        };
        if !route.grants(interface) {
            let reason = format!(
                "the link of actor {actor} to {} does not grant {contract}/{interface}, only {}",
                route.way.key.target,
                route.interfaces.join(", ")
            );
            return Err(self.fail(ErrorCode::Denied, reason));
        }
        let (target, way) = (&route.way.key.target, &route.way);
        let Some(implementation) = pick(route) else {
            if self.remote.is_process(target) {
                let reason = format!(
                    "provider {target} is a process of its own, which is called over NATS, and the link keeps calls in the \
                     host's process (distance local); put it with --distance prefer-local"
                );
                return Err(self.fail(ErrorCode::Unreachable, reason));
            }
            let stays = match way.distance {
                Distance::Local => ", and the link keeps calls here (distance local)",
                Distance::PreferLocal | Distance::Lattice => "",
            };
            let reason = format!(
                "{target}, linked to actor {actor} for {contract}, does not run on this host or does not serve it{stays}; \
                 start it: wash start {kind} IMAGE {target}",
                kind = target_word(namespace, package).to_lowercase()
            );
            return Err(self.fail(ErrorCode::Unreachable, reason));
        };
        let hop = Hop::Host(self.host.clone());
        let call = current.nested(self.ids.next(), target.clone(), link.clone(), hop)?;
        Ok(Bound { call, implementation })
    }

    /// A side of a provider: the provider itself where it runs here and nowhere else, or the link goes no further; else what
    /// `far` makes of a caller over the lattice, and of the provider here where there is one.
    fn near_or_far<T: ?Sized>(
        &self,
        way: &Way,
        here: Option<Arc<T>>,
        far: impl Fn(LinkCaller, Option<Arc<T>>) -> Arc<T>,
    ) -> Option<Arc<T>> {
        match (way.distance, here) {
            (Distance::Local, here) => here,
            (_, Some(here)) if !self.remote.knows_others(way) => Some(here),
            (_, here) => {
                let (remote, way, is_here) = (self.remote.clone(), way.clone(), here.is_some());
                Some(far(LinkCaller { remote, way, is_here }, here))
            }
        }
    }
}

/// The interface with its package, as it stands in subjects.
fn keyvalue_interface(interface: &str) -> &'static str {
    match interface {
        "atomics" => "wasi:keyvalue/atomics",
        "batch" => "wasi:keyvalue/batch",
        _ => "wasi:keyvalue/store",
    }
}

impl Dispatch for HostDispatch {
    fn keyvalue(
        &self,
        current: &CallContext,
        link: &LinkName,
        interface: &'static str,
    ) -> Result<Bound<dyn Keyvalue>, CallError> {
        let full_name = keyvalue_interface(interface);
        self.bind(current, ("wasi", "keyvalue", interface), link, |route| {
            self.near_or_far(&route.way, route.sides.keyvalue.clone(), |caller, here| {
                Arc::new(RemoteKeyvalue::new(caller, full_name).beside(here))
            })
        })
    }

    fn http_outgoing(
        &self,
        current: &CallContext,
        link: &LinkName,
    ) -> Result<Bound<dyn Outgoing>, CallError> {
        self.bind(current, ("wasi", "http", "outgoing-handler"), link, |route| {
            self.near_or_far(&route.way, route.sides.http.clone(), |caller, here| {
                Arc::new(RemoteOutgoing::new(caller).beside(here))
            })
        })
    }

    fn function(
        &self,
        current: &CallContext,
        link: &LinkName,
        interface: &Interface,
        _function: &str,
    ) -> Result<Bound<dyn Function>, CallError> {
        let Interface { namespace, package, interface, .. } = interface;
        // Near or far is the callee's to say: the actor may come and go between two calls.
        self.bind(current, (namespace, package, interface), link, |route| route.sides.function.clone())
    }

    fn is_linked(&self, interface: &Interface) -> bool {
        is_linked(&self.lattice.view(), &self.actor, interface)
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        // A configuration deleted while the actor runs reads as empty, as in v1.
        let known = self.lattice.view();
        let present: Vec<ConfigName> =
            self.config.iter().filter(|name| known.configs.contains_key(*name)).cloned().collect();
        Arc::new(merge(&present, &known.configs).unwrap_or_default())
    }

    fn secret(&self, name: &str) -> Result<Secret, NoSecret> {
        // Of what the actor was not given it does not even learn that it is there.
        let name = self.named.iter().find(|named| named.as_str() == name).ok_or(NoSecret::NotFound)?;
        self.secrets.get(name).map_err(|missing| match missing {
            Missing::Unknown { .. } => NoSecret::NotFound,
            other => NoSecret::Upstream(other.to_string()),
        })
    }

    fn log(&self, record: LogRecord) {
        guest_log::write(&record);
    }
}

/// True if the facts have a link under which `actor` may call `interface`: the one that its imports use.
pub(super) fn is_linked(facts: &View, actor: &ActorId, interface: &Interface) -> bool {
    let Interface { namespace, package, interface, .. } = interface;
    facts.links.iter().any(|(key, link)| {
        key.source.as_str() == actor.as_str()
            && key.contract.is(namespace, package)
            && key.name == LinkName::default()
            && link.grants(interface)
    })
}

/// What kind of target serves a contract, as commands name it: providers the known ones, actors those of anybody.
pub(super) fn target_word(namespace: &str, package: &str) -> &'static str {
    let known = lattice_core::KNOWN.iter().any(|row| row.namespace == namespace && row.package == package);
    if known { "PROVIDER" } else { "ACTOR" }
}
