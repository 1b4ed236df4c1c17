//! The functions that a component exports: finding one by its name, and telling which there are.

use wasmtime::{
    Engine,
    component::{
        Component, ComponentExportIndex, Type,
        types::{ComponentFunc, ComponentItem},
        wasm_wave::wasm::DisplayType,
    },
};

/// How many functions are listed.
const LISTED_MAX: usize = 32;

/// The longest signature that is shown, in characters.
const SIGNATURE_MAX: usize = 240;

/// A function that was looked for.
pub(crate) struct Found {
    /// Its whole name, with the interface's version.
    pub(crate) name: String,
    pub(crate) index: ComponentExportIndex,
    pub(crate) ty: ComponentFunc,
}

/// The function of that name; the interface's version may be left out where there is only one.
pub(crate) fn find(component: &Component, wanted: &str) -> Result<Found, String> {
    let engine = component.engine();
    let (interface, function) = parts(wanted);
    let outside = component.component_type();
    let Some(interface) = interface else {
        return match outside.get_export(engine, function).map(|found| found.ty) {
            Some(ComponentItem::ComponentFunc(ty)) => {
                found(component, None, function, ty).ok_or_else(|| none(component, wanted))
            }
            _ => Err(none(component, wanted)),
        };
    };
    let named = outside.exports(engine).filter_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) if is(name, interface) => Some((name, instance)),
        _ => None,
    });
    let mut having = named.filter_map(|(name, instance)| match instance.get_export(engine, function)?.ty {
        ComponentItem::ComponentFunc(ty) => Some((name, ty)),
        _ => None,
    });
    match (having.next(), having.next()) {
        (Some((name, ty)), None) => {
            found(component, Some(name), function, ty).ok_or_else(|| none(component, wanted))
        }
        (Some((one, _)), Some((other, _))) => Err(format!(
            "the actor exports {wanted} in more than one version; write which: {one}.{function} or {other}.{function}"
        )),
        (None, _) => Err(none(component, wanted)),
    }
}

/// Interface and function. An interface's version has dots; a function's own name has none, unless it is a method's.
fn parts(wanted: &str) -> (Option<&str>, &str) {
    let method = wanted.find(".[").map(|dot| (&wanted[..dot], &wanted[dot + 1..]));
    match method.or_else(|| wanted.rsplit_once('.')) {
        Some((interface, function)) => (Some(interface), function),
        None => (None, wanted),
    }
}

/// Whether an export of this name is the interface wanted, as it stands or without its version.
fn is(name: &str, wanted: &str) -> bool {
    name == wanted || name.split_once('@').is_some_and(|(unversioned, _)| unversioned == wanted)
}

fn found(component: &Component, interface: Option<&str>, function: &str, ty: ComponentFunc) -> Option<Found> {
    let outer = match interface {
        Some(interface) => Some(component.get_export_index(None, interface)?),
        None => None,
    };
    let index = component.get_export_index(outer.as_ref(), function)?;
    let name = interface.map_or_else(|| function.to_owned(), |interface| format!("{interface}.{function}"));
    Some(Found { name, index, ty })
}

fn none(component: &Component, wanted: &str) -> String {
    let all = list(component);
    match all.as_slice() {
        [] => format!("the actor exports no function {wanted:?}, nor any other that can be called by hand"),
        all => {
            let (shown, more) = all.split_at(all.len().min(LISTED_MAX));
            let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
            format!("the actor exports no function {wanted:?}; it exports {}{more}", shown.join(", "))
        }
    }
}

/// Every function that can be called with text, with its signature.
pub(crate) fn list(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let outside = component.component_type();
    let mut all = Vec::new();
    for (name, item) in outside.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(ty) => all.extend(line(name.to_owned(), &ty)),
            ComponentItem::ComponentInstance(instance) => all.extend(functions(engine, name, &instance)),
            _ => {}
        }
    }
    all
}

fn functions(
    engine: &Engine,
    interface: &str,
    instance: &wasmtime::component::types::ComponentInstance,
) -> Vec<String> {
    let functions = instance.exports(engine).filter_map(|(name, item)| match item.ty {
        ComponentItem::ComponentFunc(ty) => line(format!("{interface}.{name}"), &ty),
        _ => None,
    });
    functions.collect()
}

fn line(name: String, ty: &ComponentFunc) -> Option<String> {
    inexpressible(ty).is_none().then(|| format!("{name}: {}", signature(ty)))
}

/// `func(a: u32) -> u32`.
pub(crate) fn signature(ty: &ComponentFunc) -> String {
    let params: Vec<String> = ty.params().map(|(name, ty)| format!("{name}: {}", DisplayType(&ty))).collect();
    let result = ty.results().next().map(|ty| format!(" -> {}", DisplayType(&ty))).unwrap_or_default();
    cut(format!("func({}){result}", params.join(", ")))
}

/// A type as WIT writes it, records and variants spelled out.
pub(crate) fn type_text(ty: &Type) -> String {
    cut(DisplayType(ty).to_string())
}

fn cut(text: String) -> String {
    if text.chars().count() <= SIGNATURE_MAX {
        return text;
    }
    text.chars().take(SIGNATURE_MAX).chain(['…']).collect()
}

/// The first parameter, or the result, that cannot be written as text, and why not.
pub(crate) fn inexpressible(ty: &ComponentFunc) -> Option<(String, &'static str)> {
    let parameter = ty.params().find_map(|(name, ty)| Some((format!("parameter {name}"), unwritable(&ty)?)));
    parameter.or_else(|| ty.results().find_map(|ty| Some(("result".to_owned(), unwritable(&ty)?))))
}

/// What in a type cannot be written. The engine bounds how deep and how large types are.
fn unwritable(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("resource"),
        Type::Stream(_) => Some("stream"),
        Type::Future(_) => Some("future"),
        Type::ErrorContext => Some("error context"),
        Type::Map(_) => Some("map"),
        _ => members(ty).iter().find_map(unwritable),
    }
}

/// The types that a type of plain values is made of.
pub(crate) fn members(ty: &Type) -> Vec<Type> {
    match ty {
        Type::List(list) => vec![list.ty()],
        Type::FixedLengthList(list) => vec![list.ty()],
        Type::Option(option) => vec![option.ty()],
        Type::Result(result) => [result.ok(), result.err()].into_iter().flatten().collect(),
        Type::Record(record) => record.fields().map(|field| field.ty).collect(),
        Type::Tuple(tuple) => tuple.types().collect(),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_part_at_the_function() {
        for (wanted, want) in [
            ("greet", (None, "greet")),
            ("math.add", (Some("math"), "add")),
            ("a:b/c.d", (Some("a:b/c"), "d")),
            ("a:b/c@0.1.0-rc.1.d", (Some("a:b/c@0.1.0-rc.1"), "d")),
            ("a:b/c@1.0.0.[method]r.d", (Some("a:b/c@1.0.0"), "[method]r.d")),
            (".", (Some(""), "")),
            ("", (None, "")),
        ] {
            assert_eq!(parts(wanted), want, "{wanted}");
        }
        assert!(is("a:b/c@1.0.0", "a:b/c") && is("a:b/c@1.0.0", "a:b/c@1.0.0") && is("math", "math"));
        assert!(!is("a:b/c@1.0.0", "a:b/c@1.0") && !is("math", ""));
    }
}
