//! What people do wrong, and what they are told: each message names the remedy.

use std::{fs, path::Path, process::Command, time::Duration};

use lattice_core::State;
use lattice_testkit::{NatsOptions, NatsServer, Registry, Tools, free_port, until};
use lattice_tests::{Said, Stage, wasm_of};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

/// How long killed processes may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A command that failed has this exit code, and says all of these.
fn told(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, code, "{}", said.text);
    for part in parts {
        assert!(said.text.contains(part), "{part:?} in {}", said.text);
    }
}

/// Says `greeting` to whoever connects, then answers nothing more; its address.
async fn greeting(greeting: String) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.ok();
            kept.push(stream);
        }
    });
    (address, tasks)
}

/// Answers each HTTP request, one a connection, with `answer`; its address.
async fn answering(answer: String) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn no_nats_and_nats_of_the_wrong_kind() {
    let stage = Stage::set().await;
    let host = async |url: &str| stage.run("wasmcloud", &["--nats-url", url]).await;

    let nowhere = format!("nats://127.0.0.1:{}", free_port().unwrap());
    told(&host(&nowhere).await, 3, &["no NATS server answers at", &nowhere, "`wash up` starts one"]);

    let plain = NatsServer::start_with(NatsOptions { jetstream: false, ..Default::default() }).await.unwrap();
    let said = host(&plain.url()).await;
    told(&said, 1, &["offers no JetStream", "start nats-server with `-js`"]);

    let info = r#"INFO {"server_id":"X","version":"2.9.10","max_payload":1048576,"headers":true,"proto":1}"#;
    let (old, _tasks) = greeting(format!("{info}\r\nPONG\r\n")).await;
    let said = host(&format!("nats://{old}")).await;
    told(&said, 1, &["is version 2.9.10", "2.11 or newer", "install a newer nats-server"]);

    // Nobody said that whoever reaches this one may steer the lattice.
    let args = ["--nats-url", &stage.nats.url()];
    let said = stage.run_with(("WASMCLOUD_OPEN", "false"), "wasmcloud", &args).await;
    told(&said, 1, &["asks nobody for credentials", "wash nats init", "with --open"]);
    // Nor where it is not the first of several.
    let several = format!("{nowhere},{}", stage.nats.url());
    let said = stage.run_with(("WASMCLOUD_OPEN", "false"), "wasmcloud", &["--nats-url", &several]).await;
    told(&said, 1, &["asks nobody for credentials"]);
    assert!(stage.hosts().await.is_empty(), "it leaves no trace");
}

#[tokio::test]
async fn how_a_command_ended_is_told_by_its_exit_code() {
    let stage = Stage::set().await;
    let (mut host, _id) = stage.host(&[]).await;
    let (url, nowhere) = (stage.nats.url(), format!("nats://127.0.0.1:{}", free_port().unwrap()));
    let done = &["config", "put", "greeting", "text=hello"][..];
    let missing = &["stop", "actor", "nobody"];
    for (args, code) in [
        (done, 0),
        (&["get", "hosts"], 0),
        (&["config", "get", "no-such-config"], 1),
        (missing, 1),
        (&["start", "actor", "localhost:1/hello:latest", "hello"], 1),
        (&["start", "actor"], 2),
        (&["get", "hosts", "--no-such-flag"], 2),
        (&["config", "put", "not a name", "a=b"], 2),
    ] {
        let said = stage.wash(args).await;
        assert_eq!(said.code, code, "wash {args:?}: {}", said.text);
    }
    for args in [done, &["get", "hosts"], missing] {
        let said = stage.run("wash", &[args, &["--nats-url", &nowhere]].concat()).await;
        assert_eq!(said.code, 3, "wash {args:?}: {}", said.text);
    }
    // The host has the same ones.
    for (args, code) in [
        (&["--no-such-flag"][..], 2),
        (&["--nats-url", &url, "--label", "no-value"], 2),
        (&["--nats-url", &url, "--require-signed-control"], 2),
        (&["--nats-url", &url, "-m", "no-such-file.yaml"], 1),
        (&["--nats-url", &nowhere], 3),
        (&["--version"], 0),
    ] {
        let said = stage.run("wasmcloud", args).await;
        assert_eq!(said.code, code, "wasmcloud {args:?}: {}", said.text);
    }
    let stopped = host.process.stop(GONE_WITHIN).await.unwrap();
    assert_eq!(stopped.code(), Some(0), "{}", host.process.output());
}

#[tokio::test]
async fn files_that_are_no_actor() {
    let stage = Stage::set().await;
    let (_host, _id) = stage.host(&["--allow-unsigned"]).await;
    let component = wasm_of("hello");
    let signed = fs::read(stage.signer.example("hello")).unwrap();
    let mut tampered = signed.clone();
    tampered[signed.len() / 2] ^= 1;
    for (name, bytes, parts) in [
        ("text.wasm", b"#!/bin/sh\n".to_vec(), &["neither WebAssembly", "--target wasm32-wasip2"][..]),
        (
            "module.wasm",
            wat::parse_str("(module)").unwrap(),
            &["core WebAssembly module", "wasm-tools component new"],
        ),
        (
            "short.wasm",
            component[..component.len() / 2].to_vec(),
            &["damaged or cut short", "build it again, or fetch it again"],
        ),
        ("tampered.wasm", tampered, &["changed after it was signed", "wash claims sign"]),
    ] {
        let file = stage.signer.file(name, &bytes).display().to_string();
        told(&stage.wash(&["start", "actor", &file, "broken"]).await, 1, parts);
    }
}

#[tokio::test]
async fn images_that_cannot_be_had() {
    let stage = Stage::set().await;
    let (_host, _id) = stage.host(&[]).await;
    let start = async |registry: &str| {
        let image = format!("{registry}/shop/web:1.0.0");
        (stage.wash(&["start", "actor", &image, "web"]).await, image)
    };

    let registry = Registry::start().await.unwrap();
    let (said, image) = start(&registry.address()).await;
    told(&said, 1, &["is not in the registry", &format!("wash reg push {image} FILE")]);

    let gone = format!("127.0.0.1:{}", free_port().unwrap());
    let (said, _) = start(&gone).await;
    told(&said, 1, &["cannot be reached", "Is the registry up", &gone]);

    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 2 },
        "layers": [],
    })
    .to_string();
    let lie = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\ndocker-content-digest: sha256:{}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{manifest}",
        "1".repeat(64),
        manifest.len()
    );
    let (liar, _tasks) = answering(lie).await;
    let (said, _) = start(&liar).await;
    told(&said, 1, &["has the digest", "was promised", "do not use it"]);
}

#[tokio::test]
async fn requests_for_nobody() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 1).await;
    let config = [("address", address.as_str()), ("path", "/echo"), ("hostname", "shop.example")];
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 1).await.unwrap();
    stage.link("http", "echo", "wasi:http", &config).await;
    // The first link takes every path; without it, only the host and path of the other are served.
    told(&stage.wash(&["link", "del", "http", "hello", "wasi:http"]).await, 0, &[]);
    stage.until_link(&id, "http", "echo", |state| *state == State::Ready).await;
    let url = format!("http://{address}/echo");
    assert_eq!(stage.http.send("GET", &url, &[("host", "shop.example")], "").await.unwrap().status, 200);
    for (host, path) in [("shop.example", "/nothing"), ("other.example", "/echo")] {
        let url = format!("http://{address}{path}");
        let answer = stage.http.send("GET", &url, &[("host", host)], "").await.unwrap();
        assert_eq!(answer.status, 404, "{host}{path}: {}", answer.text());
        assert_eq!(answer.json()["error"], "no-route");
        assert!(answer.text().contains("no actor is linked for this host and path"), "{}", answer.text());
    }
}

#[tokio::test]
async fn text_that_cannot_be_read() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    for (body, which) in [
        ("", "missing field `component_id`"),
        ("{", "at line 1 column 1"),
        ("[]", "it is no JSON object"),
        ("nonsense", "it is no JSON object"),
    ] {
        let why = stage.refused(&format!("component.scale.{id}"), body).await;
        assert!(why.contains("cannot read the component scale command"), "{body:?}: {why}");
        assert!(why.contains(which) && why.contains("docs/control.md"), "{body:?}: {why}");
    }
    let broken = stage.signer.file("broken.yaml", b"app: shop\nactors:\n  - name: [web\n");
    let broken = broken.display().to_string();
    for (program, args) in [("wasmcloud", &["-m", &broken][..]), ("wash", &["apply", "-m", &broken])] {
        let url = stage.nats.url();
        let said = stage.run(program, &[args, &["--nats-url", &url]].concat()).await;
        told(&said, 1, &[&format!("{broken}:"), "close it, or put the text in quotes"]);
    }
    let nowhere = free_port().unwrap().to_string();
    told(
        &stage.run("wash", &["get", "hosts", "--ctl-port", &nowhere]).await,
        3,
        &["no NATS server answers", "`wash up`"],
    );
}

/// What `wash up` wrote down of its processes.
fn records(data: &Path) -> Vec<Value> {
    let files = fs::read_dir(data.join("up")).into_iter().flatten().flatten();
    let read = |file: fs::DirEntry| serde_json::from_slice(&fs::read(file.path()).ok()?).ok();
    files.filter_map(read).filter(|record: &Value| record["pid"].is_u64()).collect()
}

fn runs(pid: u64) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn everything_killed_and_up_again() {
    let stage = Stage::set().await;
    let port = free_port().unwrap().to_string();
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let ctl = ["--ctl-port", &port];
    let up = ["up", "-d", "--nats-port", &port, "--nats-server", &server, "-o", "json"];
    let mut hosts = Vec::new();
    for round in 0..2 {
        let said = stage.run("wash", &up).await;
        assert_eq!(said.code, 0, "round {round}: {}", said.text);
        hosts.push(said.json()["host_id"].clone());
        if round == 0 {
            let put = ["config", "put", "kept", "a=1"];
            assert_eq!(stage.run("wash", &[&put[..], &ctl].concat()).await.code, 0);
            let pids: Vec<u64> = records(&stage.folder().join("data"))
                .iter()
                .filter_map(|record| record["pid"].as_u64())
                .collect();
            assert_eq!(pids.len(), 2, "{pids:?}");
            for pid in &pids {
                assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
            }
            until("all are gone", GONE_WITHIN, async || (!pids.iter().any(|pid| runs(*pid))).then_some(()))
                .await
                .unwrap();
        }
    }
    assert_eq!(hosts[0], hosts[1], "the same host, with the same key");
    let kept = stage.run("wash", &[&["config", "get", "kept", "-o", "json"][..], &ctl].concat()).await;
    assert!(kept.text.contains(r#""a":"1""#), "{}", kept.text);
    let said = stage.run("wash", &["down"]).await;
    assert!(said.code == 0 && said.text.contains("stopped host"), "{}", said.text);
}

#[tokio::test]
async fn limits_that_let_nothing_run() {
    let stage = Stage::set().await;
    for flag in ["--max-cpu-time-ms", "--max-execution-time-ms", "--max-linear-memory-bytes"] {
        told(&stage.run("wasmcloud", &[flag, "0"]).await, 2, &[flag, "0 is not in 1.."]);
    }
}

#[tokio::test]
async fn requests_that_are_too_large() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 1).await;
    let config = [("address", address.as_str()), ("path", "/echo"), ("max_body_bytes", "10")];
    stage.start_actor(&id, "echo", &stage.signer.example("echo"), 1).await.unwrap();
    stage.link("http", "echo", "wasi:http", &config).await;
    stage.until_link(&id, "http", "echo", |state| *state == State::Ready).await;
    let url = format!("http://{address}/echo");
    let answer = stage.http.send("POST", &url, &[], "eleven bytes").await.unwrap();
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(
        answer.json()["reason"],
        "the request body is larger than max_body_bytes of the link, 10 bytes"
    );
    let long = "a".repeat(100_000);
    let answer = stage.http.send("GET", &url, &[("x-long", &long)], "").await.unwrap();
    assert_eq!(answer.status, 431, "{}", answer.text());
    assert_eq!(stage.http.send("POST", &url, &[], "ten bytes.").await.unwrap().status, 200);
    assert_eq!(
        stage.http.get(&format!("http://{address}/")).await.unwrap().text(),
        "Hello from the lattice!\n"
    );
}
