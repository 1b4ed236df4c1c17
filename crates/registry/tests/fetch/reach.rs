//! Registries that are away, silent, or do not speak TLS; and how often one is asked.

use std::time::Duration;

use lattice_registry::{FetchConfig, FetchError, Offline};
use tokio::net::TcpListener;

use crate::{
    ACTOR, config,
    fake::{Fake, honest, silent},
    fetcher, image,
};

#[tokio::test]
async fn nobody_there() {
    let port = lattice_testkit::free_port().unwrap();
    let image = image(&format!("127.0.0.1:{port}/a:1"));
    let error = fetcher(config()).fetch(&image, Offline::Refuse).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn silence_and_slowness_have_their_limits() {
    let registry = Fake::start(|_| silent()).await;
    let image = image(&format!("{}/a:1", registry.address()));
    let impatient = FetchConfig { silence_max: Duration::from_millis(50), ..config() };
    let error = fetcher(impatient).fetch(&image, Offline::Refuse).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("silent for 50ms"), "{error}");
    assert!(error.remedy().contains("Is the registry up"), "{}", error.remedy());
    let hurried = FetchConfig { timeout: Duration::from_millis(50), ..config() };
    let error = fetcher(hurried).fetch(&image, Offline::Refuse).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
    assert!(error.remedy().contains("Trying again later"), "{}", error.remedy());
}

#[tokio::test]
async fn plain_http_only_where_it_is_allowed() {
    // Loopback by another name than those that are spoken to in the clear.
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let registry = Fake::serve(listener, honest(ACTOR));
    let image = image(&format!("{}/a:1", registry.address()));
    let error = fetcher(config()).fetch(&image, Offline::Refuse).await.unwrap_err();
    assert!(matches!(error, FetchError::Insecure { .. }), "{error}");
    assert!(error.remedy().contains(&format!("--allowed-insecure {}", registry.address())));
    let other = FetchConfig { allowed_insecure: vec!["127.0.0.2".to_owned()], ..config() };
    assert!(fetcher(other).fetch(&image, Offline::Refuse).await.is_err(), "another authority");
    let allowed = FetchConfig { allowed_insecure: vec![registry.address().to_owned()], ..config() };
    assert!(fetcher(allowed).fetch(&image, Offline::Refuse).await.is_ok());
}

#[tokio::test]
async fn many_who_want_the_same_make_one_download() {
    let registry = Fake::start(honest(ACTOR)).await;
    let image = image(&format!("{}/a:1", registry.address()));
    let fetcher = fetcher(config());
    let all = (0..20).map(|_| fetcher.fetch(&image, Offline::Refuse));
    let artifacts = futures::future::try_join_all(all).await.unwrap();
    assert_eq!(artifacts.len(), 20);
    assert_eq!(registry.asked().len(), 2, "one manifest, one layer");
}
