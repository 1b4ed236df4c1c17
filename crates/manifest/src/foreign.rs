//! Manifests of other programs and times: recognised, named, and refused with a way on.

use crate::{
    error::{ManifestError, Problem},
    tree::{Key, Node, Value},
};

/// Says what the manifest is, if it is not one of ours.
pub(crate) fn recognise(root: &[(Key, Node)]) -> Option<ManifestError> {
    let find = |name: &str| root.iter().find(|(key, _)| key.text == name);
    if let Some((key, _)) = find("apiVersion").or_else(|| find("kind")) {
        let wadm = matches!(find("kind"), Some((_, node)) if is(node, "Application"))
            || matches!(find("apiVersion"), Some((_, node)) if starts(node, "core.oam.dev/"));
        let what =
            if wadm { "a wadm manifest (OAM, kind Application)" } else { "a Kubernetes-style manifest" };
        let help = "write it as app, actors, providers and links; docs/manifest.md shows each part. \
                    A wadm that runs beside the lattice can still deploy the file as it is";
        return Some(key.place.error_with(Problem::Foreign { what }, help));
    }
    let place = find("capabilities")
        .map(|(key, _)| &key.place)
        .or_else(|| old_actor(find("actors")?))
        .or_else(|| old_link(find("links")?))?;
    let help = "capabilities became providers, actors have names (`- name: echo` and `image: …`), and links say \
                `from`, `to` and `contract` by those names; docs/manifest.md puts both side by side";
    Some(place.error_with(Problem::Foreign { what: "a host manifest of 2021" }, help))
}

fn is(node: &Node, text: &str) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.text == text)
}

fn starts(node: &Node, text: &str) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.text.starts_with(text))
}

/// In 2021 actors were a list of references.
fn old_actor((_, node): &(Key, Node)) -> Option<&crate::tree::Place> {
    let Value::List(items) = &node.value else { return None };
    items.iter().find(|item| matches!(item.value, Value::Scalar(_))).map(|item| &item.place)
}

/// In 2021 links had `actor`, `provider_id`, `contract_id` and `values`.
fn old_link((_, node): &(Key, Node)) -> Option<&crate::tree::Place> {
    let Value::List(items) = &node.value else { return None };
    let keys = items.iter().filter_map(|item| match &item.value {
        Value::Map(entries) => Some(entries.iter().map(|(key, _)| key)),
        _ => None,
    });
    keys.flatten()
        .find(|key| matches!(key.text.as_str(), "provider_id" | "contract_id"))
        .map(|key| &key.place)
}
