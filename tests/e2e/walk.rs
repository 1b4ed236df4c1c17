//! The walk: a lattice of one host, then of two, as a newcomer types it. Nothing is linked twice.

use std::time::{Duration, Instant};

use lattice_testkit::{Registry, Tools, actor_file, free_port, until};
use lattice_tests::{Said, Stage};

/// A shell whose `wash` talks to the lattice of this walk.
struct Walker {
    stage: Stage,
    port: String,
}

impl Walker {
    async fn says(&self, args: &[&str]) -> Said {
        self.stage.run("wash", &[args, &["--ctl-port", &self.port]].concat()).await
    }

    async fn wash(&self, args: &[&str]) -> String {
        let said = self.says(args).await;
        assert_eq!(said.code, 0, "wash {args:?}: {}", said.text);
        said.text
    }
}

#[tokio::test]
async fn a_second_host_takes_over_and_nothing_is_linked_again() {
    let walker = Walker { stage: Stage::set().await, port: free_port().unwrap().to_string() };
    let (stage, registry) = (&walker.stage, Registry::start().await.unwrap());
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let image = format!("{}/echo:0.1.0", registry.address().replace("127.0.0.1", "localhost"));
    let signed = stage.folder().join("echo_s.wasm").display().to_string();
    let built = actor_file("echo").unwrap().display().to_string();

    // wash up -d
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let sign = ["claims", "sign", &built, "--name", "echo", "--destination", &signed];
    assert_eq!(stage.run("wash", &sign).await.code, 0);
    let up = ["up", "-d", "--nats-port", &walker.port, "--nats-server", &server, "-o", "json"];
    let up = stage.run("wash", &up).await;
    assert_eq!(up.code, 0, "{}", up.text);
    let first = up.json()["host_id"].as_str().unwrap().to_owned();

    // The registry; echo and the HTTP server; the link; curl.
    assert_eq!(stage.run("wash", &["reg", "push", &image, &signed]).await.code, 0);
    walker.wash(&["start", "actor", &image, "echo"]).await;
    walker.wash(&["start", "provider", "builtin://http-server", "http"]).await;
    let linked =
        walker.wash(&["link", "put", "http", "echo", "wasi:http", &format!("address={address}")]).await;
    assert!(linked.contains("http -> echo") && linked.contains("ready"), "{linked}");
    let url = format!("http://{address}/walk?a=1");
    let curl = || async { stage.http.send("PUT", &url, &[], "hi").await.ok() };
    assert_eq!(curl().await.unwrap().json()["query_string"], "a=1");

    // A second wasmcloud, which trusts the same account.
    let account = stage.run("wash", &["inspect", &signed, "-o", "json"]).await.json();
    let account = account["claims"]["account"].as_str().unwrap().to_owned();
    let args = ["--nats-port", &walker.port, "--trust", &account];
    let launch = stage.program("wasmcloud").args(args).ready("wasmcloud ready", Duration::from_secs(60));
    let second_host = launch.start().await.unwrap();
    let line = second_host.output();
    let second =
        line.split("ready: host ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    assert_ne!(first, second, "each is somebody");
    let hosts = walker.wash(&["get", "hosts"]).await;
    assert!(hosts.contains(&first[..8]) && hosts.contains(&second[..8]), "{hosts}");

    // The same actor there: it is linked already, and wash says how.
    let started = walker.wash(&["start", "actor", &image, "echo", "--host-id", &second]).await;
    assert!(started.contains(&format!("actor echo runs on host {second}")), "{started}");
    assert!(started.contains("http -> echo") && started.contains("wasi:http"), "{started}");

    // A second server on the taken port is visibly failed, with its reason.
    let taken = format!("address {address} in use");
    let server = ["start", "provider", "builtin://http-server", "http", "--host-id", &second];
    let said = walker.says(&server).await;
    assert!(said.code == 1 && said.text.contains(&taken), "{}", said.text);
    let inventory = walker.wash(&["get", "inventory", &second]).await;
    assert!(inventory.contains("failed") && inventory.contains(&taken), "{inventory}");
    assert_eq!(curl().await.unwrap().status, 200, "the first one serves");

    // The first host stops: the second one's server binds and answers.
    walker.wash(&["stop", "host", &first]).await;
    let stopped = Instant::now();
    let answer = until("the second host answers", Duration::from_secs(60), curl).await.unwrap();
    eprintln!("answered {:?} after the first host had stopped", stopped.elapsed());
    assert!(stopped.elapsed() < Duration::from_secs(10), "a second, and what a busy machine adds");
    assert_eq!((answer.status, &answer.json()["method"]), (200, &"PUT".into()));
    let links = walker.wash(&["get", "links"]).await;
    assert!(links.matches("http -> echo").count() == 1 && links.contains("ready"), "{links}");
    drop(second_host);
    assert_eq!(stage.run("wash", &["down"]).await.code, 0);
}
