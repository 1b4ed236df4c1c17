//! What a store holds for its guest: WASI with nothing in it, the tables of handles, the limits, and the current call.

use std::sync::Arc;

use lattice_contracts::{CallContext, logging::Stream};
use wasmtime::{Engine, Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::{
    Dispatch,
    budget::{Budget, Limiter},
    config::{ActorSpec, Limits},
    imports::Way,
    meter::{CpuSpent, Meter},
    output::{Output, Pipe},
    pool::House,
    ticker::{Ticks, ticks_in},
};

/// The largest piece of random bytes a guest gets at once.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;

/// What one call of the host may be given by a guest, in bytes.
const HOSTCALL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A store's data.
pub(crate) struct Guest {
    table: ResourceTable,
    /// Made when the guest first asks for something of it: most answer without.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    /// The way out, with the call that is being served.
    pub(crate) way: Way,
    pub(crate) limiter: Limiter,
    /// Bytes of header fields that the current call may still make.
    headers_left: usize,
}

/// What is the same for every store of an actor.
pub(crate) struct GuestKit {
    pub(crate) spec: ActorSpec,
    pub(crate) limits: Limits,
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) house: Arc<House>,
    pub(crate) ticks: Ticks,
}

/// What outlives the guest's future while a call runs, to look at it from outside.
///
/// The parts of a store share this one, and through it the kit: what all stores of an actor share is counted at each
/// start and end of a store, and such counts travel between processors.
pub(crate) struct Watch {
    pub(crate) meter: Meter,
    pub(crate) output: Output,
}

impl Watch {
    /// The current tick.
    pub(crate) fn now(&self) -> u64 {
        self.output.kit().ticks.now()
    }
}

impl GuestKit {
    /// What there is to look at in a call from outside.
    pub(crate) fn watch(self: &Arc<Self>, call: &CallContext) -> Arc<Watch> {
        let meter = Meter::new(ticks_in(self.limits.cpu));
        Arc::new(Watch { meter, output: Output::new(self.clone(), call) })
    }

    /// A store for a guest that is to serve `call` first.
    pub(crate) fn store(&self, engine: &Engine, call: Arc<CallContext>, watch: &Arc<Watch>) -> Store<Guest> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(self.limits.handles);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(self.limits.header_bytes);
        let guest = Guest {
            table,
            wasi: None,
            http,
            way: Way::new(call, watch.clone()),
            limiter: Limiter::new(self.budget.clone(), self.limits.clone()),
            headers_left: self.limits.headers_total_bytes,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_max_component_handles(self.limits.handles);
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        store.set_epoch_deadline(1);
        // A busy guest yields at each tick, so that it holds no thread; what is spent ends it.
        let watch = watch.clone();
        store.epoch_deadline_callback(move |_| {
            if watch.meter.is_spent(watch.now()) {
                Err(CpuSpent.into())
            } else {
                Ok(UpdateDeadline::Yield(1))
            }
        });
        store
    }
}

/// Standard WASI with nothing in it: no preopens, sockets, names, environment or arguments; standard input has ended.
fn empty_wasi(watch: &Arc<Watch>) -> WasiCtx {
    WasiCtx::builder()
        .stdout(Pipe::new(watch.clone(), Stream::Stdout))
        .stderr(Pipe::new(watch.clone(), Stream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_BYTES_MAX)
        .build()
}

impl Guest {
    /// Turns to the next call.
    pub(crate) fn begin(&mut self, call: Arc<CallContext>, limits: &Limits) {
        self.headers_left = limits.headers_total_bytes;
        self.way.begin(call);
    }

    /// Counts header bytes that the guest is about to make.
    pub(crate) fn count_headers(&mut self, bytes: usize) -> wasmtime::Result<()> {
        match self.headers_left.checked_sub(bytes) {
            Some(left) => self.headers_left = left,
            None => wasmtime::bail!("it made more header fields than one invocation may"),
        }
        Ok(())
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { wasi, way, table, .. } = self;
        WasiCtxView { ctx: wasi.get_or_insert_with(|| empty_wasi(&way.watch)), table }
    }
}

/// The streams of `wasi:io` need no more than the table of handles.
impl IoView for Guest {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.way }
    }
}
