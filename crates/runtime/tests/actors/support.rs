//! What the tests share: a runtime, a way out with everything in memory, and calls.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use lattice_contracts::{
    CallContext, InvocationIds,
    http::{Body, Incoming, Outgoing, OutgoingError, OutgoingLimits, Request, Response, empty, full},
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
    logging::LogRecord,
};
use lattice_core::{ActorId, CallError, EntityId, ErrorCode, Hop, LinkName, Secret};
use lattice_runtime::{
    Actor, ActorSpec, ActorStats, Bound, Dispatch, Function, Interface, NoSecret, Prepared, Runtime,
    RuntimeConfig,
};
use tokio::time::Instant;

static IDS: LazyLock<InvocationIds> = LazyLock::new(|| InvocationIds::new(0x00c0_ffee));

/// The bytes of an example actor.
pub(crate) fn wasm(name: &str) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/actors/target/wasm32-wasip2/release")
        .join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{} cannot be read ({error}); build the example actors first: \
             cd examples/actors && cargo build --release --target wasm32-wasip2",
            path.display()
        )
    });
    bytes.into()
}

pub(crate) fn runtime() -> Runtime {
    Runtime::new(RuntimeConfig { slots: 64, ..RuntimeConfig::default() }).unwrap()
}

pub(crate) fn spec(id: &str) -> ActorSpec {
    ActorSpec::new(ActorId::new(id).unwrap())
}

/// Starts an example actor with `change`d defaults.
pub(crate) async fn start(
    runtime: &Runtime,
    name: &str,
    world: &Arc<World>,
    change: impl FnOnce(&mut ActorSpec),
) -> Arc<Actor> {
    let prepared = runtime.prepare(wasm(name)).await.unwrap();
    start_prepared(runtime, &prepared, world, change)
}

pub(crate) fn start_prepared(
    runtime: &Runtime,
    prepared: &Prepared,
    world: &Arc<World>,
    change: impl FnOnce(&mut ActorSpec),
) -> Arc<Actor> {
    let mut spec = spec("actor");
    change(&mut spec);
    runtime.start(prepared, spec, world.clone()).unwrap()
}

pub(crate) fn call(time: Duration) -> CallContext {
    CallContext {
        id: IDS.next(),
        source: EntityId::new("test").unwrap(),
        target: EntityId::new("actor").unwrap(),
        link: LinkName::default(),
        deadline: Instant::now() + time,
        depth: 0,
        trace: None,
    }
}

pub(crate) fn request(path: &str, body: Body) -> Request {
    http::Request::builder().uri(format!("http://actor.test{path}")).body(body).unwrap()
}

/// Calls with 20 s to spare.
pub(crate) async fn get(actor: &Actor, path: &str) -> Result<Response, CallError> {
    actor.handle(call(Duration::from_secs(20)), request(path, empty())).await
}

/// Status and text of an answer that must come.
pub(crate) async fn text(actor: &Actor, path: &str) -> (u16, String) {
    let response = get(actor, path).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap_or_else(|error| panic!("{path}: {error}"));
    (status, String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// Waits until `done`, which must not take long.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within 10 s");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What an actor has counted once all its calls are over: an answer can arrive just before its call is counted.
pub(crate) async fn settled(actor: &Actor) -> ActorStats {
    until("the calls end", || actor.stats().in_flight == 0).await;
    actor.stats()
}

/// A way out with everything in memory.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) unlinked: AtomicBool,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) lines: Mutex<Vec<LogRecord>>,
    pub(crate) store: Arc<Memory>,
    /// Who serves the functions of a contract, as `demo:translate`.
    pub(crate) links: Mutex<BTreeMap<String, Arc<dyn Function>>>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|line| line.message.clone()).collect()
    }

    /// Links `contract` to whoever serves it.
    pub(crate) fn link(&self, contract: &str, target: Arc<dyn Function>) {
        self.links.lock().unwrap().insert(contract.to_owned(), target);
    }

    fn linked(&self, interface: &Interface) -> Option<Arc<dyn Function>> {
        let contract = format!("{}:{}", interface.namespace, interface.package);
        self.links.lock().unwrap().get(&contract).cloned()
    }

    fn bound<T: ?Sized>(
        &self,
        current: &CallContext,
        link: &LinkName,
        implementation: Arc<T>,
    ) -> Result<Bound<T>, CallError> {
        let hop = Hop::Actor(ActorId::new("actor").unwrap());
        if self.unlinked.load(Ordering::Relaxed) {
            return Err(CallError::new(hop, ErrorCode::NoLink, "no link; make one with `wash link put`"));
        }
        let target = EntityId::new("provider").unwrap();
        let call = current.nested(IDS.next(), target, link.clone(), hop)?;
        Ok(Bound { call, implementation })
    }
}

impl Dispatch for World {
    fn keyvalue(
        &self,
        current: &CallContext,
        link: &LinkName,
        _interface: &'static str,
    ) -> Result<Bound<dyn Keyvalue>, CallError> {
        self.bound(current, link, self.store.clone() as Arc<dyn Keyvalue>)
    }

    fn http_outgoing(
        &self,
        current: &CallContext,
        link: &LinkName,
    ) -> Result<Bound<dyn Outgoing>, CallError> {
        self.bound(current, link, Arc::new(Outside) as Arc<dyn Outgoing>)
    }

    fn function(
        &self,
        current: &CallContext,
        link: &LinkName,
        interface: &Interface,
        _function: &str,
    ) -> Result<Bound<dyn Function>, CallError> {
        let hop = || Hop::Actor(ActorId::new("actor").unwrap());
        let no_link = || {
            let reason = format!("no link for {interface}; make one: wash link put actor ACTOR {interface}");
            CallError::new(hop(), ErrorCode::NoLink, reason)
        };
        let implementation = self.linked(interface).ok_or_else(no_link)?;
        let call = current.nested(IDS.next(), EntityId::new("other").unwrap(), link.clone(), hop())?;
        Ok(Bound { call, implementation })
    }

    fn is_linked(&self, interface: &Interface) -> bool {
        self.linked(interface).is_some()
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        assert!(!self.config.contains_key("panic"), "asked to panic");
        Arc::new(self.config.clone())
    }

    fn secret(&self, name: &str) -> Result<Secret, NoSecret> {
        match self.secrets.get(name) {
            Some(secret) => Ok(secret.clone()),
            None if name == "elsewhere" => Err(NoSecret::Upstream("it is sealed to others".to_owned())),
            None => Err(NoSecret::NotFound),
        }
    }

    fn log(&self, record: LogRecord) {
        self.lines.lock().unwrap().push(record);
    }
}

/// An internet in which every server answers with the request's line.
struct Outside;

#[async_trait]
impl Outgoing for Outside {
    async fn request(
        &self,
        _call: CallContext,
        request: Request,
        _limits: OutgoingLimits,
    ) -> Result<Response, OutgoingError> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        match request.uri().path() {
            "/refused" => Err(OutgoingError::Refused { authority }),
            _ => Ok(http::Response::new(full(format!("{} {}", request.method(), request.uri())))),
        }
    }
}

/// Buckets in memory; there is one, `default`.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, (u64, Bytes)>>);

impl Memory {
    fn number(bytes: &Bytes, key: &str) -> Result<i64, KeyvalueError> {
        let text = std::str::from_utf8(bytes).ok();
        text.and_then(|text| text.parse().ok()).ok_or(KeyvalueError::NotANumber { key: key.to_owned() })
    }
}

#[async_trait]
impl Keyvalue for Memory {
    async fn open(&self, _: &CallContext, bucket: &str) -> Result<(), KeyvalueError> {
        match bucket {
            "default" => Ok(()),
            _ => Err(KeyvalueError::NoSuchStore { bucket: bucket.to_owned() }),
        }
    }

    async fn get(&self, _: &CallContext, _: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError> {
        Ok(self.0.lock().unwrap().get(key).map(|(_, value)| value.clone()))
    }

    async fn get_versioned(&self, _: &CallContext, _: &str, key: &str) -> Result<Versioned, KeyvalueError> {
        let found = self.0.lock().unwrap().get(key).cloned();
        let (revision, value) = found.map_or((0, None), |(revision, value)| (revision, Some(value)));
        tokio::task::yield_now().await;
        Ok(Versioned { value, revision })
    }

    async fn set(&self, _: &CallContext, _: &str, key: &str, value: Bytes) -> Result<(), KeyvalueError> {
        let mut all = self.0.lock().unwrap();
        let revision = all.get(key).map_or(0, |(revision, _)| *revision) + 1;
        all.insert(key.to_owned(), (revision, value));
        Ok(())
    }

    async fn swap(
        &self,
        _: &CallContext,
        _: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        let mut all = self.0.lock().unwrap();
        let now = all.get(key).map_or(0, |(revision, _)| *revision);
        if now == revision {
            all.insert(key.to_owned(), (revision + 1, value));
        }
        Ok(now == revision)
    }

    async fn delete(&self, _: &CallContext, _: &str, key: &str) -> Result<(), KeyvalueError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }

    async fn exists(&self, _: &CallContext, _: &str, key: &str) -> Result<bool, KeyvalueError> {
        Ok(self.0.lock().unwrap().contains_key(key))
    }

    async fn list_keys(
        &self,
        _: &CallContext,
        _: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError> {
        let skip = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
        let keys: Vec<String> = self.0.lock().unwrap().keys().skip(skip).take(2).cloned().collect();
        let cursor = (keys.len() == 2).then_some(skip as u64 + 2);
        Ok(KeyPage { keys, cursor })
    }

    async fn increment(&self, _: &CallContext, _: &str, key: &str, delta: i64) -> Result<i64, KeyvalueError> {
        let mut all = self.0.lock().unwrap();
        let (revision, value) = all.get(key).cloned().unwrap_or((0, Bytes::from_static(b"0")));
        let overflow = || KeyvalueError::Backend { why: "overflow".to_owned() };
        let sum = Self::number(&value, key)?.checked_add(delta).ok_or_else(overflow)?;
        all.insert(key.to_owned(), (revision + 1, sum.to_string().into()));
        Ok(sum)
    }
}
