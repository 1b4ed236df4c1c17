//! Manifests as data: what they become, what is said about them, and that no text does harm.

mod documented;
mod errors;
mod hostile;
mod plans;

use std::path::Path;

use crate::{Manifest, ManifestErrors};

fn parse(text: &str) -> Result<Manifest, ManifestErrors> {
    let vars = |name: &str| match name {
        "REGISTRY" => Some("localhost:5000".to_owned()),
        "VERSION" => Some("1.10".to_owned()),
        "SECRET" => Some("hunter 2".to_owned()),
        _ => None,
    };
    crate::parse(text, "app.yaml", Path::new("/srv/manifests"), &vars)
}

fn errors(text: &str) -> String {
    match parse(text) {
        Ok(manifest) => format!("no error: {manifest:?}"),
        Err(errors) => errors.to_string(),
    }
}
