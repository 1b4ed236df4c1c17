//! The provider: its links, found by who calls under which name.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext, Provider, ProviderContext, ProviderLink, Serves,
    config::{ConfigError, check_keys},
    keyvalue::{Keyvalue, KeyvalueError},
    state_of_all,
};
use lattice_core::{
    CallError, Contract, Direction, EntityId, ErrorCode, Hop, LatticeName, LinkKey, LinkName, State,
};
use lattice_nats::Connection;
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{bucket::Bucket, config::LinkConfig, increment::Increments, link::Link, list::Listings};

const fn serves(interface: &'static str) -> Serves {
    Serves { namespace: "wasi", package: "keyvalue", interface, direction: Direction::ToProvider }
}
const SERVES: &[Serves] = &[serves("store"), serves("atomics"), serves("batch")];

/// The key-value provider on NATS JetStream. Dropping it breaks off what is under way.
pub struct KeyvalueNats {
    inner: Arc<Inner>,
    _life: DropGuard,
}

pub(crate) struct Inner {
    ctx: ProviderContext,
    conn: Connection,
    lattice: LatticeName,
    pub(crate) increments: Increments,
    pub(crate) listings: Listings,
    life: CancellationToken,
    /// Operations under way.
    under_way: TaskTracker,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    links: HashMap<(EntityId, LinkName), Arc<Link>>,
    states: BTreeMap<LinkKey, State>,
    told: Option<State>,
    stopping: bool,
}

/// A bucket that an operation may use, and the note that one does.
pub(crate) struct Entered {
    pub(crate) bucket: Bucket,
    _counted: TaskTrackerToken,
}

impl KeyvalueNats {
    /// Makes the provider on the NATS of `conn`. `lattice` names the bucket of links that name none.
    ///
    /// # Errors
    /// [`ConfigError`] for any configuration of the provider's own: all of it belongs to links.
    pub fn new(
        ctx: ProviderContext,
        conn: Connection,
        lattice: LatticeName,
    ) -> Result<Arc<Self>, ConfigError> {
        check_keys(&ctx.config, &[])?;
        let life = ctx.cancel.child_token();
        let increments = Increments::new(ctx.tasks.clone(), life.clone());
        let (under_way, table) = (TaskTracker::new(), Mutex::default());
        let listings = Listings::default();
        let inner = Inner { ctx, conn, lattice, increments, listings, life: life.clone(), under_way, table };
        inner.tell_whole(&mut inner.lock());
        Ok(Arc::new(Self { inner: Arc::new(inner), _life: life.drop_guard() }))
    }
}

#[async_trait]
impl Provider for KeyvalueNats {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        let inner = &self.inner;
        let place = (link.key.source.clone(), link.key.name.clone());
        let made = match inner.link(&link) {
            Ok(made) => made,
            Err(why) => {
                inner.replace(place, None);
                return inner.tell(&link.key, None, State::Failed(why));
            }
        };
        let state = made.first_state().await;
        inner.replace(place, Some(made.clone()));
        inner.tell(&link.key, Some(&made), state.clone());
        let (weak, key, conn) = (Arc::downgrade(inner), link.key, inner.conn.clone());
        inner.ctx.tasks.spawn(async move {
            let of = made.clone();
            let tell = |state| {
                if let Some(inner) = weak.upgrade() {
                    inner.tell(&key, Some(&of), state);
                }
            };
            made.watch(conn, state, tell).await;
        });
    }

    async fn delete_link(&self, link: &LinkKey) {
        self.inner.replace((link.source.clone(), link.name.clone()), None);
        let mut table = self.inner.lock();
        table.states.remove(link);
        self.inner.tell_whole(&mut table);
    }

    async fn stop(&self, deadline: Instant) {
        {
            let mut table = self.inner.lock();
            table.stopping = true;
            table.links.drain().for_each(|(_, link)| link.ends.cancel());
            self.inner.tell_whole(&mut table);
        }
        self.inner.under_way.close();
        let ended = tokio::time::timeout_at(deadline, self.inner.under_way.wait()).await;
        tracing::debug!(in_time = ended.is_ok(), "key-value operations have ended");
        self.inner.life.cancel();
    }

    fn keyvalue(&self) -> Option<Arc<dyn Keyvalue>> {
        Some(self.inner.clone())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hop(&self) -> Hop {
        Hop::Provider(self.ctx.id.clone())
    }

    fn refused(&self, code: ErrorCode, reason: impl Into<String>) -> KeyvalueError {
        CallError::new(self.hop(), code, reason).into()
    }

    /// The bucket that a caller's link calls `bucket`.
    pub(crate) fn enter(&self, call: &CallContext, bucket: &str) -> Result<Entered, KeyvalueError> {
        let counted = self.under_way.token();
        let table = self.lock();
        if table.stopping {
            let stopping = CallError::new(self.hop(), ErrorCode::Unreachable, "the provider is stopping");
            return Err(stopping.not_run().into());
        }
        let link = table.links.get(&(call.source.clone(), call.link.clone()));
        let Some(link) = link else {
            let (id, source) = (&self.ctx.id, &call.source);
            let failed = table.states.iter().find(|(key, _)| key.source == *source && key.name == call.link);
            let reason = match failed {
                Some((_, state)) => format!("the link of {source} to {id} is {state}"),
                None => format!(
                    "{source} has no link to {id}; make it: wash ctl link put {source} {id} wasi:keyvalue"
                ),
            };
            return Err(self.refused(ErrorCode::NoLink, reason));
        };
        let found = link.bucket(bucket).cloned();
        let missing = || KeyvalueError::NoSuchStore { bucket: bucket.chars().take(128).collect() };
        Ok(Entered { bucket: found.ok_or_else(missing)?, _counted: counted })
    }

    /// What serves a link, or why it cannot be served.
    fn link(&self, link: &ProviderLink) -> Result<Arc<Link>, String> {
        let id = &self.ctx.id;
        if link.key.contract != Contract::keyvalue() {
            return Err(format!(
                "this provider serves wasi:keyvalue alone, and the link carries {}",
                link.key.contract
            ));
        }
        if link.key.target != EntityId::from(id.clone()) {
            return Err(format!("actors call a key-value store: put the link with {id} as its target"));
        }
        let config = LinkConfig::read(&link.config, &self.lattice).map_err(|error| error.to_string())?;
        Ok(Link::new(config, &self.conn, self.life.child_token()))
    }

    fn replace(&self, place: (EntityId, LinkName), link: Option<Arc<Link>>) {
        let mut table = self.lock();
        let old = match link {
            Some(link) if !table.stopping => table.links.insert(place, link),
            Some(link) => Some(link),
            None => table.links.remove(&place),
        };
        old.iter().for_each(|old| old.ends.cancel());
    }

    /// Tells a link's state. `of` is the link that speaks: one that was replaced has nothing to say any more.
    fn tell(&self, key: &LinkKey, of: Option<&Arc<Link>>, state: State) {
        let mut table = self.lock();
        let serving = table.links.get(&(key.source.clone(), key.name.clone()));
        let speaks = match (of, serving) {
            (Some(of), Some(serving)) => Arc::ptr_eq(of, serving),
            (of, _) => of.is_none(),
        };
        let state = match table.stopping {
            true => State::Stopping,
            false if !speaks => return,
            false => state,
        };
        self.ctx.report.link(key, state.clone());
        table.states.insert(key.clone(), state);
        self.tell_whole(&mut table);
    }

    fn tell_whole(&self, table: &mut Table) {
        let state = match table.stopping {
            true => State::Stopping,
            false => state_of_all(table.states.values()),
        };
        if table.told.as_ref() != Some(&state) {
            self.ctx.report.provider(state.clone());
            table.told = Some(state);
        }
    }
}
