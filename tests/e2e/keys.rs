//! Keys, signatures and tokens as their owner handles them, and what a host makes of them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use lattice_testkit::actor_file;
use lattice_tests::Stage;

#[tokio::test]
async fn an_own_key_signs_what_a_host_that_trusts_it_runs() {
    let stage = Stage::set().await;
    let wash = async |args: &[&str]| {
        let said = stage.run("wash", args).await;
        assert_eq!(said.code, 0, "wash {args:?}: {}", said.text);
        said
    };
    // A key of one's own: kept for oneself.
    let key = wash(&["keys", "gen", "account", "--name", "ann", "-o", "json"]).await.json();
    let account = key["public_key"].as_str().unwrap().to_owned();
    assert!(account.starts_with('A') && account.len() == 56, "{account}");
    let file = stage.folder().join("keys/ann_account.nk");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(wash(&["keys", "get", "ann_account"]).await.text, fs::read_to_string(&file).unwrap());
    assert!(wash(&["keys", "list"]).await.text.contains(&account));

    // Signed by it, and shown.
    let hello = actor_file("hello").unwrap().display().to_string();
    let path = |name: &str| stage.folder().join(name);
    let signed = path("hello_s.wasm").display().to_string();
    let sign = [
        "claims",
        "sign",
        &hello,
        "--name",
        "hello",
        "--issuer",
        "ann_account",
        "--ver",
        "0.3.0",
        "--rev",
        "7",
    ];
    wash(&[&sign[..], &["--destination", &signed]].concat()).await;
    let shown = wash(&["claims", "inspect", &signed, "-o", "json"]).await.json();
    assert_eq!((&shown["account"], &shown["name"]), (&account.as_str().into(), &"hello".into()));
    assert_eq!((&shown["version"], &shown["revision"]), (&"0.3.0".into(), &7.into()));
    assert_eq!((&shown["signature"]["valid"], &shown["signature"]["trusted"]), (&true.into(), &true.into()));
    let said = wash(&["inspect", &signed]).await.text;
    assert!(said.contains("trusted") && said.contains("wasi:http/incoming-handler"), "{said}");
    let token = wash(&["claims", "inspect", "--jwt-only", &signed]).await.text;
    assert_eq!(token.trim().split('.').count(), 3, "{token}");

    // Tampered with, it is shown so and not run; by a host that trusts its owner the original is.
    let mut bytes = fs::read(&signed).unwrap();
    let at = bytes.windows(5).position(|window| window == b"Hello").unwrap();
    bytes[at] = b'J';
    fs::write(path("forged_s.wasm"), bytes).unwrap();
    let forged = path("forged_s.wasm");
    let shown = stage.run("wash", &["claims", "inspect", &forged.display().to_string(), "-o", "json"]).await;
    assert_eq!(shown.json()["signature"]["valid"], false, "{}", shown.text);
    let (_host, stranger) = stage.host(&[]).await;
    let why = stage.start_actor(&stranger, "hello", &path("hello_s.wasm"), 1).await.unwrap_err();
    assert!(why.contains(&account) && why.contains("--trust"), "{why}");
    let (_host, friend) = stage.host(&["--trust", &account]).await;
    stage.start_actor(&friend, "hello", &path("hello_s.wasm"), 1).await.unwrap();
    let why = stage.start_actor(&friend, "forged", &forged, 1).await.unwrap_err();
    assert!(why.contains("is refused"), "{why}");
    let claims = stage.ask("claims.get", "").await;
    let map = &claims["response"][0];
    assert_eq!(
        (&map["issuer"], &map["version"], &map["rev"]),
        (&account.as_str().into(), &"0.3.0".into(), &"7".into())
    );

    // Signed for a day from tomorrow on, it waits.
    let early = path("early_s.wasm").display().to_string();
    wash(&[&sign[..], &["--nbf", "1", "--expires", "2", "--destination", &early]].concat()).await;
    let why = stage.start_actor(&friend, "early", &path("early_s.wasm"), 1).await.unwrap_err();
    assert!(why.contains("is refused"), "{why}");
}
