//! Closed and open lattices, with real hosts: who gets in, and what is said.

use std::time::Duration;

use lattice_testkit::{Tools, free_port};
use lattice_tests::Stage;

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_open_lattice_says_so_in_one_line() {
    let stage = Stage::set().await;
    let (_one, _) = stage.host(&[]).await;
    let (_two, _) = stage.host(&[]).await;
    assert!(stage.hosts().await.iter().all(|host| host.open == Some(true)));
    let said = stage.wash(&["get", "hosts"]).await;
    let lines: Vec<&str> = said.text.lines().filter(|line| line.contains("open lattice")).collect();
    let expected = format!(
        "open lattice: NATS at {} asks nobody for credentials, so whoever reaches it steers the lattice",
        stage.nats.url()
    );
    assert_eq!(lines, [expected], "{}", said.text);
}

#[tokio::test]
async fn a_closed_lattice_lets_in_whom_its_account_has_signed() {
    let stage = Stage::set().await;
    let port = free_port().unwrap().to_string();
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let up = stage.run("wash", &["up", "-d", "--nats-port", &port, "--nats-server", &server]).await;
    assert_eq!(up.code, 0, "{}", up.text);
    let hosts = stage.run("wash", &["get", "hosts"]).await;
    assert!(hosts.code == 0 && hosts.text.contains("ready"), "{}", hosts.text);
    assert!(!hosts.text.contains("open lattice"), "{}", hosts.text);

    // Somebody else's host, with a data folder of its own.
    let elsewhere = stage.folder().join("elsewhere").display().to_string();
    let stranger = stage.run("wasmcloud", &["--nats-port", &port, "--data-dir", &elsewhere]).await;
    assert!(stranger.code != 0 && stranger.text.contains("authorization violation"), "{}", stranger.text);

    // A viewer sees, and changes nothing.
    let own = stage.folder().join(format!("data/nats/{port}/closed")).display().to_string();
    let added =
        stage.run("wash", &["nats", "user", "add", &own, "vera", "--role", "viewer", "-o", "json"]).await;
    assert_eq!(added.code, 0, "{}", added.text);
    let creds = added.json()["credentials"].as_str().unwrap().to_owned();
    let vera = async |args: &[&str]| stage.run("wash", &[args, &["--ctl-credsfile", &creds]].concat()).await;
    for read in [&["get", "hosts"][..], &["get", "inventory"], &["get", "links"], &["get", "claims"]] {
        let said = vera(read).await;
        assert_eq!(said.code, 0, "{read:?}: {}", said.text);
    }
    for write in [
        &["config", "put", "a", "b=c"][..],
        &["start", "provider", "builtin://http-server", "http"],
        &["link", "put", "http", "hello", "wasi:http"],
        &["stop", "host", &up_host(&stage).await],
    ] {
        let said = vera(write).await;
        assert!(said.code == 1 && said.text.contains("does not allow this user"), "{write:?}: {}", said.text);
    }

    // Revoked, she is out at once; the rest stays in.
    let revoked = stage.run("wash", &["nats", "user", "revoke", &own, "vera"]).await;
    assert_eq!(revoked.code, 0, "{}", revoked.text);
    let said = vera(&["get", "hosts"]).await;
    assert!(said.code == 1 && said.text.contains("authorization violation"), "{}", said.text);
    assert_eq!(stage.run("wash", &["get", "hosts"]).await.code, 0);

    // A host bound to its id is that host and no other.
    let seed = lattice_claims::KeyPair::generate(lattice_claims::KeyKind::Host);
    let id = seed.public_key().to_string();
    let add = ["nats", "user", "add", &own, "third", "--role", "host", "--host-id", &id, "-o", "json"];
    let creds = stage.run("wash", &add).await.json()["credentials"].as_str().unwrap().to_owned();
    let bound = |seed: &str| {
        let args = ["--nats-port", &port, "--nats-creds", &creds, "--data-dir", &elsewhere];
        stage
            .program("wasmcloud")
            .args(args)
            .env("WASMCLOUD_HOST_SEED", seed)
            .ready("wasmcloud ready", WITHIN)
    };
    let third = bound(seed.seed().expose()).start().await.unwrap();
    assert_eq!(stage.run("wash", &["get", "inventory", &id]).await.code, 0);
    drop(third);
    let other = lattice_claims::KeyPair::generate(lattice_claims::KeyKind::Host);
    let error = bound(other.seed().expose()).start().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("does not allow") || error.contains("denied"), "{error}");
    assert_eq!(stage.run("wash", &["down"]).await.code, 0);
}

async fn up_host(stage: &Stage) -> String {
    let hosts = stage.run("wash", &["get", "hosts", "-o", "json"]).await.json();
    hosts["hosts"][0]["id"].as_str().unwrap().to_owned()
}
