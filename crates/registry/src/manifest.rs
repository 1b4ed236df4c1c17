//! Registry manifests: which layer is the artifact, and what it is.

use serde::Deserialize;

use crate::{FetchError, Kind, artifact::is_digest};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The layer of an actor as it is pushed today.
pub(crate) const WASM_LAYER: &str = "application/wasm";
/// The same until 2024.
const WASM_LAYER_2021: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The layer of a provider.
pub(crate) const PROVIDER_LAYER: &str = "application/vnd.wasmcloud.provider.archive.layer.v1+par";
/// Either; some tools can push nothing else.
const TAR_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A manifest is a page of JSON; the specification lets registries refuse those above 4 MiB.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What to ask a registry for.
pub(crate) fn accept() -> String {
    [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ")
}

/// The one layer that is the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) size: u64,
    /// None where the media type leaves it to the content.
    pub(crate) kind: Option<Kind>,
    pub(crate) media_type: String,
}

/// What a manifest leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    Layer(Layer),
    /// A list; the manifest with this digest is the one for WebAssembly.
    Manifest(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<String>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
}

/// Reads the manifest of `image`.
///
/// # Errors
/// `BadManifest`, `Layers`, `UnsupportedMediaType`.
pub(crate) fn read(image: &str, text: &[u8]) -> Result<Read, FetchError> {
    let bad = |reason: String| FetchError::BadManifest { image: image.to_owned(), reason };
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
    if manifest.schema_version != 2 {
        return Err(bad(format!("schema version {} where 2 is wanted", manifest.schema_version)));
    }
    if let Some(media_type) = &manifest.media_type
        && ![MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media_type.as_str())
    {
        return Err(unsupported(image, media_type));
    }
    let checked = |descriptor: &Descriptor| {
        if is_digest(&descriptor.digest) {
            Ok(descriptor.digest.clone())
        } else {
            Err(bad(format!("{:?} is no sha256 digest", descriptor.digest)))
        }
    };
    match (manifest.layers, manifest.manifests) {
        (Some(layers), None) => match layers.as_slice() {
            [layer] => {
                let (digest, size) = (checked(layer)?, layer.size);
                let kind = kind(image, &layer.media_type)?;
                Ok(Read::Layer(Layer { digest, size, kind, media_type: layer.media_type.clone() }))
            }
            // A container image says more about itself by its type than by its count.
            [first, ..] => {
                kind(image, &first.media_type)?;
                Err(FetchError::Layers { image: image.to_owned(), layers: layers.len() })
            }
            [] => Err(FetchError::Layers { image: image.to_owned(), layers: 0 }),
        },
        (None, Some(manifests)) => {
            let wasm =
                manifests.iter().find(|m| m.platform.as_ref().is_some_and(|p| p.architecture == "wasm"));
            let only = if let [only] = manifests.as_slice() { Some(only) } else { None };
            match wasm.or(only) {
                Some(one) => checked(one).map(Read::Manifest),
                None => Err(unsupported(image, manifest.media_type.as_deref().unwrap_or(INDEX))),
            }
        }
        _ => Err(bad("it has neither layers nor manifests".to_owned())),
    }
}

fn kind(image: &str, media_type: &str) -> Result<Option<Kind>, FetchError> {
    match media_type {
        WASM_LAYER | WASM_LAYER_2021 => Ok(Some(Kind::Actor)),
        PROVIDER_LAYER => Ok(Some(Kind::Provider)),
        TAR_LAYER => Ok(None),
        other => Err(unsupported(image, other)),
    }
}

pub(crate) fn unsupported(image: &str, media_type: &str) -> FetchError {
    FetchError::UnsupportedMediaType {
        image: image.to_owned(),
        media_type: media_type.chars().take(120).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn of(value: Value) -> Result<Read, String> {
        read("r/i:1", value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn layers(media_types: &[&str], manifest_type: Option<&str>) -> Value {
        let layers: Vec<Value> =
            media_types.iter().map(|t| json!({"mediaType": t, "digest": DIGEST, "size": 3})).collect();
        let mut manifest = json!({"schemaVersion": 2, "layers": layers});
        if let Some(media_type) = manifest_type {
            manifest["mediaType"] = json!(media_type);
        }
        manifest
    }

    #[test]
    fn every_layer_type_of_v1_is_read() {
        for (media_type, kind) in [
            (WASM_LAYER, Some(Kind::Actor)),
            (WASM_LAYER_2021, Some(Kind::Actor)),
            (PROVIDER_LAYER, Some(Kind::Provider)),
            (TAR_LAYER, None),
        ] {
            for manifest_type in [None, Some(MANIFEST), Some(DOCKER_MANIFEST)] {
                let Ok(Read::Layer(layer)) = of(layers(&[media_type], manifest_type)) else {
                    panic!("{media_type}")
                };
                assert_eq!((layer.kind, layer.size, layer.digest.as_str()), (kind, 3, DIGEST));
            }
        }
    }

    #[test]
    fn what_is_refused_and_how() {
        let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
        let mut no_digest = layers(&[WASM_LAYER], None);
        no_digest["layers"][0]["digest"] = json!("sha256:../../x");
        let mut version = layers(&[WASM_LAYER], None);
        version["schemaVersion"] = json!(1);
        for (value, part) in [
            (layers(&[gzip, gzip], Some(MANIFEST)), "neither an actor nor a provider"),
            (layers(&[WASM_LAYER, WASM_LAYER], Some(MANIFEST)), "2 layers"),
            (layers(&[], Some(MANIFEST)), "0 layers"),
            (layers(&[WASM_LAYER], Some("text/plain")), "text/plain"),
            (no_digest, "no sha256 digest"),
            (version, "schema version 1"),
            (json!({"schemaVersion": 2}), "neither layers nor manifests"),
            (json!([]), "unusable"),
        ] {
            let error = of(value.clone()).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }

    #[test]
    fn a_list_leads_to_its_wasm_entry_or_its_only_one() {
        let entry = |architecture: &str| json!({"digest": DIGEST, "size": 1, "platform": {"architecture": architecture, "os": "x"}});
        let list =
            |entries: Vec<Value>| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        assert_eq!(of(list(vec![entry("amd64"), entry("wasm")])), Ok(Read::Manifest(DIGEST.to_owned())));
        assert_eq!(of(list(vec![entry("amd64")])), Ok(Read::Manifest(DIGEST.to_owned())));
        assert!(of(list(vec![entry("amd64"), entry("arm64")])).is_err());
    }

    proptest! {
        #[test]
        fn no_manifest_hurts(text in ".{0,200}") {
            let _ = read("x", text.as_bytes());
        }
    }
}
