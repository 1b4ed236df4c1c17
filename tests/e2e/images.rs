//! Images from registries and files: by tag and digest, with logins, without the registry, and what is refused.

use std::{ffi::OsString, path::Path};

use data_encoding::BASE64;
use lattice_testkit::{Login, Registry};
use lattice_tests::Stage;
use serde_json::Value;

/// Pushes the example `hello`; what wash says of it.
async fn push(stage: &Stage, image: &str, more: &[&str]) -> Value {
    let file = stage.signer.example("hello").display().to_string();
    let said = stage.wash(&[&["reg", "push", image, &file, "-o", "json"], more].concat()).await;
    assert_eq!(said.code, 0, "{}", said.text);
    said.json()
}

fn localhost(registry: &Registry) -> String {
    registry.address().replace("127.0.0.1", "localhost")
}

#[tokio::test]
async fn by_tag_and_digest_and_again_without_the_registry() {
    let stage = Stage::set().await;
    let mut registry = Registry::start().await.unwrap();
    let name = format!("{}/examples/hello", localhost(&registry));
    let tagged = format!("{name}:0.1.0");
    let pushed = push(&stage, &tagged, &[]).await;
    let digest = pushed["digest"].as_str().unwrap().to_owned();
    let digested = format!("{name}@{digest}");
    let latest = format!("{name}:latest");
    push(&stage, &latest, &["--allow-latest"]).await;

    let (mut host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "by-tag", Path::new(&tagged), 1).await.unwrap();
    stage.start_actor(&id, "by-digest", Path::new(&digested), 1).await.unwrap();
    for refused in [&latest, &name] {
        let why = stage.start_actor(&id, "latest", Path::new(refused), 1).await.unwrap_err();
        assert!(why.contains("names no fixed version") && why.contains("--allow-latest"), "{why}");
    }
    let wrong = format!("{name}@sha256:{}", "0".repeat(64));
    let why = stage.start_actor(&id, "wrong", Path::new(&wrong), 1).await.unwrap_err();
    assert!(why.contains("is not in the registry"), "{why}");
    let why = stage.start_actor(&id, "typo", Path::new(&format!("{name}:0.2.0")), 1).await.unwrap_err();
    assert!(why.contains("is not in the registry") && why.contains("wash reg push"), "{why}");
    let why = stage.start_actor(&id, "short", Path::new("hello"), 1).await.unwrap_err();
    assert!(why.contains("names no registry"), "{why}");

    // What an operator sees of it.
    let said = stage.wash(&["inspect", &tagged, "-o", "json"]).await.json();
    assert_eq!((&said["manifest_digest"], &said["signed"]), (&pushed["digest"], &true.into()));
    assert_eq!(said["claims"]["account"], stage.signer.account());
    assert_eq!(said["claims"]["signature"]["trusted"], false, "{said}");
    let exports = said["exports"].as_array().unwrap();
    assert!(
        exports
            .iter()
            .any(|name| name.as_str().is_some_and(|name| name.starts_with("wasi:http/incoming-handler@"))),
        "{said}"
    );
    assert!(said["imports"].as_array().is_some_and(|imports| !imports.is_empty()), "{said}");
    let said = stage.wash(&["inspect", &tagged]).await;
    assert!(said.text.contains("not trusted") && said.text.contains(&digest), "{}", said.text);

    // The registry is gone: another host starts both from the cache, and says so.
    host.process.kill();
    registry.process.kill();
    let (host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "by-tag", Path::new(&tagged), 1).await.unwrap();
    stage.start_actor(&id, "by-digest", Path::new(&digested), 1).await.unwrap();
    assert!(host.process.output().contains("the registry does not answer"), "{}", host.process.output());
    let why = stage.start_actor(&id, "new", Path::new(&format!("{name}:0.2.0")), 1).await.unwrap_err();
    assert!(why.contains("cannot be reached"), "{why}");
}

#[tokio::test]
async fn a_registry_that_wants_a_login() {
    let stage = Stage::set().await;
    let login = Login::PUSHER;
    let registry = Registry::start_with_login(login).await.unwrap();
    let (address, image) = (localhost(&registry), format!("{}/hello:1", localhost(&registry)));
    push(&stage, &image, &["--user", login.user, "--password", login.password]).await;

    let isolated = |cache: &str, more: &[&str]| {
        let mut args: Vec<OsString> = vec!["--trust".into(), stage.signer.account().into()];
        args.extend(["--cache-dir".into(), stage.folder().join(cache).into()]);
        args.extend(more.iter().map(Into::into));
        args
    };
    let (_host, id) = stage.host_with(isolated("without", &[])).await;
    let why = stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap_err();
    assert!(why.contains(&format!("the registry {address} refuses")) && why.contains("credentials"), "{why}");
    let flags = ["--oci-registry", &address, "--oci-user", login.user, "--oci-password", login.password];
    let (_host, id) = stage.host_with(isolated("with", &flags)).await;
    stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap();
    let flags = ["--oci-registry", &address, "--oci-user", login.user, "--oci-password", "wrong"];
    let (_host, id) = stage.host_with(isolated("wrong", &flags)).await;
    let why = stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap_err();
    assert!(why.contains("refuses"), "{why}");
}

#[tokio::test]
async fn a_login_of_docker_is_taken_by_wash_and_by_hosts() {
    let stage = Stage::set().await;
    let login = Login::PUSHER;
    let registry = Registry::start_with_login(login).await.unwrap();
    let (address, image) = (localhost(&registry), format!("{}/hello:1", localhost(&registry)));
    let file = stage.signer.example("hello").display().to_string();
    // The stage's programs have a `DOCKER_CONFIG` of their own, in which nobody has logged in yet.
    let refused = stage.wash(&["reg", "push", &image, &file]).await;
    assert!(refused.code == 1 && refused.text.contains("docker login"), "{}", refused.text);
    let host = stage.plain_host(&[]).await;
    let id = stage.hosts().await[0].id.clone();

    let folder = stage.folder().join("docker");
    std::fs::create_dir_all(&folder).unwrap();
    let auth = BASE64.encode(format!("{}:{}", login.user, login.password).as_bytes());
    let config = serde_json::json!({ "auths": { &address: { "auth": auth } } });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    push(&stage, &image, &[]).await;
    let inspected = stage.wash(&["inspect", &image]).await;
    assert_eq!(inspected.code, 0, "{}", inspected.text);
    // The host that ran already reads it, too.
    stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap();
    assert!(!host.output().contains(login.password), "it is shown nowhere");
}

#[tokio::test]
async fn plain_http_where_it_is_allowed_by_name() {
    let stage = Stage::set().await;
    let registry = Registry::start().await.unwrap();
    // This machine, under a name that is not taken for it.
    let address = registry.address().replace("127.0.0.1", "0.0.0.0");
    let image = format!("{address}/hello:1");
    let file = stage.signer.example("hello").display().to_string();
    let refused = stage.wash(&["reg", "push", &image, &file]).await;
    assert!(refused.code == 1 && refused.text.contains("--insecure"), "{}", refused.text);
    push(&stage, &image, &["--insecure"]).await;
    let refused = stage.wash(&["inspect", &image]).await;
    assert!(refused.code == 1 && refused.text.contains("--insecure"), "{}", refused.text);
    let inspected = stage.wash(&["inspect", &image, "--insecure"]).await;
    assert_eq!(inspected.code, 0, "{}", inspected.text);

    let isolated = |cache: &str, more: &[&str]| {
        let mut args: Vec<OsString> = vec!["--trust".into(), stage.signer.account().into()];
        args.extend(["--cache-dir".into(), stage.folder().join(cache).into()]);
        args.extend(more.iter().map(Into::into));
        args
    };
    let (_secure, id) = stage.host_with(isolated("secure", &[])).await;
    let why = stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap_err();
    assert!(why.contains("--allowed-insecure"), "{why}");
    let others = format!("elsewhere.example,{address}");
    let (_allowed, id) = stage.host_with(isolated("allowed", &["--allowed-insecure", &others])).await;
    stage.start_actor(&id, "hello", Path::new(&image), 1).await.unwrap();
}

#[tokio::test]
async fn files_and_the_tag_latest_where_it_is_allowed() {
    let stage = Stage::set().await;
    let registry = Registry::start().await.unwrap();
    let latest = format!("{}/hello:latest", localhost(&registry));
    push(&stage, &latest, &["--allow-latest"]).await;
    let (_host, id) = stage.host(&["--allow-latest"]).await;
    stage.start_actor(&id, "latest", Path::new(&latest), 1).await.unwrap();
    let file = stage.signer.example("hello");
    let url = format!("file://{}", file.display());
    stage.start_actor(&id, "by-url", Path::new(&url), 1).await.unwrap();
    stage.start_actor(&id, "by-path", &file, 1).await.unwrap();
    let text = stage.signer.file("text.wasm", b"no wasm at all");
    let why = stage.start_actor(&id, "text", &text, 1).await.unwrap_err();
    assert!(why.contains("text.wasm") && why.contains("neither WebAssembly"), "{why}");
    let running = stage.until(&id, |inventory| inventory.components.len() == 4).await;
    let ready: Vec<&str> =
        running.components.iter().filter(|c| c.max_instances > 0).map(|c| c.id.as_str()).collect();
    assert_eq!(ready, ["by-path", "by-url", "latest"]);
}

#[tokio::test]
async fn who_may_send_commands_cannot_look_into_the_files_of_a_host() {
    let stage = Stage::set().await;
    let args = ["--trust", stage.signer.account()];
    let _host = lattice_testkit::Host::start(&stage.nats.url(), args, &[]).await.unwrap();
    let id = stage.hosts().await[0].id.clone();
    let image = stage.signer.example("hello");
    let why = stage.start_actor(&id, "hello", &image, 1).await.unwrap_err();
    assert!(why.contains("--allow-file-load"), "{why}");
    let seed = stage.signer.file("host.nk", b"SNAAAAAAAAAAAAAAAAAA");
    let why = stage.start_actor(&id, "seed", &seed, 1).await.unwrap_err();
    assert!(!why.contains("SNAAAA"), "{why}");
}
