//! The functions of plain values that an actor exports, found once for all calls.

use std::{collections::HashMap, sync::Arc};

use lattice_core::ActorId;
use wasmtime::component::{
    Component, ComponentExportIndex,
    types::{ComponentFunc, ComponentItem},
};

use crate::{exports, values::Signature};

/// By interface: by the name it is exported under, and without the part of its version that compatible ones differ in.
#[derive(Default)]
pub(crate) struct Exported {
    interfaces: HashMap<String, Arc<HashMap<String, Callable>>>,
    /// What is exported at all, for people.
    names: Vec<String>,
}

/// A function, or why nobody can call it.
type Callable = Result<Export, String>;

/// A function that can be called.
pub(crate) struct Export {
    pub(crate) index: ComponentExportIndex,
    pub(crate) signature: Arc<Signature>,
}

impl Exported {
    /// All functions in interfaces that `component` exports.
    pub(crate) fn new(actor: &ActorId, component: &Component) -> Self {
        let (engine, outside) = (component.engine(), component.component_type());
        let mut all = Self::default();
        for (interface, item) in outside.exports(engine) {
            let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
            let Some(outer) = component.get_export_index(None, interface) else { continue };
            let functions = instance.exports(engine).filter_map(|(name, item)| {
                let ComponentItem::ComponentFunc(ty) = item.ty else { return None };
                let index = component.get_export_index(Some(&outer), name)?;
                Some((name.to_owned(), callable(actor, interface, name, index, &ty)))
            });
            let functions: Arc<HashMap<String, Callable>> = Arc::new(functions.collect());
            // Of several compatible ones the last exported answers for those that are not there.
            all.interfaces.insert(compatible(interface).to_owned(), functions.clone());
            all.interfaces.insert(interface.to_owned(), functions);
            all.names.push(interface.to_owned());
        }
        all
    }

    /// The function, in this version of the interface or a compatible one.
    pub(crate) fn find(&self, interface: &str, function: &str) -> Result<&Export, String> {
        let functions = self.interfaces.get(interface).or_else(|| self.interfaces.get(compatible(interface)));
        match functions.and_then(|functions| functions.get(function)) {
            Some(Ok(export)) => Ok(export),
            Some(Err(why)) => Err(format!("{interface}.{function} cannot be called by others: {why}")),
            None if functions.is_some() => Err(format!("the actor's {interface} has no function {function}")),
            None if self.names.is_empty() => Err(format!("the actor exports no {interface}, nor any other")),
            None => Err(format!("the actor exports no {interface}; it exports {}", self.names.join(", "))),
        }
    }
}

fn callable(
    actor: &ActorId,
    interface: &str,
    name: &str,
    index: ComponentExportIndex,
    ty: &ComponentFunc,
) -> Callable {
    let signature = Signature::new(actor, format!("{interface}.{name}"), ty, exports::signature(ty))?;
    Ok(Export { index, signature })
}

/// An interface's name without the part of its version in which compatible ones differ: `a:b/c@1.2.3` becomes `a:b/c@1`,
/// `a:b/c@0.2.3` becomes `a:b/c@0.2`. What is none of these, or a pre-release, is compatible with nothing but itself.
fn compatible(interface: &str) -> &str {
    let Some(at) = interface.rfind('@') else { return interface };
    let version = &interface[at + 1..];
    if version.contains(['-', '+']) {
        return interface;
    }
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    let end = version.match_indices('.').nth(parts - 1).map_or(version.len(), |(dot, _)| dot);
    // `0.0.x` promises nothing.
    if version.starts_with("0.0.") { interface } else { &interface[..at + 1 + end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_as_wit_has_it() {
        for (one, other, fits) in [
            ("a:b/c@1.2.3", "a:b/c@1.0.0", true),
            ("a:b/c@1.2.3", "a:b/c@2.2.3", false),
            ("a:b/c@0.1.0", "a:b/c@0.1.7", true),
            ("a:b/c@0.1.0", "a:b/c@0.2.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c@0.1.0-draft", "a:b/c@0.1.0", false),
            ("a:b/c@10.0.0", "a:b/c@1.0.0", false),
            ("a:b/c", "a:b/c@1.0.0", false),
            ("a:b/c", "a:b/c", true),
        ] {
            assert_eq!(compatible(one) == compatible(other), fits, "{one} {other}");
        }
    }
}
