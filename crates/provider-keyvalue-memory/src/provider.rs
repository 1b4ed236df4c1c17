//! The provider: its links, found by who calls under which name.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use lattice_contracts::{
    CallContext, Provider, ProviderContext, ProviderLink, Serves,
    config::ConfigError,
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
    state_of_all,
};
use lattice_core::{CallError, Contract, Direction, EntityId, ErrorCode, Hop, LinkKey, LinkName, State};
use tokio::time::Instant;

use crate::{
    config::{DEFAULT, Limits, buckets},
    store::Stores,
};

const fn serves(interface: &'static str) -> Serves {
    Serves { namespace: "wasi", package: "keyvalue", interface, direction: Direction::ToProvider }
}
const SERVES: &[Serves] = &[serves("store"), serves("atomics"), serves("batch")];

/// The key-value provider in memory.
pub struct KeyvalueMemory(Arc<Inner>);

struct Inner {
    ctx: ProviderContext,
    table: Mutex<Table>,
}

struct Table {
    stores: Stores,
    /// By caller and link name: the stores that the link opens.
    links: HashMap<(EntityId, LinkName), BTreeMap<String, String>>,
    states: BTreeMap<LinkKey, State>,
    stopping: bool,
}

impl KeyvalueMemory {
    /// Makes the provider, empty.
    ///
    /// # Errors
    /// [`ConfigError`] when the provider's own configuration has an unknown key or an unusable value.
    pub fn new(ctx: ProviderContext) -> Result<Arc<Self>, ConfigError> {
        let stores = Stores::new(Limits::read(&ctx.config)?);
        let table = Table { stores, links: HashMap::new(), states: BTreeMap::new(), stopping: false };
        ctx.report.provider(State::Ready);
        Ok(Arc::new(Self(Arc::new(Inner { ctx, table: Mutex::new(table) }))))
    }
}

#[async_trait]
impl Provider for KeyvalueMemory {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        let inner = &self.0;
        let place = (link.key.source.clone(), link.key.name.clone());
        let mut table = inner.lock();
        let state = match inner.opens(&link) {
            Ok(opens) => {
                table.links.insert(place, opens);
                State::Ready
            }
            Err(why) => {
                table.links.remove(&place);
                State::Failed(why)
            }
        };
        table.states.insert(link.key.clone(), state.clone());
        inner.ctx.report.link(&link.key, state);
        inner.ctx.report.provider(state_of_all(table.states.values()));
    }

    async fn delete_link(&self, link: &LinkKey) {
        let mut table = self.0.lock();
        table.links.remove(&(link.source.clone(), link.name.clone()));
        table.states.remove(link);
        self.0.ctx.report.provider(state_of_all(table.states.values()));
    }

    async fn stop(&self, _deadline: Instant) {
        // Every operation is over as soon as it has begun.
        self.0.lock().stopping = true;
    }

    fn keyvalue(&self) -> Option<Arc<dyn Keyvalue>> {
        Some(self.0.clone())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stores that a link opens, or why it cannot be served.
    fn opens(&self, link: &ProviderLink) -> Result<BTreeMap<String, String>, String> {
        let id = &self.ctx.id;
        if link.key.contract != Contract::keyvalue() {
            let carries = &link.key.contract;
            return Err(format!("this provider serves wasi:keyvalue alone, and the link carries {carries}"));
        }
        if link.key.target != EntityId::from(id.clone()) {
            return Err(format!("actors call a key-value store: put the link with {id} as its target"));
        }
        buckets(&link.config).map_err(|error| error.to_string())
    }

    /// Does something with the store that a caller's link calls `bucket`.
    fn with<T>(
        &self,
        call: &CallContext,
        bucket: &str,
        work: impl FnOnce(&mut Stores, &str) -> Result<T, KeyvalueError>,
    ) -> Result<T, KeyvalueError> {
        let hop = || Hop::Provider(self.ctx.id.clone());
        let mut table = self.lock();
        if table.stopping {
            let stopping = CallError::new(hop(), ErrorCode::Unreachable, "the provider is stopping");
            return Err(stopping.not_run().into());
        }
        let opens = table.links.get(&(call.source.clone(), call.link.clone()));
        let Some(opens) = opens else {
            let (id, source) = (&self.ctx.id, &call.source);
            let mut states = table.states.iter();
            let failed = states.find(|(key, _)| key.source == *source && key.name == call.link);
            let reason = match failed {
                Some((_, state)) => format!("the link of {source} to {id} is {state}"),
                None => {
                    format!(
                        "{source} has no link to {id}; make it: wash link put {source} {id} wasi:keyvalue"
                    )
                }
            };
            return Err(CallError::new(hop(), ErrorCode::NoLink, reason).into());
        };
        let missing = || KeyvalueError::NoSuchStore { bucket: bucket.chars().take(128).collect() };
        let name = opens.get(if bucket.is_empty() { DEFAULT } else { bucket }).ok_or_else(missing)?.clone();
        work(&mut table.stores, &name)
    }
}

#[async_trait]
impl Keyvalue for Inner {
    async fn open(&self, call: &CallContext, bucket: &str) -> Result<(), KeyvalueError> {
        self.with(call, bucket, |_, _| Ok(()))
    }

    async fn get(&self, call: &CallContext, bucket: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError> {
        self.with(call, bucket, |stores, name| Ok(stores.get(name, key).value))
    }

    async fn get_versioned(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
    ) -> Result<Versioned, KeyvalueError> {
        self.with(call, bucket, |stores, name| Ok(stores.get(name, key)))
    }

    async fn set(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), KeyvalueError> {
        self.with(call, bucket, |stores, name| stores.set(name, key, value))
    }

    async fn swap(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        self.with(call, bucket, |stores, name| stores.swap(name, key, revision, value))
    }

    async fn delete(&self, call: &CallContext, bucket: &str, key: &str) -> Result<(), KeyvalueError> {
        self.with(call, bucket, |stores, name| {
            stores.delete(name, key);
            Ok(())
        })
    }

    async fn exists(&self, call: &CallContext, bucket: &str, key: &str) -> Result<bool, KeyvalueError> {
        self.with(call, bucket, |stores, name| Ok(stores.get(name, key).value.is_some()))
    }

    async fn list_keys(
        &self,
        call: &CallContext,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError> {
        self.with(call, bucket, |stores, name| Ok(stores.list(name, cursor)))
    }

    async fn increment(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyvalueError> {
        self.with(call, bucket, |stores, name| stores.increment(name, key, delta))
    }
}
