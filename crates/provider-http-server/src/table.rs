//! What the provider knows: links and listeners, brought into line with each other whenever one of them changes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use lattice_contracts::{Callee, ProviderContext, ProviderLink, config::ConfigError, state_of_all};
use lattice_core::{Contract, LinkKey, State};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Limits, LinkConfig},
    connection::Ends,
    listen::{Listener, Tell, bind, run, why_not_bound},
    route::Routes,
    serve::{Door, Route},
};

/// The interface that is called.
pub(crate) const INTERFACE: &str = "incoming-handler";

/// The provider without its handle.
pub(crate) struct Inner {
    pub(crate) ctx: ProviderContext,
    limits: Limits,
    pub(crate) life: CancellationToken,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    links: BTreeMap<LinkKey, Entry>,
    listeners: HashMap<SocketAddr, Bound>,
    /// Counts places in the queue for routes.
    turn: u64,
    told: Option<State>,
    stopping: bool,
}

struct Entry {
    /// Who came first keeps a route that two links want.
    turn: u64,
    /// The route, or why there can be none.
    route: Result<Arc<Route>, String>,
    told: Option<State>,
}

struct Bound {
    listener: Arc<Listener>,
    state: State,
    local: Option<SocketAddr>,
}

impl Inner {
    pub(crate) fn new(ctx: ProviderContext) -> Result<Self, ConfigError> {
        let limits = Limits::read(&ctx.config)?;
        let inner = Self { life: ctx.cancel.child_token(), ctx, limits, table: Mutex::default() };
        inner.tell_whole(&mut inner.lock());
        Ok(inner)
    }

    /// Where a link is served.
    pub(crate) fn local_address(&self, link: &LinkKey) -> Option<SocketAddr> {
        let table = self.lock();
        let route = table.links.get(link)?.route.as_ref().ok()?;
        table.listeners.get(&route.config.address)?.local
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a link asks for, or why it cannot have it.
    pub(crate) fn route(&self, link: ProviderLink) -> Result<Arc<Route>, String> {
        let ProviderLink { key, actor, interfaces, config, callee, .. } = link;
        if key.contract != Contract::http() {
            return Err(format!(
                "this provider serves wasi:http alone, and the link carries {}",
                key.contract
            ));
        }
        if !(interfaces.is_empty() || interfaces.iter().any(|name| name == INTERFACE)) {
            return Err(format!("the link does not grant {INTERFACE}; name it, or no interface at all"));
        }
        let config = LinkConfig::read(&config).map_err(|error| error.to_string())?;
        match callee {
            Callee::Http(callee) => Ok(Arc::new(Route { key, actor, callee, config })),
            _ => Err(format!("an HTTP server calls actors: put the link with {} as its source", self.ctx.id)),
        }
    }

    /// Notes a link; gives back the listener it leaves behind without any, told to drain.
    pub(crate) fn enter(&self, key: LinkKey, route: Result<Arc<Route>, String>) -> Option<Arc<Listener>> {
        let mut table = self.lock();
        let old = table.links.remove(&key);
        let old_route = old.as_ref().and_then(|entry| entry.route.as_ref().ok());
        // An update that leaves the routes as they are keeps its place among those who want them.
        let stays = match (old_route, &route) {
            (Some(old), Ok(new)) => old.config.same_place(&new.config),
            _ => false,
        };
        let turn = match &old {
            Some(old) if stays => old.turn,
            _ => {
                table.turn += 1;
                table.turn
            }
        };
        let left = old_route.map(|old| old.config.address);
        table.links.insert(key, Entry { turn, route, told: None });
        left.and_then(|address| self.refresh(&mut table, address))
    }

    /// Forgets a link; as [`Inner::enter`].
    pub(crate) fn leave(&self, key: &LinkKey) -> Option<Arc<Listener>> {
        let mut table = self.lock();
        let old = table.links.remove(key)?;
        let left = old.route.ok().and_then(|old| self.refresh(&mut table, old.config.address));
        self.tell_whole(&mut table);
        left
    }

    /// Makes true what a link asks for, as far as it can be, and tells its state.
    pub(crate) fn settle(self: &Arc<Self>, key: &LinkKey) {
        let mut table = self.lock();
        let stopping = table.stopping;
        let Some(entry) = table.links.get_mut(key) else { return };
        match &entry.route {
            Ok(route) => {
                let address = route.config.address;
                if stopping {
                    tell_link(&self.ctx, key, entry, State::Stopping);
                    return;
                }
                if !table.listeners.contains_key(&address) {
                    let bound = self.listen(&table, address);
                    table.listeners.insert(address, bound);
                }
                self.refresh(&mut table, address);
            }
            Err(why) => {
                let state = State::Failed(why.clone());
                tell_link(&self.ctx, key, entry, state);
            }
        }
        self.tell_whole(&mut table);
    }

    /// Puts the routes of one address in place and tells how its links are; with none left, drains the listener.
    fn refresh(&self, table: &mut Table, address: SocketAddr) -> Option<Arc<Listener>> {
        let mut wanting: Vec<(&LinkKey, &mut Entry, Arc<Route>)> = Vec::new();
        for (key, entry) in &mut table.links {
            match entry.route.clone() {
                Ok(route) if route.config.address == address => wanting.push((key, entry, route)),
                _ => {}
            }
        }
        if wanting.is_empty() {
            let bound = table.listeners.remove(&address)?;
            bound.listener.door.swap(Routes::default());
            bound.listener.ends.drain.cancel();
            return Some(bound.listener);
        }
        let bound = table.listeners.get(&address)?;
        wanting.sort_by_key(|(_, entry, _)| entry.turn);
        let mut routes = Routes::default();
        for (key, entry, route) in wanting {
            let state = match place(&mut routes, &route) {
                Ok(()) => bound.state.clone(),
                Err(why) => State::Failed(why),
            };
            tell_link(&self.ctx, key, entry, state);
        }
        bound.listener.door.swap(routes);
        None
    }

    /// Starts a listener; it has tried to bind when this returns.
    fn listen(self: &Arc<Self>, table: &Table, address: SocketAddr) -> Bound {
        let kill = self.life.child_token();
        let listener = Arc::new(Listener {
            door: Arc::new(Door::new(self.ctx.ids.clone(), self.ctx.report.clone())),
            ends: Ends { drain: CancellationToken::new(), kill },
            closed: CancellationToken::new(),
            done: CancellationToken::new(),
            connections: TaskTracker::new(),
        });
        let (state, local, bound) = match bind(address) {
            Ok(bound) => (State::Ready, bound.local_addr().ok(), Some(bound)),
            Err(error) => {
                let mut why = why_not_bound(address, &error);
                let overlapping = table.listeners.keys().find(|other| other.port() == address.port());
                if let Some(other) = overlapping.filter(|_| error.kind() == std::io::ErrorKind::AddrInUse) {
                    why = format!("address {address} in use by this provider's own listener on {other}");
                }
                (State::Failed(why), None, None)
            }
        };
        if let Some(local) = local {
            tracing::info!(provider = %self.ctx.id, address = %local, "listening");
        }
        let tell = self.teller(address, &listener);
        self.ctx.tasks.spawn(run(address, bound, listener.clone(), self.limits, tell));
        Bound { listener, state, local }
    }

    /// How a listener's task tells of itself. Weak on both ends: a task owns neither the provider nor its own hold.
    fn teller(self: &Arc<Self>, address: SocketAddr, listener: &Arc<Listener>) -> Tell {
        let (inner, listener): (Weak<Self>, Weak<Listener>) =
            (Arc::downgrade(self), Arc::downgrade(listener));
        Arc::new(move |state, local| {
            let Some(inner) = inner.upgrade() else { return };
            let mut table = inner.lock();
            let Some(bound) = table.listeners.get_mut(&address) else { return };
            // A listener that was replaced has nothing to say any more.
            if !std::ptr::eq(listener.as_ptr(), Arc::as_ptr(&bound.listener)) {
                return;
            }
            if let Some(local) = local {
                tracing::info!(provider = %inner.ctx.id, address = %local, "listening");
                bound.local = Some(local);
            }
            bound.state = state;
            inner.refresh(&mut table, address);
            inner.tell_whole(&mut table);
        })
    }

    pub(crate) fn drain_all(&self) -> Vec<Arc<Listener>> {
        let mut table = self.lock();
        table.stopping = true;
        self.tell_whole(&mut table);
        let listeners: Vec<_> = table.listeners.drain().map(|(_, bound)| bound.listener).collect();
        listeners.iter().for_each(|listener| listener.ends.drain.cancel());
        listeners
    }

    fn tell_whole(&self, table: &mut Table) {
        let state = match table.stopping {
            true => State::Stopping,
            false => state_of_all(table.links.values().filter_map(|entry| entry.told.as_ref())),
        };
        if table.told.as_ref() != Some(&state) {
            self.ctx.report.provider(state.clone());
            table.told = Some(state);
        }
    }
}

/// Puts a link's routes into the table, all or none.
fn place(routes: &mut Routes<Arc<Route>>, route: &Arc<Route>) -> Result<(), String> {
    let path = route.config.path.as_str();
    let hosts: BTreeSet<_> = route.config.hosts.iter().collect();
    for host in &hosts {
        if let Some(other) = routes.at(host, path).filter(|other| other.actor != route.actor) {
            return Err(format!(
                "route already taken by actor {}: host {host}, path {}/ on {}; give one of the links another hostname or path",
                other.actor, path, route.config.address,
            ));
        }
    }
    hosts.iter().for_each(|host| routes.insert(host, path, route.clone()));
    Ok(())
}

/// Reporting happens under the table's lock, so that the last word told is the last that was true; it never blocks.
fn tell_link(ctx: &ProviderContext, key: &LinkKey, entry: &mut Entry, state: State) {
    if entry.told.as_ref() != Some(&state) {
        ctx.report.link(key, state.clone());
        entry.told = Some(state);
    }
}
