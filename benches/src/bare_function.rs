//! The limit of calls between hosts: wasmtime alone, with the engine settings of the host, calling one plain function.

use wasmtime::{
    Engine, Store,
    component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bare::engine;

/// The interface and function that are called; `examples/actors/calculator` exports them.
pub(crate) const INTERFACE: &str = "demo:calls/math@0.1.0";
/// The function of [`INTERFACE`].
pub(crate) const FUNCTION: &str = "add";

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// An actor's function with nothing around it.
pub(crate) struct BareFunction {
    engine: Engine,
    linked: InstancePre<State>,
    index: ComponentExportIndex,
}

impl BareFunction {
    /// Compiles `wasm` and finds the function in it.
    ///
    /// # Errors
    /// Whatever the engine says; a component without the function.
    pub(crate) fn new(wasm: &[u8]) -> wasmtime::Result<Self> {
        let engine = engine()?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let none = || wasmtime::Error::msg(format!("the actor exports no {INTERFACE}.{FUNCTION}"));
        let interface = component.get_export_index(None, INTERFACE).ok_or_else(none)?;
        let index = component.get_export_index(Some(&interface), FUNCTION).ok_or_else(none)?;
        Ok(Self { linked: linker.instantiate_pre(&component)?, engine, index })
    }

    /// Adds in a fresh instance.
    ///
    /// # Errors
    /// Whatever the engine or the guest says.
    pub(crate) async fn add(&self, a: u32, b: u32) -> wasmtime::Result<Option<u32>> {
        let state = State { table: ResourceTable::new(), wasi: WasiCtx::builder().build() };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1_000_000);
        let instance = self.linked.instantiate_async(&mut store).await?;
        let add = instance.get_typed_func::<(u32, u32), (Option<u32>,)>(&mut store, self.index)?;
        let (sum,) = add.call_async(&mut store, (a, b)).await?;
        Ok(sum)
    }
}
