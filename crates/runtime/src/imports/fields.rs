//! A bound on the header fields that one invocation makes.
//!
//! Each set of fields has a limit, and handles have one, but their product is more memory than any host has. So the four
//! functions by which a guest makes header bytes are wrapped: they count, and end a guest that goes too far.

use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    FieldMap, WasiHttpView,
    p2::{HeaderResult, bindings::http::types},
};

use crate::guest::Guest;

/// The interface, under the name by which the engine's own functions are linked.
const INTERFACE: &str = "wasi:http/types@0.2.12";
/// What an entry takes besides its name and value.
const ENTRY_BYTES: usize = 64;

type Answer<T> = wasmtime::Result<(Result<T, types::HeaderError>,)>;

/// Puts the counting functions in the place of the engine's own.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut interface = linker.instance(INTERFACE)?;
    interface.func_wrap("[static]fields.from-list", from_list)?;
    interface.func_wrap("[method]fields.set", set)?;
    interface.func_wrap("[method]fields.append", append)?;
    interface.func_wrap("[method]fields.clone", clone)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn from_list(
    mut store: StoreContextMut<'_, Guest>,
    (entries,): (Vec<(String, Vec<u8>)>,),
) -> Answer<Resource<FieldMap>> {
    let guest = store.data_mut();
    guest.count_headers(entries.iter().map(|(name, value)| name.len() + value.len() + ENTRY_BYTES).sum())?;
    let made = types::HostFields::from_list(&mut guest.http(), entries);
    answer(guest, made)
}

fn set(
    mut store: StoreContextMut<'_, Guest>,
    (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>),
) -> Answer<()> {
    let guest = store.data_mut();
    guest.count_headers(name.len() + values.iter().map(|value| value.len() + ENTRY_BYTES).sum::<usize>())?;
    let done = types::HostFields::set(&mut guest.http(), fields, name, values);
    answer(guest, done)
}

fn append(
    mut store: StoreContextMut<'_, Guest>,
    (fields, name, value): (Resource<FieldMap>, String, Vec<u8>),
) -> Answer<()> {
    let guest = store.data_mut();
    guest.count_headers(name.len() + value.len() + ENTRY_BYTES)?;
    let done = types::HostFields::append(&mut guest.http(), fields, name, value);
    answer(guest, done)
}

fn clone(
    mut store: StoreContextMut<'_, Guest>,
    (fields,): (Resource<FieldMap>,),
) -> wasmtime::Result<(Resource<FieldMap>,)> {
    let guest = store.data_mut();
    // The clone shares its content until it is changed; then all of it is copied.
    let content = guest.table().get(&fields)?;
    let bytes = content.iter().map(|(name, value)| name.as_str().len() + value.len() + ENTRY_BYTES).sum();
    guest.count_headers(bytes)?;
    Ok((types::HostFields::clone(&mut guest.http(), fields)?,))
}

fn answer<T>(guest: &mut Guest, result: HeaderResult<T>) -> Answer<T> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(types::Host::convert_header_error(&mut guest.http(), error)?),
    },))
}
