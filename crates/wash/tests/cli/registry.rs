use lattice_testkit::{Login, Registry, free_port};

use crate::{User, component};

fn signer() -> User {
    let user = User::new();
    user.write("hello.wasm", component());
    user.wash(&["claims", "sign", "hello.wasm", "--name", "hello"]);
    user
}

#[tokio::test]
async fn push_pull_and_inspect() {
    let registry = Registry::start().await.unwrap();
    let image = format!("{}/examples/hello:0.1.0", registry.address());
    let user = signer();
    let pushed = user.json(&["reg", "push", &image, "hello_s.wasm", "-a", "who=ann"]);
    assert_eq!(pushed["kind"], "actor");
    let kept = user.json_error(&["reg", "pull", &image]);
    assert!(kept["error"].as_str().unwrap().contains("hello.wasm"), "{kept}");
    assert_eq!(std::fs::read(user.path().join("hello.wasm")).unwrap(), component(), "nobody said it may go");
    let pulled = user.json(&["reg", "pull", &image, "--force"]);
    assert_eq!((&pulled["file"], &pushed["signed"]), (&"hello.wasm".into(), &true.into()));
    assert_eq!(pulled["digest"], pushed["digest"]);
    let read = |name: &str| std::fs::read(user.path().join(name)).unwrap();
    assert_eq!(read("hello.wasm"), read("hello_s.wasm"));

    // The names of v1, and a digest in place of trust in the tag.
    let digest = pushed["digest"].as_str().unwrap();
    let pulled = user.json(&["pull", &image, "--digest", digest, "--destination", "other.wasm"]);
    assert_eq!((&pulled["from_cache"], read("other.wasm")), (&true.into(), read("hello_s.wasm")));
    let inspected = user.json(&["inspect", &image]);
    assert_eq!((&inspected["manifest_digest"], &inspected["signed"]), (&pushed["digest"], &true.into()));
    assert_eq!(user.json(&["claims", "inspect", &image])["name"], "hello");

    let ended = user.wash(&["push", &image, "hello_s.wasm"]);
    assert!(ended.stdout.starts_with("Pushed actor 127.0.0.1:"), "{}", ended.stdout);
    assert!(ended.stderr.starts_with("Pushing 127.0.0.1:"), "{}", ended.stderr);
    assert!(ended.stdout.contains("Next: wash start actor"), "{}", ended.stdout);
    user.write("plain.wasm", component());
    let unsigned = user.wash(&["push", &image, "plain.wasm"]).stdout;
    assert!(
        unsigned.contains("not signed") && unsigned.contains("wash claims sign plain.wasm"),
        "{unsigned}"
    );
}

#[tokio::test]
async fn a_digest_is_pushed_to_if_the_image_has_it() {
    let registry = Registry::start().await.unwrap();
    let user = signer();
    let tagged = format!("{}/hello:1", registry.address());
    let pushed = user.json(&["reg", "push", &tagged, "hello_s.wasm", "--created", "1"]);
    let digest = pushed["digest"].as_str().unwrap();
    let by_digest = format!("{}/copy@{digest}", registry.address());
    let copied = user.wash_with(&["reg", "push", &by_digest, "hello_s.wasm"], &[("SOURCE_DATE_EPOCH", "1")]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert_eq!(user.json(&["inspect", &by_digest])["manifest_digest"], pushed["digest"]);
    let refused = user.json_error(&["reg", "push", &by_digest, "hello_s.wasm", "--created", "2"]);
    assert_eq!(refused["exit_code"], 1);
    let said = refused["error"].as_str().unwrap();
    assert!(said.contains(digest) && said.matches("sha256:").count() >= 2, "{said}");
    assert!(refused["help"].as_str().unwrap().contains("--created"), "{refused}");
}

#[tokio::test]
async fn a_login_is_asked_for_and_taken() {
    let login = Login::PUSHER;
    let registry = Registry::start_with_login(login).await.unwrap();
    let image = format!("{}/hello:1", registry.address());
    let user = signer();
    let error = user.json_error(&["reg", "push", &image, "hello_s.wasm"]);
    assert_eq!(error["exit_code"], 1);
    assert!(error["help"].as_str().unwrap().contains("docker login"));
    let args = ["reg", "push", &image, "hello_s.wasm", "-u", login.user, "-p", login.password];
    assert_eq!(user.wash(&args).code, 0);
    let env = [("WASH_REG_USER", login.user), ("WASH_REG_PASSWORD", login.password)];
    assert_eq!(user.wash_with(&["reg", "pull", &image, "--destination", "pulled.wasm"], &env).code, 0);
}

#[tokio::test]
async fn what_is_not_there_and_who_is_not_there() {
    let registry = Registry::start().await.unwrap();
    let user = signer();
    let missing = format!("{}/hello:1", registry.address());
    assert_eq!(user.json_error(&["reg", "pull", &missing])["code"], "refused");
    let away = format!("127.0.0.1:{}/hello:1", free_port().unwrap());
    let error = user.json_error(&["reg", "pull", &away]);
    assert_eq!((&error["code"], &error["exit_code"]), (&"unreachable".into(), &3.into()));
}

#[test]
fn references_that_make_no_sense() {
    let user = signer();
    for (args, code) in [
        (&["reg", "pull", "hello"][..], 2),
        (&["reg", "pull", "./hello.wasm"][..], 2),
        (&["reg", "pull", "localhost:1/hello"][..], 1),
        (&["reg", "pull", "localhost:1/hello:latest"][..], 1),
        (&["reg", "push", "localhost:1/hello", "hello_s.wasm"][..], 1),
        (&["reg", "push", "builtin://http-server", "hello_s.wasm"][..], 1),
        (&["reg", "push", "localhost:1/hello:1", "none.wasm"][..], 1),
        (&["reg", "push", "localhost:1/hello:1", "hello_s.wasm", "-a", "novalue"][..], 2),
        (&["reg", "push", "localhost:1/hello:1", "hello_s.wasm", "-u", "ann"][..], 2),
    ] {
        let ended = user.wash(args);
        assert_eq!(ended.code, code, "{args:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
}
