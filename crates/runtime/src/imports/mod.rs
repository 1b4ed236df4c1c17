//! What guests may import, and how each import leaves through [`Dispatch`].

mod config;
mod fields;
mod http_outgoing;
mod keyvalue;
pub(crate) mod linked;
mod logging;
mod secrets;
mod way;

use wasmtime::{Engine, component::Linker};

pub(crate) use http_outgoing::incoming_body;
pub(crate) use way::Way;

use crate::{engine::EngineKind, guest::Guest};

/// A linker with everything any guest of this engine may import.
pub(crate) fn linker(kind: EngineKind, engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Once more, and then without the rest of WASI: a guest that only answers needs nothing else of it.
    linker.allow_shadowing(true);
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    fields::add_to_linker(&mut linker)?;
    if kind == EngineKind::Wasip3 {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    keyvalue::add_to_linker(&mut linker)?;
    config::add_to_linker(&mut linker)?;
    logging::add_to_linker(&mut linker)?;
    secrets::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// True for the contracts beyond standard WASI that guests may import, by interface and exact version.
pub(crate) fn is_contract(interface: &str) -> bool {
    let plain = config::INTERFACES.iter().chain(&logging::INTERFACES).chain(&keyvalue::INTERFACES);
    let plain = plain.chain(&secrets::INTERFACES);
    plain.into_iter().any(|served| *served == interface)
}
