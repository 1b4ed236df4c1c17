//! Debian's docker-registry: push, pull, cache, and what it looks like when its store is tampered with.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use lattice_core::ImageRef;
use lattice_registry::{FetchError, Kind, Offline, PushOptions, Source};
use lattice_testkit::Registry;

use crate::{ACTOR, actor, cached_in, config, fetcher, image};

#[tokio::test]
async fn pushed_by_tag_pulled_by_tag_and_digest() {
    let registry = Registry::start().await.unwrap();
    let tag = image(&format!("{}/examples/hello:0.1.0", registry.address()));
    let fetcher = fetcher(config());
    let options =
        PushOptions { annotations: [("k".to_owned(), "v".to_owned())].into(), ..Default::default() };
    let pushed = fetcher.push(&tag, actor(), options).await.unwrap();
    assert_eq!(pushed.kind, Kind::Actor);

    let by_tag = fetcher.fetch(&tag, Offline::Refuse).await.unwrap();
    assert_eq!(&by_tag.bytes[..], ACTOR);
    assert_eq!(by_tag.manifest_digest.as_deref(), Some(pushed.digest.as_str()));
    assert_eq!((by_tag.kind, by_tag.source), (Kind::Actor, Source::Registry));
    assert_eq!(by_tag.resolved, pushed.resolved);

    let bare = format!("{}/examples/hello@{}", registry.address(), pushed.digest);
    let by_digest = fetcher.fetch(&image(&bare), Offline::Refuse).await.unwrap();
    assert_eq!(&by_digest.bytes[..], ACTOR);
}

#[tokio::test]
async fn a_provider_archive_keeps_its_kind() {
    let registry = Registry::start().await.unwrap();
    let tag = image(&format!("{}/provider:1", registry.address()));
    let fetcher = fetcher(config());
    let archive: &[u8] = &[0x1f, 0x8b, 8, 0, 0];
    let pushed = fetcher.push(&tag, archive.into(), PushOptions::default()).await.unwrap();
    assert_eq!(pushed.kind, Kind::Provider);
    let artifact = fetcher.fetch(&tag, Offline::Refuse).await.unwrap();
    assert_eq!((artifact.kind, &artifact.bytes[..]), (Kind::Provider, archive));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let registry = Registry::start().await.unwrap();
    let error =
        fetcher(config()).fetch(&image(&format!("{}/a:1", registry.address())), Offline::Refuse).await;
    let error = error.unwrap_err();
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    assert!(error.remedy().contains("wash reg push"));
}

#[tokio::test]
async fn the_cache_saves_the_download_and_the_registry() {
    let mut registry = Registry::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tag = image(&format!("{}/hello:1", registry.address()));
    let fetcher = fetcher(cached_in(dir.path()));
    fetcher.push(&tag, actor(), PushOptions::default()).await.unwrap();
    let first = fetcher.fetch(&tag, Offline::Refuse).await.unwrap();
    assert_eq!(first.source, Source::Registry);
    assert_eq!(fetcher.fetch(&tag, Offline::Refuse).await.unwrap().source, Source::Cache);

    registry.process.kill();
    let error = fetcher.fetch(&tag, Offline::Refuse).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    let known = fetcher.fetch(&tag, Offline::UseCache).await.unwrap();
    assert!(matches!(known.source, Source::CacheUnconfirmed { .. }));
    assert_eq!(&known.bytes[..], ACTOR);
    // With a digest nobody needs to be asked.
    assert_eq!(fetcher.fetch(&first.resolved, Offline::Refuse).await.unwrap().source, Source::Cache);
    let unknown = image(&format!("{}/other:1", registry.address()));
    assert!(fetcher.fetch(&unknown, Offline::UseCache).await.is_err());
}

#[tokio::test]
async fn a_damaged_cache_heals() {
    let registry = Registry::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tag = image(&format!("{}/hello:1", registry.address()));
    let fetcher = fetcher(cached_in(dir.path()));
    fetcher.push(&tag, actor(), PushOptions::default()).await.unwrap();
    let first = fetcher.fetch(&tag, Offline::Refuse).await.unwrap();
    for blob in fs::read_dir(dir.path().join("blobs/sha256")).unwrap() {
        fs::write(blob.unwrap().path(), b"\0asm evil").unwrap();
    }
    let healed = fetcher.fetch(&first.resolved, Offline::Refuse).await.unwrap();
    assert_eq!((&healed.bytes[..], healed.source), (ACTOR, Source::Registry));
    assert_eq!(fetcher.fetch(&first.resolved, Offline::Refuse).await.unwrap().source, Source::Cache);
}

#[tokio::test]
async fn a_tampered_store_is_noticed() {
    let registry = Registry::start().await.unwrap();
    let tag = image(&format!("{}/hello:1", registry.address()));
    let fetcher = fetcher(config());
    let wasm = b"\0asm\x0d\0\x01\0 and something to find";
    fetcher.push(&tag, wasm.as_slice().into(), PushOptions::default()).await.unwrap();
    let stored = files(registry.store().to_owned()).into_iter().find(|f| fs::read(f).unwrap() == wasm);
    fs::write(stored.unwrap(), b"\0asm\x0d\0\x01\0 and nobody will notice").unwrap();
    let error = fetcher.fetch(&tag, Offline::Refuse).await.unwrap_err();
    // The registry announces the old length, so that the answer breaks off, or the digest differs.
    let noticed = matches!(
        error,
        FetchError::DigestMismatch { .. } | FetchError::TooLarge { .. } | FetchError::Unreachable { .. }
    );
    assert!(noticed, "{error}");
}

#[tokio::test]
async fn a_digest_is_pushed_to_if_it_is_that_of_the_content() {
    let (first, second) = (Registry::start().await.unwrap(), Registry::start().await.unwrap());
    let fetcher = fetcher(config());
    let made = |seconds| PushOptions {
        created: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        ..PushOptions::default()
    };
    let pushed =
        fetcher.push(&image(&format!("{}/hello:1", first.address())), actor(), made(1)).await.unwrap();
    let bare = image(&format!("{}/hello@{}", second.address(), pushed.digest));
    let tagged = image(&format!("{}/hello:1@{}", second.address(), pushed.digest));
    let tag = image(&format!("{}/hello:1", second.address()));

    // Made at another time, it is another image, and nothing of it gets there.
    let error = fetcher.push(&bare, actor(), made(2)).await.unwrap_err();
    let FetchError::OtherDigest { wanted, made: other, .. } = &error else { panic!("{error}") };
    assert!(*wanted == pushed.digest && other != wanted, "{error}");
    assert!(error.to_string().contains(wanted) && error.to_string().contains(other), "{error}");
    assert!(!error.is_retryable() && error.remedy().contains("--created"), "{}", error.remedy());
    let nothing = fetcher.fetch(&bare, Offline::Refuse).await.unwrap_err();
    assert!(matches!(nothing, FetchError::NotFound { .. }), "{nothing}");

    let again = fetcher.push(&bare, actor(), made(1)).await.unwrap();
    assert_eq!((&again.digest, &again.resolved), (&pushed.digest, &bare));
    assert_eq!(&fetcher.fetch(&bare, Offline::Refuse).await.unwrap().bytes[..], ACTOR);
    let untagged = fetcher.fetch(&tag, Offline::Refuse).await.unwrap_err();
    assert!(matches!(untagged, FetchError::NotFound { .. }), "{untagged}");
    fetcher.push(&tagged, actor(), made(1)).await.unwrap();
    let by_tag = fetcher.fetch(&tag, Offline::Refuse).await.unwrap();
    assert_eq!(by_tag.manifest_digest.as_deref(), Some(pushed.digest.as_str()));
}

#[tokio::test]
async fn only_fixed_references_of_registries_are_pushed_to() {
    let fetcher = fetcher(config());
    for text in ["builtin://http-server", "./a.wasm"] {
        let error = fetcher.push(&image(text), actor(), PushOptions::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPushable { .. }), "{error}");
    }
    let latest = fetcher.push(&image("localhost:1/a"), actor(), PushOptions::default()).await;
    assert!(matches!(latest, Err(FetchError::LatestRefused { .. })));
    let text = fetcher.push(&image("localhost:1/a:1"), "hello".into(), PushOptions::default()).await;
    assert!(matches!(text, Err(FetchError::NotAnArtifact { .. })));
    let builtin = fetcher.fetch(&ImageRef::Builtin(lattice_core::Builtin::HttpServer), Offline::Refuse).await;
    assert!(matches!(builtin, Err(FetchError::Builtin { .. })));
}

fn files(dir: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}
