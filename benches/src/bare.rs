//! The limit of calls: wasmtime alone, with the engine settings of the host, calling the same HTTP handler.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::bindings::{Proxy, ProxyPre, http::types::Scheme},
};

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// No requests to the outside.
struct Closed;

impl WasiHttpHooks for Closed {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Closed,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// An engine set as the host sets its own.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1000)
        .total_core_instances(4000)
        .total_memories(1000)
        .total_tables(4000)
        .total_stacks(1000)
        .linear_memory_keep_resident(1024 * 1024)
        .table_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::Auto);
    let mut settings = Config::new();
    settings
        .epoch_interruption(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&settings)
}

/// An actor with nothing around it.
pub(crate) struct Bare {
    engine: Engine,
    handler: ProxyPre<State>,
}

/// A store and its instance, between two calls.
pub(crate) struct Instance(Store<State>, Proxy);

impl Bare {
    /// Compiles `wasm`.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub(crate) fn new(wasm: &[u8]) -> wasmtime::Result<Self> {
        let engine = engine()?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let handler = ProxyPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, handler })
    }

    /// Makes a fresh instance.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub(crate) async fn instance(&self) -> wasmtime::Result<Instance> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: Closed,
        };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1_000_000);
        let proxy = self.handler.instantiate_async(&mut store).await?;
        Ok(Instance(store, proxy))
    }
}

impl Instance {
    /// Calls the handler and reads the whole answer; gives its body.
    ///
    /// # Errors
    /// Whatever the engine or the guest says.
    pub(crate) async fn answer(&mut self) -> wasmtime::Result<Bytes> {
        let Instance(store, proxy) = self;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let body = Empty::<Bytes>::new().map_err(|never| -> Error { match never {} }).boxed_unsync();
        let request = http::Request::builder().uri("http://localhost/").body(body)?;
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let out = store.data_mut().http().new_response_outparam(sender)?;
        let answer = async {
            let response = receiver.await.map_err(|_| wasmtime::Error::msg("no answer"))??;
            let body = response.into_body().collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|error| wasmtime::Error::msg(format!("{error:?}")))
        };
        let call = proxy.wasi_http_incoming_handler().call_handle(store, request, out);
        let (called, answered) = tokio::join!(call, answer);
        called?;
        answered
    }
}
