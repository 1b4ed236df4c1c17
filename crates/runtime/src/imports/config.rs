//! `wasi:config`: the actor's configuration as it is at the moment of the call. Needs no link, never fails.

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Linker, Lower},
};

use crate::guest::Guest;

/// The names under which configuration is imported; all have the same functions.
pub(crate) const INTERFACES: [&str; 3] =
    ["wasi:config/runtime@0.2.0-draft", "wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft"];

/// The contract's error; nothing here makes one, but its type is part of the functions'.
#[derive(Clone, ComponentType, Lower)]
#[component(variant)]
#[allow(dead_code, reason = "configuration is at hand, so reading it cannot fail")]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for name in INTERFACES {
        let mut interface = linker.instance(name)?;
        interface.func_wrap("get", |store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            let value = store.data().way.dispatch().config().get(&key).cloned();
            Ok((Ok::<_, ConfigError>(value),))
        })?;
        interface.func_wrap("get-all", |store: StoreContextMut<'_, Guest>, (): ()| {
            let config = store.data().way.dispatch().config();
            let all: Vec<(String, String)> = config.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            Ok((Ok::<_, ConfigError>(all),))
        })?;
    }
    Ok(())
}
