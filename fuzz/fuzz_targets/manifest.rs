//! Manifests, with variables of which some have a value.
#![no_main]

use std::collections::BTreeSet;

use lattice_fuzz::{bounded, text};
use lattice_manifest::{Manifest, ManifestErrors, parse};
use libfuzzer_sys::fuzz_target;

// The tree knows the place of every node in it, and every error keeps the text.
fuzz_target!(|data: &[u8]| bounded(data, 4096, read));

fn read(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let vars = |name: &str| match name {
        "V" => Some("hello".to_owned()),
        "EMPTY" => Some(String::new()),
        "ODD" => Some("a: [b\n- ${V}".to_owned()),
        _ => None,
    };
    match parse(text, "fuzz.yaml", "/srv".as_ref(), &vars) {
        Ok(manifest) => holds_together(&manifest),
        Err(errors) => say_where(text, &errors),
    }
}

/// What the plan's description promises.
fn holds_together(manifest: &Manifest) {
    let plan = manifest.plan();
    let configs: BTreeSet<_> = plan.configs.iter().map(|config| &config.name).collect();
    assert_eq!(configs.len(), plan.configs.len(), "names of configurations are distinct");
    let ids = plan.actors.iter().map(|actor| actor.id.as_str());
    let ids: BTreeSet<_> = ids.chain(plan.providers.iter().map(|provider| provider.id.as_str())).collect();
    assert_eq!(ids.len(), plan.actors.len() + plan.providers.len(), "so are those of actors and providers");
    let keys: BTreeSet<_> = plan.links.iter().map(|link| link.check().expect("links were checked")).collect();
    assert_eq!(keys.len(), plan.links.len(), "so are links");
    assert!(plan.actors.iter().all(|actor| actor.replicas > 0 && actor.concurrency > 0 && actor.reuse > 0));
}

fn say_where(text: &str, errors: &ManifestErrors) {
    assert!(!errors.errors().is_empty());
    for error in errors.errors() {
        let span = error.span.clone();
        assert!(span.start <= span.end && text.get(span).is_some(), "{error:?}");
        assert!(error.line >= 1 && error.column >= 1, "{error:?}");
    }
    let _ = errors.to_string();
}
