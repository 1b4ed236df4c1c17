//! Registries that promise one thing and send another. Nothing wrong is ever used, and nothing endless is ever read.

use bytes::Bytes;
use lattice_registry::{FetchConfig, FetchError, Offline};
use serde_json::json;

use crate::{
    ACTOR, cached_in, config,
    fake::{Asked, Body, Fake, by_path, digest, endless, full, honest, manifest_of},
    fetcher, image,
};

async fn refusal(config: FetchConfig, reference: &str, registry: &Fake) -> FetchError {
    let image = image(&format!("{}/{reference}", registry.address()));
    fetcher(config).fetch(&image, Offline::Refuse).await.unwrap_err()
}

/// Serves `a:1` with this manifest and this layer under whatever digest is asked for.
fn serving(manifest: String, layer: Bytes) -> impl Fn(&Asked) -> http::Response<Body> + Send + Sync {
    move |asked| {
        if asked.path.contains("/manifests/") {
            full(200, manifest.clone())
        } else {
            full(200, layer.clone())
        }
    }
}

#[tokio::test]
async fn another_layer_than_promised() {
    let evil = Bytes::from_static(b"\0asm\x0d\0\x01\x01");
    let registry = Fake::start(serving(manifest_of(ACTOR).to_string(), evil)).await;
    let dir = tempfile::tempdir().unwrap();
    let error = refusal(cached_in(dir.path()), "a:1", &registry).await;
    assert!(matches!(error, FetchError::DigestMismatch { part: "layer", .. }), "{error}");
    assert!(!dir.path().join("blobs").exists(), "nothing wrong is kept");
}

#[tokio::test]
async fn another_manifest_than_asked_for() {
    let registry = Fake::start(serving(manifest_of(ACTOR).to_string(), ACTOR.into())).await;
    let error = refusal(config(), &format!("a@{}", digest(b"another")), &registry).await;
    assert!(matches!(error, FetchError::DigestMismatch { part: "manifest", .. }), "{error}");
}

#[tokio::test]
async fn another_manifest_than_its_own_header_says() {
    let registry = Fake::start(|_| {
        let mut answer = full(200, manifest_of(ACTOR).to_string());
        answer.headers_mut().insert("docker-content-digest", digest(b"x").parse().unwrap());
        answer
    })
    .await;
    let error = refusal(config(), "a:1", &registry).await;
    assert!(matches!(error, FetchError::DigestMismatch { part: "manifest", .. }), "{error}");
}

#[tokio::test]
async fn too_much() {
    let small = || FetchConfig { artifact_bytes_max: 4, ..config() };
    let honest_but_large = Fake::start(honest(ACTOR)).await;
    let error = refusal(small(), "a:1", &honest_but_large).await;
    assert!(matches!(error, FetchError::TooLarge { bytes_max: 4, .. }), "{error}");

    let more_than_promised = serving(manifest_of(ACTOR).to_string(), Bytes::from(vec![0; 1000]));
    let error = refusal(config(), "a:1", &Fake::start(more_than_promised).await).await;
    assert!(matches!(error, FetchError::TooLarge { bytes_max: 8, .. }), "{error}");

    let endless_manifest = Fake::start(|_| endless()).await;
    let error = refusal(config(), "a:1", &endless_manifest).await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");

    let manifest = manifest_of(ACTOR).to_string();
    let endless_layer =
        Fake::start(
            move |asked: &Asked| {
                if asked.path.contains("/blobs/") { endless() } else { full(200, manifest.clone()) }
            },
        )
        .await;
    let error = refusal(config(), "a:1", &endless_layer).await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");

    let endless_failure = Fake::start(|_| {
        let mut answer = endless();
        *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
        answer
    })
    .await;
    let error = refusal(config(), "a:1", &endless_failure).await;
    assert!(matches!(error, FetchError::Registry { status: 502, .. }) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn other_things_than_actors() {
    let mut image = manifest_of(ACTOR);
    image["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.diff.tar.gzip");
    let error = refusal(config(), "a:1", &Fake::start(serving(image.to_string(), ACTOR.into())).await).await;
    assert!(matches!(error, FetchError::UnsupportedMediaType { .. }), "{error}");

    let text = Fake::start(serving(manifest_of(b"hello").to_string(), "hello".into())).await;
    let error = refusal(config(), "a:1", &text).await;
    assert!(matches!(error, FetchError::NotAnArtifact { .. }), "{error}");

    let page = Fake::start(|_| full(200, "<html>welcome</html>")).await;
    let error = refusal(config(), "a:1", &page).await;
    assert!(matches!(error, FetchError::BadManifest { .. }), "{error}");
}

#[tokio::test]
async fn a_tar_layer_is_told_by_its_content() {
    let mut manifest = manifest_of(ACTOR);
    manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
    let registry = Fake::start(serving(manifest.to_string(), ACTOR.into())).await;
    let image = image(&format!("{}/a:1", registry.address()));
    let artifact = fetcher(config()).fetch(&image, Offline::Refuse).await.unwrap();
    assert_eq!(artifact.kind, lattice_registry::Kind::Actor);
}

#[tokio::test]
async fn a_list_is_followed_once_and_checked_too() {
    let manifest = manifest_of(ACTOR).to_string();
    let entry = |digest: String| json!({"digest": digest, "size": 1, "platform": {"architecture": "wasm"}});
    let list = json!({"schemaVersion": 2, "manifests": [entry(digest(manifest.as_bytes()))]}).to_string();
    let layer = (format!("/v2/a/blobs/{}", digest(ACTOR)), Bytes::from_static(ACTOR));
    let inner =
        |text: &str| (format!("/v2/a/manifests/{}", digest(manifest.as_bytes())), text.to_owned().into());
    let tag = ("/v2/a/manifests/1".to_owned(), Bytes::from(list));

    let good = Fake::start(by_path(vec![tag.clone(), inner(&manifest), layer.clone()])).await;
    let dir = tempfile::tempdir().unwrap();
    let fetcher = fetcher(cached_in(dir.path()));
    let image = image(&format!("{}/a:1", good.address()));
    let artifact = fetcher.fetch(&image, Offline::Refuse).await.unwrap();
    drop(good);
    assert!(fetcher.fetch(&artifact.resolved, Offline::Refuse).await.unwrap().from_cache());

    let other = manifest_of(b"\0asmother").to_string();
    let bad = Fake::start(by_path(vec![tag, inner(&other), layer])).await;
    let error = refusal(config(), "a:1", &bad).await;
    assert!(matches!(error, FetchError::DigestMismatch { part: "manifest", .. }), "{error}");
}
