//! A lattice from the shell alone, from `wash up` to `wash down`.

use lattice_testkit::{Tools, actor_file, free_port};
use lattice_tests::{Said, Stage};
use serde_json::json;

struct Shell {
    stage: Stage,
    port: String,
}

impl Shell {
    async fn run(&self, args: &[&str]) -> Said {
        let connection = ["--ctl-port", &self.port];
        self.stage.run("wash", &[args, &connection].concat()).await
    }

    async fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args).await;
        assert_eq!(said.code, 0, "wash {args:?}: {}", said.text);
        said.text
    }

    async fn json(&self, args: &[&str]) -> serde_json::Value {
        let said = self.run(&[args, &["-o", "json"]].concat()).await;
        assert_eq!(said.code, 0, "wash {args:?}: {}", said.text);
        said.json()
    }

    /// The text of a failure with this exit code.
    async fn fails(&self, code: i32, args: &[&str]) -> String {
        let said = self.run(args).await;
        assert_eq!(said.code, code, "wash {args:?}: {}", said.text);
        said.text
    }
}

fn runs(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn a_lattice_from_up_to_down() {
    let stage = Stage::set().await;
    let port = free_port().unwrap().to_string();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let shell = Shell { stage, port };
    let signed = shell.stage.folder().join("hello_s.wasm").display().to_string();
    let hello = actor_file("hello").unwrap().display().to_string();

    // An empty lattice, and none at all.
    assert!(shell.fails(3, &["get", "hosts"]).await.contains("no NATS server answers"));
    let said = shell.stage.wash(&["get", "hosts"]).await;
    assert!(said.code == 0 && said.text.contains("start one with `wash up`"), "{}", said.text);

    let said = shell
        .stage
        .run("wash", &["claims", "sign", &hello, "--name", "hello", "--destination", &signed])
        .await;
    assert_eq!(said.code, 0, "{}", said.text);
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let up = ["up", "-d", "--nats-port", &shell.port, "--nats-server", &server, "-o", "json"];
    let said = shell.stage.run("wash", &up).await;
    assert_eq!(said.code, 0, "{}", said.text);
    let up = said.json();
    let host = up["host_id"].as_str().unwrap().to_owned();
    let pids: Vec<String> = std::fs::read_dir(shell.stage.folder().join("data/up"))
        .unwrap()
        .filter_map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).ok()?;
            let record: serde_json::Value = serde_json::from_str(&text).ok()?;
            record["pid"].as_u64().map(|pid| pid.to_string())
        })
        .collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| runs(pid)), "{pids:?}");

    // Reading.
    assert!(shell.ok(&["get", "hosts"]).await.contains(&host[..8]));
    assert_eq!(shell.json(&["ctl", "get", "hosts"]).await["hosts"][0]["id"], host);
    assert!(shell.ok(&["get", "inventory"]).await.contains("no actors"));
    assert!(shell.ok(&["get", "links"]).await.contains("no links"));

    // Starting: what runs where, in which state.
    let text = shell.ok(&["start", "provider", "builtin://http-server", "http"]).await;
    assert!(text.contains("provider http runs on host") && text.contains(&host), "{text}");
    shell.fails(1, &["start", "provider", "builtin://http-server", "http", "--host-id", &host]).await;
    let started = shell.json(&["start", "component", &signed, "hello"]).await;
    assert_eq!((&started["component_id"], &started["host_id"]), (&json!("hello"), &json!(host)));
    assert_eq!((&started["state"], &started["links"]), (&json!("ready"), &json!([])));
    let given = format!("address={address}");
    let linked = shell.ok(&["link", "put", "http", "hello", "wasi:http", &given]).await;
    assert!(linked.contains("http -> hello") && linked.contains("ready"), "{linked}");
    let url = format!("http://{address}/");
    assert_eq!(shell.stage.http.get(&url).await.unwrap().text(), "Hello from the lattice!\n");

    // Without a name it is the key in its claims; a failed link is exit 1 with its reason.
    let unnamed = shell.json(&["start", "actor", &signed]).await;
    let key = unnamed["component_id"].as_str().unwrap().to_owned();
    assert!(key.starts_with('M') && key.len() == 56, "{unnamed}");
    let failed = shell.fails(1, &["link", "put", "http", &key, "wasi:http", "adress=x"]).await;
    assert!(failed.contains("did you mean address?"), "{failed}");
    shell.ok(&["link", "del", "http", &key, "wasi:http"]).await;
    shell.ok(&["stop", "actor", &key]).await;

    let links = shell.json(&["link", "query"]).await;
    assert_eq!(
        (&links["links"][0]["target"], &links["links"][0]["state"]),
        (&json!("hello"), &json!("ready"))
    );
    let claims = shell.json(&["get", "claims"]).await;
    assert_eq!((&claims["claims"][0]["name"], &claims["claims"][0]["sub"]), (&json!("hello"), &json!(key)));
    assert!(shell.ok(&["get", "claims"]).await.contains("Issuer"));

    // Scaling and configuration.
    shell.ok(&["scale", "actor", &host, &signed, "hello", "--concurrency", "7"]).await;
    let inventory = shell.json(&["get", "inventory", &host[..10]]).await;
    assert_eq!(inventory["inventories"][0]["components"][0]["max_instances"], 7);
    shell.ok(&["config", "put", "app.limits", "a=1", "b=two"]).await;
    let config = shell.json(&["config", "get", "app.limits"]).await;
    assert!(config.to_string().contains(r#""b":"two""#), "{config}");
    shell.ok(&["config", "del", "app.limits"]).await;
    shell.fails(1, &["config", "get", "app.limits"]).await;

    // What is not there, and what is no command.
    shell.fails(1, &["stop", "actor", "nobody"]).await;
    shell.fails(1, &["stop", "provider", "nobody"]).await;
    shell.fails(1, &["start", "actor", "./no-such.wasm", "lost"]).await;
    shell.fails(2, &["start", "actor", "builtin://http-server", "web"]).await;
    shell.fails(2, &["get", "weather"]).await;

    // Unlinked, stopped, down.
    shell.ok(&["link", "del", "http", "hello", "wasi:http"]).await;
    assert!(shell.stage.http.get(&url).await.is_err(), "the port goes with its last link");
    // As it was typed in 2021: the actor first, the port by its old name.
    let port = address.rsplit(':').next().unwrap();
    let old_words = ["ctl", "link", "put", "hello", "http", "wasmcloud:httpserver", &format!("PORT={port}")];
    let linked = shell.ok(&old_words).await;
    assert!(linked.contains("http -> hello") && linked.contains("ready"), "{linked}");
    assert_eq!(shell.stage.http.get(&url).await.unwrap().status, 200);
    shell.ok(&["ctl", "link", "del", "hello", "http", "wasmcloud:httpserver"]).await;
    assert!(shell.ok(&["get", "links"]).await.contains("no links"));
    shell.ok(&["stop", "actor", "hello"]).await;
    shell.ok(&["stop", "provider", "http"]).await;
    let said = shell.stage.run("wash", &["down"]).await;
    assert!(said.code == 0 && said.text.contains("stopped host"), "{}", said.text);
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?}");
    shell.fails(3, &["get", "hosts"]).await;
}
