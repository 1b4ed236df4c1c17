//! Pushing: an actor or a provider becomes a manifest, a config and one layer.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lattice_core::{ImageRef, OciRef};
use oci_client::{
    Reference,
    client::{Client, ClientConfig, ClientProtocol},
    errors::{OciDistributionError, OciErrorCode},
    manifest::{OciDescriptor, OciImageManifest},
    secrets::RegistryAuth,
};
use serde::Serialize;
use serde_json::{Value, json};
use wasmparser::{Encoding, Parser, Payload};

use crate::{
    FetchError, Kind,
    artifact::digest_of,
    fetch::Shared,
    file::not_an_artifact,
    manifest::{MANIFEST, PROVIDER_LAYER, WASM_LAYER},
    oci,
    session::{Access, Authorization, Session},
};

const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const PROVIDER_CONFIG: &str = "application/vnd.wasmcloud.provider.archive.config";

/// What to write beside the bytes.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Who made it; actors only.
    pub author: Option<String>,
    /// The config of a provider, in place of `{}`.
    pub provider_config: Option<Bytes>,
    /// When it was made; now where this is none. The same bytes with the same time get the same digest.
    pub created: Option<SystemTime>,
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: String,
    /// The reference with that digest.
    pub resolved: ImageRef,
    /// What it was taken for.
    pub kind: Kind,
}

pub(crate) async fn push(
    shared: &Shared,
    image: &ImageRef,
    bytes: Bytes,
    options: PushOptions,
) -> Result<Pushed, FetchError> {
    let not_pushable = |reason| FetchError::NotPushable { image: image.to_string(), reason };
    let ImageRef::Oci(image) = image else { return Err(not_pushable("it is no registry's")) };
    let image = oci::fixed(image, shared.config.allow_latest)?;
    let bytes_max = shared.config.artifact_bytes_max;
    if bytes.len() as u64 > bytes_max {
        return Err(FetchError::TooLarge { what: image.to_string(), bytes_max });
    }
    let kind = Kind::sniff(&bytes).ok_or_else(|| not_an_artifact("the file to push", &bytes))?;
    let parts = Parts::new(kind, bytes, options);
    let digest = digest_of(&parts.manifest);
    // It follows from the content, and cannot be chosen.
    if let Some(wanted) = image.digest.as_ref().filter(|wanted| **wanted != digest) {
        let (image, wanted) = (image.to_string(), wanted.clone());
        return Err(FetchError::OtherDigest { image, wanted, made: digest });
    }
    let session = Session::new(&shared.client, &shared.config, &image, Access::Push);
    let upload = upload(shared, &session, &image, &parts);
    match tokio::time::timeout(shared.config.timeout, upload).await {
        Ok(outcome) => outcome?,
        Err(_) => return Err(session.timeout(shared.config.timeout)),
    }
    let resolved = ImageRef::Oci(OciRef { digest: Some(digest.clone()), ..image });
    Ok(Pushed { digest, resolved, kind })
}

struct Parts {
    layer: Bytes,
    config: Bytes,
    manifest: Bytes,
}

impl Parts {
    fn new(kind: Kind, layer: Bytes, options: PushOptions) -> Parts {
        let (layer_type, config_type, config) = match kind {
            Kind::Actor => (WASM_LAYER, WASM_CONFIG, Bytes::from(wasm_config(&layer, &options).to_string())),
            Kind::Provider => {
                let config = options.provider_config.unwrap_or_else(|| Bytes::from_static(b"{}"));
                (PROVIDER_LAYER, PROVIDER_CONFIG, config)
            }
        };
        let manifest = OciImageManifest {
            // wasmCloud pushes providers without, and some of its versions compare.
            media_type: (kind == Kind::Actor).then(|| MANIFEST.to_owned()),
            config: descriptor(config_type, &config),
            layers: vec![descriptor(layer_type, &layer)],
            annotations: (!options.annotations.is_empty()).then_some(options.annotations),
            ..OciImageManifest::default()
        };
        // Through a value without the order of fields, so that the keys are sorted as wash 0.x and 1.x sort them.
        let manifest = sorted(&manifest);
        Parts { layer, config, manifest }
    }
}

fn descriptor(media_type: &str, bytes: &Bytes) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: digest_of(bytes),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// JSON with its keys sorted at every level.
fn sorted(value: &impl Serialize) -> Bytes {
    fn sort(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let sorted: BTreeMap<String, Value> = fields.into_iter().map(|(k, v)| (k, sort(v))).collect();
                Value::Object(sorted.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
            other => other,
        }
    }
    let value = serde_json::to_value(value).expect("a manifest holds texts, numbers and maps of texts");
    Bytes::from(sort(value).to_string())
}

/// The config that tools of the wasm ecosystem read: what the component asks for and offers.
fn wasm_config(wasm: &[u8], options: &PushOptions) -> Value {
    let created = options.created.unwrap_or_else(SystemTime::now);
    let seconds = created.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let created = lattice_claims::utc_text(seconds).replace(" UTC", "Z").replacen(' ', "T", 1);
    let interfaces = interfaces(wasm);
    let mut config = json!({
        "created": created,
        "architecture": "wasm",
        "os": if interfaces.is_some() { "wasip2" } else { "wasip1" },
        "layerDigests": [digest_of(wasm)],
    });
    if let Some(author) = &options.author {
        config["author"] = json!(author);
    }
    if let Some((imports, exports)) = interfaces {
        config["component"] = json!({ "exports": exports, "imports": imports, "target": null });
    }
    config
}

/// Imports and exports of a component by name; nothing for a core module. What cannot be read is left out: whether the
/// file is sound is asked where it is started.
fn interfaces(wasm: &[u8]) -> Option<(Vec<String>, Vec<String>)> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::Version { encoding: Encoding::Module, .. }) if depth == 0 => return None,
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                imports.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(Payload::ComponentExportSection(section)) if depth == 0 => {
                exports.extend(section.into_iter().flatten().map(|export| export.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Some((imports, exports))
}

async fn upload(
    shared: &Shared,
    session: &Session<'_>,
    image: &OciRef,
    parts: &Parts,
) -> Result<(), FetchError> {
    let auth = match session.authorize().await? {
        Authorization::Nobody => RegistryAuth::Anonymous,
        Authorization::Basic { user, password } => RegistryAuth::Basic(user, password),
        Authorization::Bearer { token } => RegistryAuth::Bearer(token),
    };
    let protocol = if session.scheme() == "http" { ClientProtocol::Http } else { ClientProtocol::Https };
    let silence = Some(shared.config.silence_max);
    let config =
        ClientConfig { protocol, connect_timeout: silence, read_timeout: silence, ..ClientConfig::default() };
    let client = Client::try_from(config).map_err(|error| FetchError::Setup { reason: error.to_string() })?;
    let (server, repository) = (session.server().to_owned(), session.repository().to_owned());
    // With both, the tag is made to mean the digest.
    let target = match (&image.tag, &image.digest) {
        (None, Some(digest)) => Reference::with_digest(server, repository, digest.clone()),
        (tag, _) => Reference::with_tag(server, repository, tag.clone().unwrap_or_default()),
    };
    let failed = |error| failure(session, error);
    client.store_auth_if_needed(target.resolve_registry(), &auth).await;
    for blob in [&parts.layer, &parts.config] {
        client.push_blob(&target, blob.clone(), &digest_of(blob)).await.map_err(failed)?;
    }
    let content_type = http::HeaderValue::from_static(MANIFEST);
    client.push_manifest_raw(&target, parts.manifest.clone(), content_type).await.map_err(failed)?;
    Ok(())
}

/// What oci-client's errors are called here.
fn failure(session: &Session<'_>, error: OciDistributionError) -> FetchError {
    match error {
        OciDistributionError::RequestError(error) => match error.status() {
            Some(status) => session.refused(status.as_u16(), status.canonical_reason().unwrap_or_default()),
            None => session.transport(&error),
        },
        OciDistributionError::UnauthorizedError { .. } => session.unauthorized("pushing needs a login"),
        OciDistributionError::AuthenticationFailure(reason) => session.unauthorized(&reason),
        OciDistributionError::ServerError { code, message, .. } => session.refused(code, message.trim()),
        OciDistributionError::RegistryError { envelope, .. } => {
            let denied =
                |code: &OciErrorCode| matches!(code, OciErrorCode::Denied | OciErrorCode::Unauthorized);
            let said: Vec<String> =
                envelope.errors.iter().map(|e| format!("{:?} {}", e.code, e.message)).collect();
            let status = if envelope.errors.iter().any(|e| denied(&e.code)) { 403 } else { 400 };
            session.refused(status, said.join(", ").trim())
        }
        other => session.refused(400, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports `wasi:logging/logging` and exports an instance.
    fn component() -> Vec<u8> {
        wat::parse_str(
            r#"(component
                (import "wasi:logging/logging@0.1.0-draft" (instance))
                (component $inner (import "hidden:inner/x" (instance)))
                (instance $i)
                (export "wasi:http/incoming-handler@0.2.0" (instance $i)))"#,
        )
        .unwrap()
    }

    #[test]
    fn an_actor_becomes_what_v1_reads() {
        let options = PushOptions {
            created: Some(UNIX_EPOCH),
            author: Some("me".to_owned()),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            ..PushOptions::default()
        };
        let parts = Parts::new(Kind::Actor, Bytes::from(component()), options);
        let config: Value = serde_json::from_slice(&parts.config).unwrap();
        assert_eq!(config["created"], "1970-01-01T00:00:00Z");
        assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
        assert_eq!(config["component"]["imports"], json!(["wasi:logging/logging@0.1.0-draft"]));
        assert_eq!(config["component"]["exports"], json!(["wasi:http/incoming-handler@0.2.0"]));
        assert_eq!(config["layerDigests"], json!([digest_of(&parts.layer)]));
        let manifest: Value = serde_json::from_slice(&parts.manifest).unwrap();
        let keys: Vec<&String> = manifest.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["annotations", "config", "layers", "mediaType", "schemaVersion"]);
        assert_eq!(manifest["config"]["mediaType"], WASM_CONFIG);
        assert_eq!(manifest["layers"][0]["mediaType"], WASM_LAYER);
        assert_eq!(manifest["annotations"]["a"], "b");
    }

    #[test]
    fn a_core_module_says_so() {
        let config = wasm_config(b"\0asm\x01\0\0\0", &PushOptions::default());
        assert_eq!((&config["os"], config.get("component")), (&json!("wasip1"), None));
    }

    #[test]
    fn a_provider_has_no_media_type() {
        let layer = Bytes::from_static(&[0x1f, 0x8b]);
        let parts = Parts::new(Kind::Provider, layer, PushOptions::default());
        let manifest: Value = serde_json::from_slice(&parts.manifest).unwrap();
        assert_eq!(manifest.get("mediaType"), None);
        assert_eq!(manifest["config"]["mediaType"], PROVIDER_CONFIG);
        assert_eq!(&parts.config[..], b"{}");
    }
}
