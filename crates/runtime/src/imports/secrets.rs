//! `wasmcloud:secrets`, as hosts of wasmCloud 1.x have it: the secrets that the actor was given when it was started. Needs no link.
//!
//! `store.get` gives a handle, `reveal.reveal` what is in it. A handle holds the value that the secret had when it was got.

use lattice_core::Secret;
use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Linker, Lower, Resource, ResourceType},
};

use crate::{NoSecret, guest::Guest};

/// The names under which the interfaces are imported.
pub(crate) const INTERFACES: [&str; 2] =
    ["wasmcloud:secrets/store@0.1.0-draft", "wasmcloud:secrets/reveal@0.1.0-draft"];

/// The resource `secret`.
struct Handle {
    secret: Secret,
}

/// The contract's error.
#[derive(ComponentType, Lower)]
#[component(variant)]
#[allow(dead_code, reason = "all cases are part of the type")]
enum SecretsError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
    #[component(name = "not-found")]
    NotFound,
}

impl From<NoSecret> for SecretsError {
    fn from(error: NoSecret) -> Self {
        match error {
            NoSecret::NotFound => SecretsError::NotFound,
            NoSecret::Upstream(why) => SecretsError::Upstream(why),
        }
    }
}

/// What a handle holds, on its way into the guest. It has no `Debug`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum SecretValue {
    #[component(name = "string")]
    String(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        match self {
            SecretValue::String(text) => text.zeroize(),
            SecretValue::Bytes(bytes) => bytes.zeroize(),
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let [store, reveal] = INTERFACES;
    let mut store = linker.instance(store)?;
    store.resource("secret", ResourceType::host::<Handle>(), |mut store, handle| {
        store.data_mut().table().delete(Resource::<Handle>::new_own(handle))?;
        Ok(())
    })?;
    store.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        let found = store.data().way.dispatch().secret(&key);
        let got = match found {
            Ok(secret) => Ok(store.data_mut().table().push(Handle { secret })?),
            Err(error) => Err(SecretsError::from(error)),
        };
        Ok((got,))
    })?;
    linker.instance(reveal)?.func_wrap(
        "reveal",
        |mut store: StoreContextMut<'_, Guest>, (handle,): (Resource<Handle>,)| {
            let secret = &store.data_mut().table().get(&handle)?.secret;
            Ok((match secret.expose_text() {
                Some(text) => SecretValue::String(text.to_owned()),
                None => SecretValue::Bytes(secret.expose().to_vec()),
            },))
        },
    )
}
