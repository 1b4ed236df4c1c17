//! Interfaces of anybody's, served by whoever is linked: the functions of another actor.

use std::sync::Arc;

use lattice_core::{ActorId, CallError, Contract, known};
use wasmtime::{
    Engine, StoreContextMut,
    component::{
        Component, Linker, Type, Val,
        types::{ComponentFunc, ComponentInstance, ComponentItem},
    },
};

use crate::{
    component::{Interface, Outside},
    engine::EngineKind,
    exports,
    guest::Guest,
    meter::Elsewhere,
    values::{Shape, Signature, Values},
};

/// A call of another actor that did not come back with a result. Interfaces of anybody's have no error that would say so,
/// so it ends the guest.
#[derive(Debug, thiserror::Error)]
#[error("its call of {function} failed: {error}")]
pub(crate) struct CallFailed {
    /// `namespace:package/interface@version.function`.
    pub(crate) function: String,
    pub(crate) error: CallError,
}

/// What a component imports beyond what the host itself serves.
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    /// Interfaces that a link may give, with their functions.
    pub(crate) linkable: Vec<Linkable>,
    /// Imports that nobody can serve, and why where there is more to say.
    pub(crate) unservable: Vec<String>,
}

/// An imported interface of nothing but functions of plain values.
#[derive(Debug)]
pub(crate) struct Linkable {
    pub(crate) interface: Interface,
    pub(crate) contract: Contract,
    functions: Vec<(String, ComponentFunc)>,
}

impl Foreign {
    /// Looks through the imports of `component`. Interfaces with nothing but types need nobody to serve them.
    pub(crate) fn new(kind: EngineKind, outside: &Outside, component: &Component) -> Self {
        let (engine, ty) = (component.engine(), component.component_type());
        let mut foreign = Self::default();
        for import in outside.imports.iter().filter(|import| !import.is_served(kind)) {
            let name = import.to_string();
            let item = ty.get_import(engine, &name).map(|import| import.ty);
            let Some(ComponentItem::ComponentInstance(instance)) = item else {
                foreign.unservable.push(name);
                continue;
            };
            match linkable(engine, import, &instance) {
                Ok(Some(linkable)) => foreign.linkable.push(linkable),
                Ok(None) => {}
                Err(why) if why.is_empty() => foreign.unservable.push(name),
                Err(why) => foreign.unservable.push(format!("{name} ({why})")),
            }
        }
        foreign.unservable.extend(outside.bare_imports.iter().cloned());
        foreign
    }
}

/// `None` where the interface has only types; the error says why no link can give it, where there is more to say.
fn linkable(
    engine: &Engine,
    interface: &Interface,
    instance: &ComponentInstance,
) -> Result<Option<Linkable>, String> {
    let mut functions = Vec::new();
    for (name, item) in instance.exports(engine) {
        match item.ty {
            ComponentItem::Type(_) => {}
            ComponentItem::ComponentFunc(ty) => functions.push((name.to_owned(), ty)),
            ComponentItem::Resource(_) => return Err(format!("no link gives a resource, as {name} is")),
            _ => return Err(format!("no link gives what {name} is")),
        }
    }
    if functions.is_empty() {
        return Ok(None);
    }
    // A contract of the host's in a version it does not know is no other actor's to serve.
    let contract = interface.contract().ok_or_else(String::new)?;
    if interface.is_of_wasi() || known(&contract).is_some() {
        return Err(String::new());
    }
    for (name, ty) in &functions {
        let plain = |ty: Type| Shape::of(&ty);
        let what = ty.params().map(|(_, ty)| plain(ty)).chain(ty.results().map(plain)).find_map(Result::err);
        if let Some(what) = what.or(ty.async_().then_some("an async function")) {
            return Err(format!("no link carries {what}, which its {name} has"));
        }
    }
    Ok(Some(Linkable { interface: interface.clone(), contract, functions }))
}

/// One imported function.
struct Import {
    interface: Interface,
    /// The interface as it is written.
    name: String,
    function: String,
    signature: Arc<Signature>,
}

/// Makes the functions of `linkable` calls of whoever is linked at the time.
pub(crate) fn add_to_linker(
    linker: &mut Linker<Guest>,
    actor: &ActorId,
    linkable: &Linkable,
) -> wasmtime::Result<()> {
    let name = linkable.interface.to_string();
    let mut instance = linker.instance(&name)?;
    for (function, ty) in &linkable.functions {
        let text = exports::signature(ty);
        let signature = Signature::new(actor, format!("{name}.{function}"), ty, text)
            .map_err(|why| wasmtime::Error::msg(format!("{name}.{function}: {why}")))?;
        let import = Arc::new(Import {
            interface: linkable.interface.clone(),
            name: name.clone(),
            function: function.clone(),
            signature,
        });
        instance.func_new_async(function, move |store, _, params, results| {
            Box::new(call(store, import.clone(), params, results))
        })?;
    }
    Ok(())
}

async fn call(
    store: StoreContextMut<'_, Guest>,
    import: Arc<Import>,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let Import { interface, name, function, signature } = &*import;
    let way = &store.data().way;
    let watch = way.watch.clone();
    let bound = way.dispatch().function(&way.call, &way.link, interface, function);
    let called = match bound {
        Ok(bound) => {
            let params = Values::params(params, signature);
            let answer = bound.implementation.invoke(bound.call, name, function, params);
            Elsewhere::new(watch, answer).await
        }
        Err(error) => Err(error),
    };
    let value = called
        .and_then(|values| values.into_result(signature))
        .map_err(|error| CallFailed { function: signature.name.clone(), error })?;
    if let (Some(slot), Some(value)) = (results.first_mut(), value) {
        *slot = value;
    }
    Ok(())
}
