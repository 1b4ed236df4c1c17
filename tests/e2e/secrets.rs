//! Secrets: who gets them, and that they are nowhere in the clear.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use lattice_claims::{KeyKind, KeyPair};
use lattice_control_interface::ScaleComponentCommand;
use lattice_core::{HostId, LatticeName, State};
use lattice_nats::{ConnectOptions, Connection, Credentials, FactStore};
use lattice_testkit::{Launch, Process, Tools, free_port, until};
use lattice_tests::{Said, Stage};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

const SOON: Duration = Duration::from_secs(60);

/// As much as there is to log, but for what compiles.
pub(crate) const LOG: &str = "debug,lattice_host=trace,lattice_runtime=trace,lattice_nats=trace,lattice_contracts=trace,\
                   lattice_provider_http_client=trace,lattice_provider_http_server=trace,hyper=trace,hyper_util=trace,\
                   async_nats=trace,wasmtime_wasi_http=trace";

/// A value that is nowhere else.
pub(crate) fn marker() -> String {
    KeyPair::generate(KeyKind::Curve).seed().expose().to_owned()
}

/// What a value may look like somewhere: as it is, as Base64, as a list of numbers.
pub(crate) fn forms(marker: &str) -> Vec<String> {
    let bytes = marker.as_bytes();
    // Base64 has three forms of a text within a longer one; the ends of each depend on what stands beside.
    let within = |before: usize| {
        let whole = data_encoding::BASE64.encode(&[&b"___"[..before], bytes].concat());
        let start = if before == 0 { 0 } else { 4 };
        whole[start..whole.len() - 4].to_owned()
    };
    let numbers = format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let tight = numbers.replace(' ', "");
    vec![marker.to_owned(), within(0), within(1), within(2), numbers, tight]
}

/// Whether the text, which is ASCII, stands somewhere among any bytes.
fn holds(haystack: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(haystack).contains(text)
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        match kind.is_dir() {
            true => files_below(&entry.path(), found),
            false if kind.is_file() => found.push(entry.path()),
            false => {}
        }
    }
}

/// A closed lattice as `wash up` makes one, and all that is heard of it.
struct Closed {
    stage: Stage,
    /// Where values are given from; nothing of the lattice is there.
    outside: TempDir,
    port: String,
    server: String,
    /// Whatever commands said.
    said: Mutex<Vec<String>>,
    events: Arc<Mutex<Vec<Vec<u8>>>>,
    listening: JoinSet<()>,
}

impl Closed {
    async fn set() -> Self {
        let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
        let closed = Self {
            stage: Stage::set().await,
            outside: TempDir::new().unwrap(),
            port: free_port().unwrap().to_string(),
            server: server.display().to_string(),
            said: Mutex::default(),
            events: Arc::default(),
            listening: JoinSet::new(),
        };
        closed.up().await;
        closed
    }

    async fn up(&self) {
        let trust = self.stage.signer.account();
        let (port, server) = (&self.port, &self.server);
        let up =
            ["up", "-d", "--nats-port", port, "--nats-server", server, "--log-level", LOG, "--trust", trust];
        self.done(&up).await;
    }

    /// Runs `wash`, and keeps what it says.
    async fn wash(&self, args: &[&str]) -> Said {
        let said = self.stage.run("wash", args).await;
        self.said.lock().unwrap().push(said.text.clone());
        said
    }

    async fn done(&self, args: &[&str]) -> Said {
        let said = self.wash(args).await;
        assert_eq!(said.code, 0, "{args:?}: {}", said.text);
        said
    }

    async fn put(&self, name: &str, value: &str) -> Said {
        let file = self.outside.path().join(name);
        std::fs::write(&file, value).unwrap();
        self.done(&["secret", "put", name, "--from-file", &file.display().to_string()]).await
    }

    fn own(&self) -> String {
        self.stage.folder().join(format!("data/nats/{}/closed", self.port)).display().to_string()
    }

    /// Credentials of somebody new.
    async fn user(&self, name: &str, role: &str) -> String {
        let add = ["nats", "user", "add", &self.own(), name, "--role", role, "-o", "json"];
        self.done(&add).await.json()["credentials"].as_str().unwrap().to_owned()
    }

    async fn connect(&self, creds: &str, host: Option<&HostId>) -> Connection {
        let lattice = LatticeName::default();
        let options = ConnectOptions::to(&format!("nats://127.0.0.1:{}", self.port)).named("scenario");
        let mut options = match host {
            Some(host) => options.as_host(&lattice, host),
            None => options.on(&lattice),
        };
        options.credentials = Credentials::CredsFile(creds.into());
        Connection::connect(options, SOON).await.unwrap()
    }

    /// Keeps every event from now on.
    async fn listen(&mut self, creds: &str) {
        let connection = self.connect(creds, None).await;
        let mut heard = connection.client().subscribe("wasmbus.evt.default.>").await.unwrap();
        connection.round_trip(SOON).await.unwrap();
        let events = self.events.clone();
        self.listening.spawn(async move {
            let _connection = connection;
            while let Some(message) = heard.next().await {
                events.lock().unwrap().push(message.payload.to_vec());
            }
        });
    }

    /// A second host with a data folder and credentials of its own.
    async fn second(&self) -> Process {
        let creds = self.user("second", "host").await;
        let data = self.stage.folder().join("second").display().to_string();
        let trust = self.stage.signer.account();
        let args = ["--nats-port", &self.port, "--nats-creds", &creds, "--data-dir", &data, "--trust", trust];
        let launch = self.stage.program("wasmcloud").args(args).args(["--log-level", LOG]);
        let launch = launch.env("WASMCLOUD_ALLOW_FILE_LOAD", "true").ready("wasmcloud ready", SOON);
        launch.start().await.unwrap()
    }

    async fn get(&self, address: &str, path: &str) -> (u16, String) {
        let answer = self.stage.http.get(&format!("http://{address}{path}")).await.unwrap();
        (answer.status, answer.text())
    }

    async fn until_get(&self, address: &str, path: &str, wanted: (u16, &str)) {
        let look = async || {
            let answer = self.stage.http.get(&format!("http://{address}{path}")).await.ok()?;
            (answer.status == wanted.0 && answer.text().contains(wanted.1)).then_some(())
        };
        until(&format!("{path} answers {wanted:?}"), SOON, look).await.unwrap();
    }

    /// Starts an actor behind the server `http`, on an address of its own.
    async fn behind_http(&self, actor: &str, image: &str, secrets: &[&str], more: &[&str]) -> String {
        let file = self.stage.signer.example(image).display().to_string();
        let secrets = secrets.iter().flat_map(|name| ["--secret", name]);
        let start: Vec<&str> = ["start", "actor", &file, actor].into_iter().chain(secrets).collect();
        self.done(&[&start, more].concat()).await;
        let address = format!("127.0.0.1:{}", free_port().unwrap());
        self.done(&["link", "put", "http", actor, "wasi:http", &format!("address={address}")]).await;
        address
    }

    /// Everything that was ever said, told or kept must be without the value.
    async fn search(&self, marker: &str, more: &[(&str, String)]) {
        let forms = forms(marker);
        let clean = |what: &str, text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            for form in &forms {
                // What stands before it tells who wrote it; the value is of this test alone.
                let line = text
                    .lines()
                    .find(|line| line.contains(form))
                    .map(|line| line.chars().take(600).collect::<String>());
                assert_eq!(line, None, "{what} holds the secret");
            }
        };
        for text in self.said.lock().unwrap().iter() {
            clean("what wash said", text.as_bytes());
        }
        let events = self.events.lock().unwrap().clone();
        assert!(events.iter().any(|event| holds(event, "secret.put")), "the audit of the put is among them");
        for event in &events {
            clean("an event", event);
        }
        for (what, text) in more {
            clean(what, text.as_bytes());
        }
        // Logs of the first host and of NATS, its store, what hosts remember and cache, links, users.
        let mut files = Vec::new();
        files_below(self.stage.folder(), &mut files);
        let mut sealed_seen = false;
        for file in &files {
            let bytes = match std::fs::read(file) {
                Ok(bytes) => bytes,
                // Written under a temporary name, and renamed since: hosts and NATS go on while this looks.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => panic!("{}: {error}", file.display()),
            };
            sealed_seen |= holds(&bytes, "\"readers\"");
            clean(&file.display().to_string(), &bytes);
        }
        assert!(sealed_seen && files.len() > 10, "the bucket and the snapshots were looked at");
    }
}

/// A server that keeps the heads of the requests that it gets.
pub(crate) async fn echo_server() -> (u16, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, mut task) = (Arc::<Mutex<Vec<String>>>::default(), JoinSet::new());
    let kept = heads.clone();
    task.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            drop(stream.write_all(answer).await);
        }
    });
    (port, heads, task)
}

#[tokio::test]
async fn a_secret_reaches_whom_it_is_for_and_is_nowhere_in_the_clear() {
    let mut closed = Closed::set().await;
    let operator = closed.user("olga", "operator").await;
    closed.listen(&operator).await;
    let marker = marker();

    // Put: names and holders are all that is shown.
    let said = closed.put("token", &format!("{marker}\n")).await;
    assert!(said.text.contains("secret token is sealed to 1 host"), "{}", said.text);
    let listed = closed.done(&["secret", "list"]).await;
    assert!(listed.text.contains("token") && listed.text.contains("text"), "{}", listed.text);

    // The actor that was given it reads it; another image of the same code that was not does not even see that it is there.
    closed.done(&["start", "provider", "builtin://http-server", "http"]).await;
    let named = closed.behind_http("named", "keyring", &["token"], &[]).await;
    let other = closed.behind_http("other", "keyring", &[], &[]).await;
    assert_eq!(closed.get(&named, "/reveal?name=token").await, (200, marker.clone()));
    assert_eq!(closed.get(&other, "/reveal?name=token").await.0, 404);
    let trap = closed.get(&named, "/trap?name=token").await;
    assert!(trap.0 >= 500 && !trap.1.contains(&marker), "{trap:?}");

    // A link that adds it as a header: the server has it, the actor has not.
    let (port, heads, _server) = echo_server().await;
    closed.done(&["start", "provider", "builtin://http-client", "out"]).await;
    let probe = closed.behind_http("probe", "probe", &[], &[]).await;
    let allow = format!("allow=127.0.0.1:{port}");
    let header = "secret_headers=authorization=Bearer {token}";
    let put = [
        "link",
        "put",
        "probe",
        "out",
        "wasi:http",
        &allow,
        "allow_private=true",
        "secret_headers_plain=true",
    ];
    closed
        .done(&[&put[..], &[header, "--interface", "outgoing-handler", "--target-secret", "token"]].concat())
        .await;
    closed.until_get(&probe, &format!("/http?url=http://127.0.0.1:{port}/x"), (200, "ok")).await;
    let seen = heads.lock().unwrap().join("");
    assert!(seen.contains(&format!("authorization: Bearer {marker}")), "{seen}");

    // A host that comes later gets it from one that has it, and an actor there reads it.
    let second = closed.second().await;
    let all = async || {
        let listed = closed.wash(&["secret", "list", "-o", "json"]).await.json();
        let token = &listed["secrets"][0];
        (token["hosts"].as_array()?.len() == 2 && token.get("waiting").is_none()).then_some(())
    };
    until("the second host has the secret", SOON, all).await.unwrap();
    let id = second.output().split("ready: host ").nth(1).unwrap()[..56].to_owned();
    let far = closed.behind_http("far", "keyring", &["token"], &["--host-id", &id]).await;
    closed.until_get(&far, "/reveal?name=token", (200, &marker)).await;

    // Neither a viewer nor an operator reads it: they have no way to the bucket, and nobody who answers tells.
    let viewer = closed.user("vera", "viewer").await;
    let vera = closed.wash(&["secret", "list", "--ctl-credsfile", &viewer]).await;
    assert!(vera.code == 0 && vera.text.contains("token"), "{}", vera.text);
    let denied = closed.wash(&["secret", "del", "token", "--ctl-credsfile", &viewer]).await;
    assert!(denied.code == 1 && denied.text.contains("does not allow this user"), "{}", denied.text);
    for creds in [&viewer, &operator] {
        let connection = closed.connect(creds, None).await;
        let read = connection
            .client()
            .request("$JS.API.DIRECT.GET.KV_LATTICE_default.$KV.LATTICE_default.secret.token", "".into());
        let read = tokio::time::timeout(Duration::from_secs(2), read).await;
        assert!(!matches!(read, Ok(Ok(_))), "{read:?}");
    }

    // Restarted, with its server: nothing has to be put again.
    closed.done(&["down"]).await;
    closed.up().await;
    closed.until_get(&named, "/reveal?name=token", (200, &marker)).await;
    closed.until_get(&far, "/reveal?name=token", (200, &marker)).await;

    // What the bucket holds is told to a host, whose credentials can read it.
    let host = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str()).unwrap();
    let creds = closed.user("reader", "host").await;
    let connection = closed.connect(&creds, Some(&host)).await;
    let store = FactStore::open(&connection, &LatticeName::default(), host).await.unwrap();
    let facts: Vec<String> = store
        .snapshot()
        .all()
        .map(|(key, fact)| format!("{key} {}", serde_json::to_string(fact).unwrap()))
        .collect();
    assert!(
        facts.iter().any(|fact| fact.starts_with("secret.token") && fact.contains("\"readers\"")),
        "{facts:?}"
    );
    store.close().await;

    for look in [
        &["get", "hosts", "-o", "json"][..],
        &["get", "inventory", "-o", "json"],
        &["get", "links", "-o", "json"],
    ] {
        let json = closed.done(look).await.text;
        assert!(look[1] != "hosts" || json.contains("\"xkey\":\"X"), "{json}");
    }

    // Deleted: every box goes, and who needs it says what it lacks.
    closed.done(&["secret", "del", "token"]).await;
    closed.until_get(&named, "/reveal?name=token", (404, "not found")).await;
    let waits = async || {
        let shown = closed.wash(&["get", "inventory"]).await.text;
        shown.contains("pending: no secret \"token\"; put it: wash secret put token").then_some(())
    };
    until("the actor is pending", SOON, waits).await.unwrap();
    let refused = closed.get(&probe, &format!("/http?url=http://127.0.0.1:{port}/x")).await;
    assert_eq!(refused.0, 502, "{refused:?}");
    closed.put("token", "another value").await;
    closed.until_get(&named, "/reveal?name=token", (200, "another value")).await;

    let more = [("the second host's log", second.output()), ("the bucket", facts.join("\n"))];
    assert!(more[0].1.contains("TRACE"), "it logs all there is");
    closed.search(&marker, &more).await;
    drop(second);
    closed.done(&["down"]).await;
}

/// `wash` with a value on standard input, against the stage's server.
pub(crate) async fn put_from_stdin(stage: &Stage, name: &str, value: &str) -> Said {
    let wash = lattice_testkit::binary("wash").unwrap();
    let file = stage.folder().join("value");
    std::fs::write(&file, value).unwrap();
    let script = format!("exec {} secret put {name} < {}", wash.display(), file.display());
    let launch = Launch::program("sh").args(["-c", &script]).env("WASMCLOUD_NATS_URL", stage.nats.url());
    let launch = launch.env("WASH_CONTEXTS", stage.folder().join("contexts"));
    let mut process = Process::spawn(launch).unwrap();
    let status = process.wait(SOON).await.unwrap();
    Said { code: status.code().unwrap_or(-1), text: process.output() }
}

#[tokio::test]
async fn what_needs_a_secret_waits_for_it() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let image = stage.signer.example("keyring").display().to_string();
    let mut command = ScaleComponentCommand::new("keyring".parse().unwrap(), image, 4);
    command.secrets = vec!["token".parse().unwrap()];
    let refused = stage.scale(&id, &command).await.unwrap_err();
    assert!(refused.contains("no secret \"token\"; put it: wash secret put token"), "{refused}");
    let state = |wanted: fn(&State) -> bool| {
        move |inventory: &lattice_control_interface::HostInventory| {
            inventory.components.iter().any(|one| one.state().is_some_and(|state| wanted(&state)))
        }
    };
    stage
        .until(
            &id,
            state(|state| matches!(state, State::Pending(why) if why.contains("wash secret put token"))),
        )
        .await;
    let link = [
        "link",
        "put",
        "keyring",
        "out",
        "wasi:http",
        "--interface",
        "outgoing-handler",
        "--target-secret",
        "token",
    ];
    let refused = stage.wash(&link).await;
    assert!(refused.code == 1 && refused.text.contains("wash secret put token"), "{}", refused.text);

    // An open lattice is said to be one, since whoever joins it is given the secret.
    let said = put_from_stdin(&stage, "token", "hunter2\n").await;
    assert!(said.code == 0 && said.text.contains("the lattice is open"), "{}", said.text);
    stage.until(&id, state(|state| *state == State::Ready)).await;
    assert_eq!(stage.wash(&link).await.code, 0);

    // Scaled, it keeps what it was given.
    let image = &command.component_ref;
    let scaled = stage.wash(&["scale", "actor", id.as_str(), image, "keyring", "--concurrency", "7"]).await;
    assert_eq!(scaled.code, 0, "{}", scaled.text);
    let inventory =
        stage.until(&id, |inventory| inventory.components.iter().any(|one| one.max_instances == 7)).await;
    assert_eq!(inventory.components[0].secrets, Some(command.secrets.clone()));

    // Never from the command line, and never empty.
    assert_eq!(stage.wash(&["secret", "put", "token", "hunter2"]).await.code, 2);
    assert_eq!(put_from_stdin(&stage, "token", "\n").await.code, 2);
}

#[tokio::test]
async fn a_manifest_names_secrets_and_a_host_without_a_holder_says_so() {
    let stage = Stage::set().await;
    let (first, id) = stage.host(&[]).await;
    assert_eq!(put_from_stdin(&stage, "token", "hunter2").await.code, 0);
    let file = stage.folder().join("app.yaml");
    let image = stage.signer.example("keyring").display().to_string();
    std::fs::write(
        &file,
        format!("app: a\nactors:\n  - {{name: keyring, image: {image}, secrets: [token]}}\n"),
    )
    .unwrap();
    let applied = stage.wash(&["apply", "-m", &file.display().to_string()]).await;
    assert_eq!(applied.code, 0, "{}", applied.text);
    let again = stage.wash(&["apply", "-m", &file.display().to_string(), "-o", "json"]).await.json();
    assert_eq!(again["actors"][0]["did"], "unchanged", "{again}");
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.components[0].secrets, Some(vec!["token".parse().unwrap()]));

    // The only host that could seal it is gone before another comes.
    drop(first);
    let (_second, id) = stage.host(&[]).await;
    let mut command = ScaleComponentCommand::new("late".parse().unwrap(), image, 1);
    command.secrets = vec!["token".parse().unwrap()];
    let why = stage.scale(&id, &command).await.unwrap_err();
    assert!(why.contains("is not sealed to this host yet"), "{why}");
    let listed: Value = stage.wash(&["secret", "list", "-o", "json"]).await.json();
    assert_eq!(listed["secrets"][0]["waiting"], serde_json::json!([id]), "{listed}");
}
