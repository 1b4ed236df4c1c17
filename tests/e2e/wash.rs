//! A lattice from the shell alone, from `wash up` to `wash down`.

use lattice_core::State;
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
    nothing_runs_yet(&shell).await;
    let signed = signed_actor(&shell).await;
    let (host, pids) = up(&shell).await;
    an_empty_lattice_reads_as_such(&shell, &host).await;
    starting_tells_what_runs_where_and_how(&shell, &host, &signed, &address).await;
    let key = an_actor_is_named_by_its_key_where_nobody_names_it(&shell, &signed).await;
    links_and_claims_are_shown(&shell, &key).await;
    actors_scale_and_configurations_come_and_go(&shell, &host, &signed).await;
    what_is_not_there_or_no_command_is_refused(&shell).await;
    links_go_and_come_as_they_were_typed_in_2021(&shell, &address).await;
    down(&shell, &pids).await;
}

async fn nothing_runs_yet(shell: &Shell) {
    assert!(shell.fails(3, &["get", "hosts"]).await.contains("no NATS server answers"));
    let said = shell.stage.wash(&["get", "hosts"]).await;
    assert!(said.code == 0 && said.text.contains("start one with `wash up`"), "{}", said.text);
}

/// The file of the signed actor.
async fn signed_actor(shell: &Shell) -> String {
    let signed = shell.stage.folder().join("hello_s.wasm").display().to_string();
    let hello = actor_file("hello").unwrap().display().to_string();
    let said = shell
        .stage
        .run("wash", &["claims", "sign", &hello, "--name", "hello", "--destination", &signed])
        .await;
    assert_eq!(said.code, 0, "{}", said.text);
    signed
}

/// The host's id, and the processes that run.
async fn up(shell: &Shell) -> (String, Vec<String>) {
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
    (host, pids)
}

async fn an_empty_lattice_reads_as_such(shell: &Shell, host: &str) {
    assert!(shell.ok(&["get", "hosts"]).await.contains(&host[..8]));
    assert_eq!(shell.json(&["ctl", "get", "hosts"]).await["hosts"][0]["id"], host);
    assert!(shell.ok(&["get", "inventory"]).await.contains("no actors"));
    assert!(shell.ok(&["get", "links"]).await.contains("no links"));
}

async fn starting_tells_what_runs_where_and_how(shell: &Shell, host: &str, signed: &str, address: &str) {
    let text = shell.ok(&["start", "provider", "builtin://http-server", "http"]).await;
    assert!(text.contains("provider http runs on host") && text.contains(host), "{text}");
    shell.fails(1, &["start", "provider", "builtin://http-server", "http", "--host-id", host]).await;
    let started = shell.json(&["start", "component", signed, "hello"]).await;
    assert_eq!((&started["component_id"], &started["host_id"]), (&json!("hello"), &json!(host)));
    assert_eq!((&started["state"], &started["links"]), (&json!("ready"), &json!([])));
    let given = format!("address={address}");
    let linked = shell.ok(&["link", "put", "http", "hello", "wasi:http", &given]).await;
    assert!(linked.contains("http -> hello") && linked.contains("ready"), "{linked}");
    let url = format!("http://{address}/");
    assert_eq!(shell.stage.http.get(&url).await.unwrap().text(), "Hello from the lattice!\n");
}

/// A failed link is exit 1 with its reason.
async fn an_actor_is_named_by_its_key_where_nobody_names_it(shell: &Shell, signed: &str) -> String {
    let unnamed = shell.json(&["start", "actor", signed]).await;
    let key = unnamed["component_id"].as_str().unwrap().to_owned();
    assert!(key.starts_with('M') && key.len() == 56, "{unnamed}");
    let failed = shell.fails(1, &["link", "put", "http", &key, "wasi:http", "adress=x"]).await;
    assert!(failed.contains("did you mean address?"), "{failed}");
    shell.ok(&["link", "del", "http", &key, "wasi:http"]).await;
    shell.ok(&["stop", "actor", &key]).await;
    key
}

async fn links_and_claims_are_shown(shell: &Shell, key: &str) {
    let links = shell.json(&["link", "query"]).await;
    assert_eq!(
        (&links["links"][0]["target"], &links["links"][0]["state"]),
        (&json!("hello"), &json!("ready"))
    );
    let claims = shell.json(&["get", "claims"]).await;
    assert_eq!((&claims["claims"][0]["name"], &claims["claims"][0]["sub"]), (&json!("hello"), &json!(key)));
    assert!(shell.ok(&["get", "claims"]).await.contains("Issuer"));
}

async fn actors_scale_and_configurations_come_and_go(shell: &Shell, host: &str, signed: &str) {
    shell.ok(&["scale", "actor", host, signed, "hello", "--concurrency", "7"]).await;
    let inventory = shell.json(&["get", "inventory", &host[..10]]).await;
    assert_eq!(inventory["inventories"][0]["components"][0]["max_instances"], 7);
    shell.ok(&["config", "put", "app.limits", "a=1", "b=two"]).await;
    let config = shell.json(&["config", "get", "app.limits"]).await;
    assert!(config.to_string().contains(r#""b":"two""#), "{config}");
    shell.ok(&["config", "del", "app.limits"]).await;
    shell.fails(1, &["config", "get", "app.limits"]).await;
}

async fn what_is_not_there_or_no_command_is_refused(shell: &Shell) {
    shell.fails(1, &["stop", "actor", "nobody"]).await;
    shell.fails(1, &["stop", "provider", "nobody"]).await;
    shell.fails(1, &["start", "actor", "./no-such.wasm", "lost"]).await;
    shell.fails(2, &["start", "actor", "builtin://http-server", "web"]).await;
    shell.fails(2, &["get", "weather"]).await;
}

/// The actor came first then, and the port went by its old name.
async fn links_go_and_come_as_they_were_typed_in_2021(shell: &Shell, address: &str) {
    let url = format!("http://{address}/");
    shell.ok(&["link", "del", "http", "hello", "wasi:http"]).await;
    assert!(shell.stage.http.get(&url).await.is_err(), "the port goes with its last link");
    let port = address.rsplit(':').next().unwrap();
    let old_words = ["ctl", "link", "put", "hello", "http", "wasmcloud:httpserver", &format!("PORT={port}")];
    let linked = shell.ok(&old_words).await;
    assert!(linked.contains("http -> hello") && linked.contains("ready"), "{linked}");
    assert_eq!(shell.stage.http.get(&url).await.unwrap().status, 200);
    shell.ok(&["ctl", "link", "del", "hello", "http", "wasmcloud:httpserver"]).await;
    assert!(shell.ok(&["get", "links"]).await.contains("no links"));
}

async fn down(shell: &Shell, pids: &[String]) {
    shell.ok(&["stop", "actor", "hello"]).await;
    shell.ok(&["stop", "provider", "http"]).await;
    let said = shell.stage.run("wash", &["down"]).await;
    assert!(said.code == 0 && said.text.contains("stopped host"), "{}", said.text);
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?}");
    shell.fails(3, &["get", "hosts"]).await;
}

#[tokio::test]
async fn the_answer_of_a_start_has_the_states_of_the_actor_s_links() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.front(&[]).await;
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.link("http", "echo", "wasi:http", &[("adress", &address)]).await;
    stage.link("kvcounter", "store", "wasi:keyvalue", &[]).await;
    // The server has heard of both of its links.
    stage.until_link(&id, "http", "hello", |state| matches!(state, State::Pending(_))).await;
    stage.until_link(&id, "http", "echo", |state| matches!(state, State::Failed(_))).await;
    // Who imports what its link does not give yet waits for it.
    for (actor, own, state, reason) in [
        ("hello", "ready", "ready", ""),
        ("echo", "ready", "failed", "did you mean address?"),
        ("kvcounter", "pending", "pending", "store runs nowhere: wash start provider IMAGE store"),
    ] {
        let image = stage.signer.example(actor).display().to_string();
        let said = stage.wash(&["ctl", "start", "actor", &image, actor, "-o", "json"]).await;
        assert_eq!(said.code, 0, "{}", said.text);
        let started = said.json();
        assert_eq!((&started["state"], &started["component_id"]), (&json!(own), &json!(actor)));
        let [link] = &started["links"].as_array().unwrap()[..] else { panic!("{started}") };
        assert!([&link["source_id"], &link["target"]].contains(&&json!(actor)), "{link}");
        assert_eq!(link["state"], state, "{link}");
        assert!(link["reason"].as_str().unwrap_or_default().contains(reason), "{link}");
        // People are told the same.
        let text = stage.wash(&["ctl", "stop", "actor", actor]).await;
        assert_eq!(text.code, 0, "{}", text.text);
        let text = stage.wash(&["ctl", "start", "actor", &image, actor]).await.text;
        assert!(text.contains(&format!("state: {own}")) && text.contains(state), "{text}");
    }
}
