//! Providers that are processes of their own, on a closed lattice: started, linked, called, killed, stopped; who they are on NATS,
//! and for how long.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use data_encoding::BASE64;
use lattice_control_interface::{Client, HostInventory};
use lattice_core::{HostId, LatticeName, State, permission::inbox_prefix};
use lattice_nats::{ConnectError, ConnectOptions, Connection, Credentials, Secret, SubscribeError};
use lattice_testkit::{Host, Launch, NatsOptions, NatsServer, Process, Tools, binary, free_port, until};
use lattice_tests::Stage;
use serde_json::Value;

pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// A lattice that takes nobody without credentials, as `wash nats init` makes it, and in `stage` an operator of it.
pub(crate) struct Closed {
    pub(crate) stage: Stage,
    pub(crate) own: PathBuf,
    url: String,
    server: Process,
}

impl Closed {
    pub(crate) async fn set() -> Self {
        let mut stage = Stage::set().await;
        let address = || format!("127.0.0.1:{}", free_port().unwrap());
        let (listen, leaf, own) = (address(), address(), stage.folder().join("own"));
        let dir = own.display().to_string();
        let made =
            stage.run("wash", &["nats", "init", &dir, "--listen", &listen, "--leaf-listen", &leaf]).await;
        assert_eq!(made.code, 0, "{}", made.text);
        let program = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
        let server = Launch::program(program).args(["-c", "nats-server.conf"]).dir(own.join("server"));
        let server = server.ready("Server is ready", WITHIN).start().await.unwrap();
        let url = format!("nats://{listen}");
        let mut options = ConnectOptions::to(&url).on(&LatticeName::default());
        options.credentials = Credentials::CredsFile(own.join("users/operator.creds"));
        stage.connection = Connection::connect(options, WITHIN).await.unwrap();
        stage.client = Client::new(stage.connection.clone(), LatticeName::default(), Duration::from_secs(15));
        Self { stage, own, url, server }
    }

    pub(crate) async fn host(&self, flags: &[&str]) -> (Host, HostId) {
        let creds = self.own.join("users/host.creds").display().to_string();
        started(&self.stage, &self.url, &[&["--nats-creds", &creds], flags].concat()).await
    }
}

async fn started(stage: &Stage, url: &str, flags: &[&str]) -> (Host, HostId) {
    let cache = cache(stage).display().to_string();
    let args = [&["--trust", stage.signer.account(), "--cache-dir", &cache], flags].concat();
    let allow = [("WASMCLOUD_ALLOW_FILE_LOAD", "true")];
    let host = Host::start(url, args, &allow).await.unwrap();
    let line = host.process.output();
    let id = line.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let id = HostId::new(id.unwrap()).unwrap();
    (host, id)
}

fn cache(stage: &Stage) -> PathBuf {
    stage.folder().join("cache")
}

/// The key-value provider in memory, signed.
fn memory(stage: &Stage) -> String {
    let program = fs::read(binary("provider-keyvalue-memory").unwrap()).unwrap();
    stage.signer.provider("memory.par", &program).display().to_string()
}

/// The processes whose program lies in a host's folder of providers.
pub(crate) fn processes(stage: &Stage) -> Vec<u32> {
    let folder = cache(stage).join("providers");
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    let is_ours = |pid: &u32| {
        let shown = folder.display().to_string();
        // A script's program is its shell, and the script an argument.
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.starts_with(&folder))
            || String::from_utf8_lossy(&command).contains(&shown)
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_ours).collect()
}

pub(crate) async fn kill(pid: u32) {
    let mut kill = Process::spawn(Launch::program("kill").args(["-9", &pid.to_string()])).unwrap();
    assert!(kill.wait(WITHIN).await.unwrap().success());
}

async fn until_no_process(stage: &Stage) {
    let gone = async || processes(stage).is_empty().then_some(());
    until("no process of a provider is left", WITHIN, gone).await.unwrap();
}

/// Counts once; the figure.
pub(crate) async fn count(stage: &Stage, address: &str) -> Result<u64, String> {
    let answer = stage.http.get(&format!("http://{address}/visits")).await.map_err(|e| e.to_string())?;
    match (answer.status, answer.status == 200) {
        (_, true) => Ok(answer.json()["counter"].as_u64().unwrap()),
        (status, false) => Err(format!("{status}: {}", answer.text())),
    }
}

/// A counter behind an HTTP server, that keeps its figures in the provider `store`; its address.
pub(crate) async fn counter(stage: &Stage, host: &HostId) -> String {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.start_provider(host, "http", "builtin://http-server").await.unwrap();
    stage.start_actor(host, "kvcounter", &stage.signer.example("kvcounter"), 10).await.unwrap();
    stage.link("http", "kvcounter", "wasi:http", &[("address", &address)]).await;
    stage.link("kvcounter", "store", "wasi:keyvalue", &[]).await;
    stage.until_link(host, "http", "kvcounter", |state| *state == State::Ready).await;
    stage.until_link(host, "kvcounter", "store", |state| *state == State::Ready).await;
    address
}

pub(crate) fn state_of(inventory: &HostInventory, id: &str) -> String {
    let found = inventory.providers.iter().find(|one| one.id.as_str() == id);
    found.map_or_else(String::new, |one| {
        format!("{} {}", one.state.as_deref().unwrap_or_default(), one.reason.as_deref().unwrap_or_default())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actor_counts_through_a_process_that_is_killed_refuses_a_link_and_is_stopped() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (host, id) = closed.host(&[]).await;
    stage.start_provider(&id, "store", &memory(stage)).await.unwrap();
    let address = counter(stage, &id).await;
    for figure in 1..=3 {
        assert_eq!(count(stage, &address).await, Ok(figure));
    }
    let inventory = stage.until(&id, |inventory| state_of(inventory, "store") == "ready ").await;
    let store = inventory.providers.iter().find(|one| one.id.as_str() == "store").unwrap();
    assert_eq!(store.name.as_deref(), Some("memory.par"), "what is signed of it is shown");
    assert!(!inventory.status.iter().any(|line| line.contains("credentials")), "{:?}", inventory.status);

    // It has nothing of the host's surroundings.
    let [pid] = processes(stage)[..] else { panic!("{:?}", processes(stage)) };
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    let strange = environment
        .split('\0')
        .find(|one| !one.is_empty() && !one.starts_with("RUST_LOG=") && !one.starts_with("OTEL_"));
    assert_eq!(strange, None);

    // Killed: it is started again, that is seen, and calls work again.
    kill(pid).await;
    let seen = stage.until(&id, |inventory| state_of(inventory, "store").contains("started again")).await;
    assert!(state_of(&seen, "store").contains("was ended by signal 9"), "{}", state_of(&seen, "store"));
    stage.until(&id, |inventory| state_of(inventory, "store").starts_with("degraded")).await;
    stage.until_link(&id, "kvcounter", "store", |state| *state == State::Ready).await;
    assert_eq!(count(stage, &address).await, Ok(1), "its memory was its own");
    assert!(host.process.output().contains("was ended by signal 9"));

    // A link that it refuses says why, in its words, and harms no other.
    stage.link("other", "store", "wasi:keyvalue", &[("buket", "x")]).await;
    let refused = |state: &State| matches!(state, State::Failed(why) if why.contains("did you mean bucket?"));
    stage.until_link(&id, "other", "store", refused).await;
    assert_eq!(count(stage, &address).await, Ok(2));

    // Changed while it runs, a link opens another store.
    stage.link("kvcounter", "store", "wasi:keyvalue", &[("bucket", "second")]).await;
    let other = async || (count(stage, &address).await == Ok(1)).then_some(());
    until("the other store is used", WITHIN, other).await.unwrap();

    // Stopped, nothing is left of it, and calls say what is missing.
    stage.client.stop_provider(&id, &"store".parse().unwrap()).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new());
    let missing = count(stage, &address).await.unwrap_err();
    assert!(missing.starts_with("50"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_ends_with_its_host_and_comes_back_with_it() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (mut host, id) = closed.host(&[]).await;
    stage.start_provider(&id, "store", &memory(stage)).await.unwrap();
    let address = counter(stage, &id).await;
    assert_eq!(count(stage, &address).await, Ok(1));
    let before = processes(stage);
    host.process.kill();
    until_no_process(stage).await;
    host.again(&[]).await.unwrap();
    stage.until(&id, |inventory| state_of(inventory, "store").starts_with("ready")).await;
    stage.until_link(&id, "kvcounter", "store", |state| *state == State::Ready).await;
    let counts = async || count(stage, &address).await.ok();
    until("the counter counts again", WITHIN, counts).await.unwrap();
    assert_ne!(processes(stage), before);
    host.process.stop(WITHIN).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new(), "a host that stops in order takes its processes with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_ends_with_its_host_while_nats_is_away() {
    let mut closed = Closed::set().await;
    let (mut host, id) = closed.host(&[]).await;
    closed.stage.start_provider(&id, "store", &memory(&closed.stage)).await.unwrap();
    counter(&closed.stage, &id).await;
    closed.server.kill();
    host.process.wait_for_line("degraded: no lattice", WITHIN).await.unwrap();
    host.process.kill();
    until_no_process(&closed.stage).await;
}

/// A program that writes down what its host tells it, and does nothing more.
fn captor(stage: &Stage, file: &Path) -> String {
    let script = format!(
        "#!/bin/sh\nread -r line\nprintf '%s' \"$line\" > {0}.new\n/bin/mv {0}.new {0}\nread -r more\n",
        file.display()
    );
    stage.signer.provider("captor.par", script.as_bytes()).display().to_string()
}

async fn captured(file: &Path) -> Value {
    let read = async || fs::read(file).ok();
    let line = until("the program was told who it is", WITHIN, read).await.unwrap();
    serde_json::from_slice(&BASE64.decode(line.trim_ascii()).unwrap()).unwrap()
}

fn login(data: &Value, url: &str, id: &str) -> ConnectOptions {
    let text = |field: &str| data[field].as_str().unwrap().to_owned();
    let mut options = ConnectOptions::to(url);
    options.credentials = Credentials::JwtSeed {
        jwt: text("lattice_rpc_user_jwt"),
        seed: Secret::new(text("lattice_rpc_user_seed")),
    };
    options.inbox_prefix = Some(inbox_prefix(&LatticeName::default(), id));
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_is_given_lets_it_be_itself_and_dies_soon_after_it() {
    const LASTS: Duration = Duration::from_secs(6);
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (_host, id) = closed.host(&["--provider-token-seconds", &LASTS.as_secs().to_string()]).await;
    // In a folder of its own: new files beside the host's cache are not for the process.
    let file = stage.folder().join("captured/line");
    fs::create_dir(stage.folder().join("captured")).unwrap();
    let command =
        lattice_control_interface::StartProviderCommand::new("kv".parse().unwrap(), captor(stage, &file));
    stage.client.start_provider(&id, &command).await.unwrap();
    let data = captured(&file).await;
    let given = std::time::Instant::now();
    assert_eq!(
        (data["provider_key"].as_str(), data["lattice_rpc_prefix"].as_str()),
        (Some("kv"), Some("default"))
    );
    assert!(data["lattice_rpc_url"].as_str().unwrap().contains("127.0.0.1"));
    let own = fs::read_to_string(closed.own.join("users/host.creds")).unwrap();
    assert!(!own.contains(data["lattice_rpc_user_seed"].as_str().unwrap()), "never the host's");

    let thief = Connection::connect(login(&data, &closed.url, "kv"), WITHIN).await.unwrap();
    let mut refusals = thief.violations();
    for subject in [
        format!("wasmbus.ctl.v1.default.host.stop.{id}"),
        "wasmbus.ctl.v1.default.link.put".to_owned(),
        "wasmbus.evt.default.host_stopped".to_owned(),
        "$KV.LATTICE_default.link.a.b".to_owned(),
        "$JS.API.STREAM.DELETE.KV_LATTICE_default".to_owned(),
        "wasmbus.inbox.default.=user.operator.x".to_owned(),
        "wasmbus.back.default.other.kvcounter.0.0".to_owned(),
        "wasmbus.call.default.other.kvcounter.a.b".to_owned(),
        "wasmbus.rpc.default.other.default.shutdown".to_owned(),
        "wasmbus.rpc.default.kv.credentials.renew".to_owned(),
    ] {
        thief.client().publish(subject.clone(), Bytes::new()).await.unwrap();
        let refused = tokio::time::timeout(WITHIN, refusals.recv()).await.unwrap().unwrap();
        assert_eq!(refused.subject, subject);
    }
    for subject in [
        "wasmbus.inbox.default.=user.operator.>",
        "wasmbus.back.default.*.other.>",
        "wasmbus.evt.default.>",
        "_INBOX.>",
    ] {
        let refused = thief.subscribe_in_force([(subject.to_owned(), None)], WITHIN).await.err();
        assert_eq!(refused, Some(SubscribeError::Denied { subject: subject.to_owned() }));
    }

    // Stopped: the process is gone at once, and what it was given counts no longer when its time is over.
    stage.client.stop_provider(&id, &"kv".parse().unwrap()).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new());
    let mut connected = thief.connected();
    tokio::time::timeout(WITHIN, connected.wait_for(|connected| !connected)).await.unwrap().unwrap();
    assert!(given.elapsed() < LASTS * 3, "{:?}", given.elapsed());
    let refused = async || match Connection::connect(login(&data, &closed.url, "kv"), WITHIN).await {
        Err(ConnectError::Refused { .. }) => Some(()),
        _ => None,
    };
    until("the token is refused", LASTS * 2, refused).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_outlives_its_first_credentials() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (mut host, id) = closed.host(&["--provider-token-seconds", "4"]).await;
    stage.start_provider(&id, "store", &memory(stage)).await.unwrap();
    let address = counter(stage, &id).await;
    let before = processes(stage);
    // The fourth ones: those of the start, and two more, are over by then.
    let mut figure = 0;
    let mut failures = Vec::new();
    let renewed = |output: &str| {
        output.lines().any(|line| line.contains("its credentials are renewed") && line.contains("number=4"))
    };
    let end = std::time::Instant::now() + WITHIN;
    while !renewed(&host.process.output()) {
        assert!(std::time::Instant::now() < end, "{}", host.process.output());
        match count(stage, &address).await {
            Ok(counted) => {
                assert!(counted > figure, "it is the same process all the time");
                figure = counted;
            }
            Err(failure) => failures.push(failure),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(processes(stage), before);
    assert_eq!(failures, Vec::<String>::new(), "{figure} calls, none of which may see that it logs in anew");
    assert!(count(stage, &address).await.is_ok());
    host.process.stop(WITHIN).await.unwrap();
}

/// A further link of `kvcounter` to `store`, of that name.
async fn named(stage: &Stage, name: &str, takes: &str) {
    let config = name.parse().unwrap();
    stage.client.put_config(&config, &[("takes".to_owned(), takes.to_owned())].into()).await.unwrap();
    let link = serde_json::json!({
        "source_id": "kvcounter", "target": "store", "name": name,
        "wit_namespace": "wasi", "wit_package": "keyvalue", "target_config": [name],
    });
    stage.client.put_link(&serde_json::from_value(link).unwrap()).await.unwrap();
}

fn state_of_named(inventory: &HostInventory, name: &str) -> Option<State> {
    inventory.links.iter().flatten().find(|link| link.name.as_str() == name)?.state()
}

/// Its backend does not answer, as it seems: that is its link's matter, and neither other links', nor its credentials', nor its end's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_a_process_does_not_take_holds_up_nothing_else() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (host, id) = closed.host(&["--provider-token-seconds", "3"]).await;
    let program = fs::read(binary("provider-reluctant").unwrap()).unwrap();
    let image = stage.signer.provider("reluctant.par", &program).display().to_string();
    stage.start_provider(&id, "store", &image).await.unwrap();
    stage.start_actor(&id, "kvcounter", &stage.signer.example("kvcounter"), 1).await.unwrap();
    let put = async |name: &str, takes: &str| named(stage, name, takes).await;
    let until_named = async |name: &str, wanted: fn(&State) -> bool| {
        stage
            .until(&id, |inventory| state_of_named(inventory, name).is_some_and(|state| wanted(&state)))
            .await;
    };
    put("ready", "soon").await;
    until_named("ready", |state| *state == State::Ready).await;

    let begun = std::time::Instant::now();
    let renewals = || {
        let output = host.process.output();
        output.lines().filter(|line| line.contains("its credentials are renewed")).count()
    };
    let before = renewals();
    put("silent", "never").await;
    put("a0", "soon").await;
    let of_a0 = |inventory: &HostInventory| {
        (state_of_named(inventory, "a0") == Some(State::Ready)).then(|| state_of_named(inventory, "silent"))
    };
    let inventory = stage.until(&id, |inventory| of_a0(inventory).is_some()).await;
    let given_up =
        |inventory: &HostInventory| matches!(state_of_named(inventory, "silent"), Some(State::Failed(_)));
    assert!(!given_up(&inventory), "the link after it did not wait for it: {inventory:#?}");
    until("its credentials are renewed", WITHIN, async || (renewals() > before).then_some(())).await.unwrap();
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert!(!given_up(&inventory), "nor did the credentials: {inventory:#?}");
    for number in 1..20 {
        put(&format!("a{number}"), "soon").await;
    }
    for number in 1..20 {
        until_named(&format!("a{number}"), |state| *state == State::Ready).await;
    }
    until_named(
        "silent",
        |state| matches!(state, State::Failed(why) if why.contains("did not take the link within")),
    )
    .await;
    assert!(begun.elapsed() >= Duration::from_secs(8), "{:?}", begun.elapsed());
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(state_of(&inventory, "store"), "ready ", "it answers");

    // What is of the same link follows when its turn comes.
    put("silent", "soon").await;
    until_named("silent", |state| *state == State::Ready).await;

    // A link that is being waited for does not hold up the end.
    put("silent", "never").await;
    let asked = async || {
        let output = host.process.output();
        (output.lines().filter(|line| line.contains("this link is never taken")).count() == 2).then_some(())
    };
    until("it is asked to take the link again", WITHIN, asked).await.unwrap();
    let stopping = std::time::Instant::now();
    stage.client.stop_provider(&id, &"store".parse().unwrap()).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new());
    assert!(
        stopping.elapsed() < Duration::from_secs(8),
        "as long as the link is waited for: {:?}",
        stopping.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_can_sign_no_credentials_says_what_that_means() {
    // Somebody else's server, which knows people by name and password.
    let config = "authorization { user: host, password: s3cret }\n".to_owned();
    let server = NatsServer::start_with(NatsOptions { config, ..NatsOptions::default() }).await.unwrap();
    let url = server.url().replace("nats://", "nats://host:s3cret@");
    let mut stage = Stage::set().await;
    stage.connection = Connection::connect(ConnectOptions::to(&url), WITHIN).await.unwrap();
    stage.client = Client::new(stage.connection.clone(), LatticeName::default(), Duration::from_secs(15));
    let (_host, id) = started(&stage, &url, &[]).await;
    let lines = async || {
        let hosts = stage.hosts().await;
        let notices = hosts.into_iter().flat_map(|host| host.notices);
        notices.filter(|line| line.contains("this host's own NATS credentials")).collect::<Vec<_>>()
    };
    assert_eq!(lines().await.len(), 0, "nothing runs that has them");
    stage.start_provider(&id, "store", &memory(&stage)).await.unwrap();
    let address = counter(&stage, &id).await;
    assert_eq!(count(&stage, &address).await, Ok(1));
    let said = lines().await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("--provider-signing-key") && said[0].contains("also after it was stopped"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_well_or_does_not_run_is_not_started_and_says_why() {
    let stage = Stage::set().await;
    let (_host, id) = started(&stage, &stage.nats.url(), &[]).await;
    let stranger = lattice_tests::Signer::new(&{
        let folder = stage.folder().join("stranger");
        fs::create_dir(&folder).unwrap();
        folder
    });
    let strange = stranger.provider("strange.par", b"#!/bin/sh\n").display().to_string();
    let untrusted = stage.start_provider(&id, "kv", &strange).await.unwrap_err();
    assert!(untrusted.contains(stranger.account()) && untrusted.contains("wash trust add"), "{untrusted}");

    let good = stage.signer.provider("good.par", b"#!/bin/sh\necho fine\n");
    let mut bytes = fs::read(&good).unwrap();
    let at = bytes.windows(4).position(|four| four == b"fine").unwrap();
    bytes[at] = b'F';
    let changed = stage.signer.file("changed.par", &bytes).display().to_string();
    let tampered = stage.start_provider(&id, "kv", &changed).await.unwrap_err();
    assert!(tampered.contains("was changed after it was signed"), "{tampered}");

    let bad = stage
        .signer
        .provider("bad.par", b"#!/bin/sh\nread -r line\necho 'error: no such luck' >&2\nexit 3\n");
    let ended = stage.start_provider(&id, "kv", &bad.display().to_string()).await.unwrap_err();
    assert!(ended.contains("ended with exit code 3") && ended.contains("no such luck"), "{ended}");
    let inventory = stage.until(&id, |inventory| state_of(inventory, "kv").starts_with("failed")).await;
    assert!(state_of(&inventory, "kv").contains("no such luck"), "{}", state_of(&inventory, "kv"));

    let actor = stage.signer.example("hello").display().to_string();
    let wrong = stage.start_provider(&id, "kv", &actor).await.unwrap_err();
    assert!(wrong.contains("wash start actor"), "{wrong}");
    assert_eq!(processes(&stage), Vec::<u32>::new());
}

/// A program that looks around, and says what it got at.
fn prowler(stage: &Stage, data: &Path, creds: &Path) -> String {
    let (data, creds, beside) = (data.display(), creds.display(), creds.with_file_name("operator.creds"));
    let script = format!(
        "#!/bin/sh\nread -r line\nsaw=\ntries() {{ what=$1; shift; \"$@\" >/dev/null 2>&1 && saw=\"$saw $what\"; }}\n\
         tries creds cat {creds}\ntries operator cat {beside}\ntries data ls {data}\ntries write touch {data}/x\ntries signal kill -0 $PPID\n\
         tries environment cat /proc/$PPID/environ\ntries machine cat /etc/passwd\ntries scratch touch {scratch}/x\n\
         echo \"error: saw:$saw.\" >&2\nexit 3\n",
        beside = beside.display(),
        scratch = stage.folder().join("scratch").display(),
    );
    stage.signer.provider("prowler.par", script.as_bytes()).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_sees_the_machine_and_nothing_of_its_host() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    fs::create_dir(stage.folder().join("scratch")).unwrap();
    let creds = closed.own.join("users/host.creds");
    let (host, id) = closed.host(&[]).await;
    let image = prowler(stage, host.data_dir(), &creds);
    let said = stage.start_provider(&id, "prowler", &image).await.unwrap_err();
    assert!(said.contains("saw: machine scratch."), "{said}");
    let status = stage.client.get_host_inventory(&id).await.unwrap().status;
    assert!(!status.iter().any(|line| line.contains("see the files")), "{status:?}");

    // Where an operator wants it so, it sees all, and everybody sees that.
    let (open, id) = closed.host(&["--unconfined-providers"]).await;
    let image = prowler(stage, open.data_dir(), &creds);
    let said = stage.start_provider(&id, "prowler", &image).await.unwrap_err();
    assert!(said.contains("saw: creds operator data write signal environment machine scratch."), "{said}");
    let status = stage.client.get_host_inventory(&id).await.unwrap().status;
    assert!(status.iter().any(|line| line.contains("--unconfined-providers")), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_signer_is_revoked_runs_on_degraded_and_is_not_started_again() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let friend = lattice_tests::Signer::new(stage.folder());
    let program = fs::read(binary("provider-keyvalue-memory").unwrap()).unwrap();
    let image = friend.provider("friend.par", &program).display().to_string();
    let trust = async |verb: &str| {
        let said = stage.wash(&["trust", verb, friend.account()]).await;
        assert_eq!(said.code, 0, "{}", said.text);
    };
    trust("add").await;
    stage.start_provider(&id, "store", &image).await.unwrap();
    let address = counter(&stage, &id).await;
    assert_eq!(count(&stage, &address).await, Ok(1));
    stage.until(&id, |inventory| state_of(inventory, "store") == "ready ").await;

    // It runs on, is seen to have lost its ground, and comes back to it.
    let degraded = |inventory: &HostInventory| {
        let state = state_of(inventory, "store");
        state.starts_with("degraded it was signed by") && state.contains("was revoked at")
    };
    trust("del").await;
    stage.until(&id, degraded).await;
    assert_eq!(count(&stage, &address).await, Ok(2));
    trust("add").await;
    stage.until(&id, |inventory| state_of(inventory, "store") == "ready ").await;

    // Once it has ended, it is not started again, and says why.
    trust("del").await;
    stage.until(&id, degraded).await;
    let [pid] = processes(&stage)[..] else { panic!("{:?}", processes(&stage)) };
    kill(pid).await;
    let failed = |inventory: &HostInventory| {
        let state = state_of(inventory, "store");
        state.starts_with("failed") && state.contains("was revoked in this lattice")
    };
    stage.until(&id, failed).await;
    assert_eq!(processes(&stage), Vec::<u32>::new());
}
