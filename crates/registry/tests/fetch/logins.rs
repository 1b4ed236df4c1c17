//! Who may pull: passwords, docker's configuration, token services.

use data_encoding::BASE64;
use lattice_registry::{Credentials, FetchConfig, FetchError, Offline, PushOptions, Secret};
use lattice_testkit::{Login, Registry};

use crate::{
    ACTOR, actor, config,
    fake::{Asked, Body, Fake, full, honest},
    fetcher, image,
};

fn flags(user: &str, password: &str) -> FetchConfig {
    let credentials = Credentials { registry: None, user: user.to_owned(), password: Secret::new(password) };
    FetchConfig { credentials: Some(credentials), ..config() }
}

fn docker(dir: &tempfile::TempDir, text: &str) -> FetchConfig {
    let file = dir.path().join("config.json");
    std::fs::write(&file, text).unwrap();
    FetchConfig { docker_config: Some(file), ..config() }
}

#[tokio::test]
async fn a_password_from_flags_or_from_dockers_configuration() {
    let login = Login::PUSHER;
    let registry = Registry::start_with_login(login).await.unwrap();
    let tag = image(&format!("{}/hello:1", registry.address()));
    let with_flags = fetcher(flags(login.user, login.password));
    with_flags.push(&tag, actor(), PushOptions::default()).await.unwrap();
    assert_eq!(&with_flags.fetch(&tag, Offline::Refuse).await.unwrap().bytes[..], ACTOR);

    let dir = tempfile::tempdir().unwrap();
    let auth = BASE64.encode(format!("{}:{}", login.user, login.password).as_bytes());
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address());
    let with_docker = fetcher(docker(&dir, &text));
    assert_eq!(&with_docker.fetch(&tag, Offline::Refuse).await.unwrap().bytes[..], ACTOR);

    for (config, part) in [
        (config(), "none are known"),
        (flags(login.user, "wrong"), "not accepted"),
        (docker(&dir, "{}"), "none are known"),
    ] {
        let fetcher = fetcher(config);
        let error = fetcher.fetch(&tag, Offline::Refuse).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Unauthorized { .. }) && error.to_string().contains(part),
            "{error}"
        );
        assert!(error.remedy().contains("docker login"));
        let error = fetcher.push(&tag, actor(), PushOptions::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Unauthorized { .. }), "{error}");
    }
    let broken = fetcher(docker(&dir, "{")).fetch(&tag, Offline::Refuse).await.unwrap_err();
    assert!(matches!(broken, FetchError::Credentials { .. }), "{broken}");
}

/// A registry that serves `a:1` to whoever brings the token of its service, which `grant` gives out.
async fn with_tokens(grant: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Fake {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let challenge =
        format!(r#"Bearer realm="http://{}/token",service="test registry""#, listener.local_addr().unwrap());
    let registry = honest(ACTOR);
    Fake::serve(listener, move |asked: &Asked| -> http::Response<Body> {
        if asked.path == "/token" {
            return match grant(asked) {
                true => full(200, r#"{"access_token":"t0ken","expires_in":60}"#),
                false => full(401, r#"{"errors":[{"message":"wrong password"}]}"#),
            };
        }
        if asked.authorization() == "Bearer t0ken" {
            return registry(asked);
        }
        let mut refusal = full(401, "");
        refusal.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        refusal
    })
}

#[tokio::test]
async fn a_token_for_nobody_in_particular() {
    let registry = with_tokens(|asked| asked.authorization().is_empty()).await;
    let tag = image(&format!("{}/a:1", registry.address()));
    let artifact = fetcher(config()).fetch(&tag, Offline::Refuse).await.unwrap();
    assert_eq!(&artifact.bytes[..], ACTOR);
    let tokens: Vec<_> = registry.asked().into_iter().filter(|asked| asked.path == "/token").collect();
    assert_eq!(tokens.len(), 1, "one token serves manifest and layer");
    assert_eq!(tokens[0].query, "scope=repository%3Aa%3Apull&service=test+registry");
}

#[tokio::test]
async fn a_token_for_a_password() {
    let basic = format!("Basic {}", BASE64.encode(b"me:secret"));
    let registry = with_tokens(move |asked| asked.authorization() == basic).await;
    let tag = image(&format!("{}/a:1", registry.address()));
    assert!(fetcher(flags("me", "secret")).fetch(&tag, Offline::Refuse).await.is_ok());
    let error = fetcher(flags("me", "wrong")).fetch(&tag, Offline::Refuse).await.unwrap_err();
    assert!(error.to_string().contains("wrong password"), "{error}");
    // The password goes to the token service alone.
    assert!(registry.asked().iter().all(|a| a.path == "/token" || !a.authorization().starts_with("Basic")));
}

#[tokio::test]
async fn a_token_for_an_identity_token() {
    let registry = with_tokens(|asked| {
        let form = String::from_utf8_lossy(&asked.body);
        asked.method == "POST"
            && form.contains("grant_type=refresh_token")
            && form.contains("refresh_token=lasting")
            && form.contains("scope=repository%3Aa%3Apull")
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let text = format!(r#"{{"auths":{{"{}":{{"identitytoken":"lasting"}}}}}}"#, registry.address());
    let tag = image(&format!("{}/a:1", registry.address()));
    assert!(fetcher(docker(&dir, &text)).fetch(&tag, Offline::Refuse).await.is_ok());
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear_to_elsewhere() {
    let registry = Fake::start(|_| {
        let mut refusal = full(401, "");
        let elsewhere = r#"Bearer realm="http://tokens.invalid/token""#;
        refusal.headers_mut().insert("www-authenticate", elsewhere.parse().unwrap());
        refusal
    })
    .await;
    let tag = image(&format!("{}/a:1", registry.address()));
    let error = fetcher(flags("me", "secret")).fetch(&tag, Offline::Refuse).await.unwrap_err();
    assert!(error.to_string().contains("not reached securely"), "{error}");
}
