//! `wasmcloud` by itself: manifests, slots, and what it refuses before it touches anything.

use std::{collections::BTreeSet, time::Duration};

use lattice_control_interface::HostInventory;
use lattice_core::{HostId, State};
use lattice_testkit::{Process, Registry, free_port};
use lattice_tests::{Said, Stage};
use tokio::{net::TcpListener, task::JoinSet};

const WITHIN: Duration = Duration::from_secs(60);

/// A host that should not start.
async fn refused(stage: &Stage, args: &[&str]) -> Said {
    let url = stage.nats.url();
    stage.run("wasmcloud", &[&["--nats-url", &url], args].concat()).await
}

fn id_of(host: &Process) -> HostId {
    let line = host.output();
    let id = line.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
    HostId::new(id.unwrap_or_default()).unwrap()
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_before_anything_starts() {
    let stage = Stage::set().await;
    let mut events = stage.listen().await;
    let write = |name: &str, text: &str| stage.signer.file(name, text.as_bytes()).display().to_string();

    let typos =
        write("typos.yaml", "app: shop\nactors:\n  - name: web\n    imgae: ./web.wasm\n    concurency: 3\n");
    let said = refused(&stage, &["-m", &typos]).await;
    assert_eq!(said.code, 1, "{}", said.text);
    for line in [
        format!("{typos}:4:5: an actor has no field \"imgae\"; did you mean \"image\"?"),
        format!("{typos}:5:5: an actor has no field \"concurency\"; did you mean \"concurrency\"?"),
    ] {
        assert!(said.text.contains(&line), "{line} in {}", said.text);
    }
    let two =
        write("two.yaml", "app: shop\nactors:\n  - name: web\n    image: ./web.wasm\n    replicas: 2\n");
    let said = refused(&stage, &["-m", &two]).await;
    assert!(
        said.code == 1 && said.text.contains("asks for 2 replicas of web: one host runs one"),
        "{}",
        said.text
    );
    let said = refused(&stage, &["-m", "no-such.yaml"]).await;
    assert!(said.code == 1 && said.text.contains("cannot read the manifest no-such.yaml"), "{}", said.text);

    // Functions are not there yet, and are not taken for anything else.
    for command in ["create", "login", "run"] {
        let said = stage.run("wasmcloud", &[command, "x", "--flag"]).await;
        assert_eq!(said.code, 2, "{}", said.text);
        assert!(said.text.contains(&format!("`wasmcloud {command}` belongs to functions")), "{}", said.text);
    }
    assert_eq!(stage.run("wasmcloud", &["--no-such-flag"]).await.code, 2);
    assert_eq!(stage.run("wasmcloud", &["createe"]).await.code, 2);
    let said = refused(&stage, &["--trust", "nobody"]).await;
    assert!(said.code == 2 && said.text.contains("--trust"), "{}", said.text);

    // No lattice.
    let nowhere = format!("nats://127.0.0.1:{}", free_port().unwrap());
    let said = stage.run("wasmcloud", &["--nats-url", &nowhere]).await;
    assert_eq!(said.code, 3, "{}", said.text);
    assert!(said.text.contains("no NATS server answers") && said.text.contains("`wash up`"), "{}", said.text);

    // Nothing was started: the first to be heard is the host that is.
    let (_host, _id) = stage.host(&[]).await;
    events.wait("host_started", |_| true).await;
    assert_eq!(events.named("host_started").count(), 1);
}

#[tokio::test]
async fn a_manifest_comes_true_also_when_its_image_comes_late() {
    let stage = Stage::set().await;
    let registry = Registry::start().await.unwrap();
    let image = |port: u16| format!("localhost:{port}/hello:1");
    let own: u16 = registry.address().rsplit(':').next().unwrap().parse().unwrap();
    let file = stage.signer.example("hello").display().to_string();
    let said = stage.wash(&["reg", "push", &image(own), &file]).await;
    assert_eq!(said.code, 0, "{}", said.text);

    // The registry is not reachable under the port of the manifest yet.
    let (late, web) = (free_port().unwrap(), free_port().unwrap());
    let _beside_the_manifest = stage.signer.example("echo");
    let built = stage.signer.example("misbehave");
    let not_yet = built.with_extension("not-yet");
    std::fs::rename(&built, &not_yet).unwrap();
    let text = format!(
        "app: shop\nlabels: {{ zone: lab }}\nproviders:\n  - {{ name: http, image: 'builtin://http-server' }}\nactors:\n  \
         - {{ name: hello, image: '{}', concurrency: 3 }}\n  - {{ name: echo, image: ./echo_s.wasm }}\n  \
         - {{ name: built, image: ./misbehave_s.wasm }}\nlinks:\n  \
         - {{ from: http, to: hello, contract: wasi:http, config: {{ address: '127.0.0.1:{web}' }} }}\n  \
         - {{ from: http, to: echo, contract: wasi:http, config: {{ address: '127.0.0.1:{web}', path: /echo }} }}\n",
        image(late)
    );
    let manifest = stage.signer.file("shop.yaml", text.as_bytes()).display().to_string();
    let (_host, id) = stage.host(&["-m", &manifest, "--label", "rack=7"]).await;
    let labels = stage.hosts().await.remove(0).labels.0;
    assert_eq!((labels["zone"].as_str(), labels["rack"].as_str()), ("lab", "7"));

    // What can be had is served meanwhile, and the rest says why not.
    stage.until_link(&id, "http", "echo", |state| *state == State::Ready).await;
    assert_eq!(stage.http.get(&format!("http://127.0.0.1:{web}/echo")).await.unwrap().status, 200);
    let unreachable = |state: State| matches!(state, State::Failed(why) if why.contains("cannot be reached"));
    stage
        .until(&id, |inventory| {
            let hello = inventory.components.iter().find(|actor| actor.id.as_str() == "hello");
            hello.and_then(|actor| actor.state()).is_some_and(unreachable)
        })
        .await;

    std::fs::rename(&not_yet, &built).unwrap();
    let mut doors = JoinSet::new();
    doors.spawn(forward(late, own));
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    let answer = stage.http.get(&format!("http://127.0.0.1:{web}/")).await.unwrap();
    assert_eq!(answer.text(), "Hello from the lattice!\n");
    let all_run = |inventory: &HostInventory| {
        inventory.components.iter().filter(|actor| actor.max_instances > 0).count() == 3
    };
    let inventory = stage.until(&id, all_run).await;
    let hello = inventory.components.iter().find(|actor| actor.id.as_str() == "hello").unwrap();
    assert_eq!(hello.max_instances, 3);
    assert_eq!(hello.annotations["wasmcloud.dev/appspec"], "shop");
}

/// What comes to one port goes to another.
async fn forward(from: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", from)).await.unwrap();
    let mut running = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        running.spawn(async move {
            let mut far = tokio::net::TcpStream::connect(("127.0.0.1", to)).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        });
    }
}

#[tokio::test]
async fn two_hosts_of_one_folder_are_two_and_stay_who_they_are() {
    let stage = Stage::set().await;
    let mut first = stage.plain_host(&[]).await;
    let second = stage.plain_host(&[]).await;
    let (one, two) = (id_of(&first), id_of(&second));
    assert_ne!(one, two);
    let both: BTreeSet<String> = stage.hosts().await.iter().map(|host| host.id.to_string()).collect();
    assert_eq!(both, BTreeSet::from([one.to_string(), two.to_string()]));
    // Restarted, in order or after a crash, it is the same; the other is not disturbed.
    assert_eq!(first.stop(WITHIN).await.unwrap().code(), Some(0));
    let mut first = stage.plain_host(&[]).await;
    assert_eq!(id_of(&first), one);
    first.kill();
    let first = stage.plain_host(&[]).await;
    assert_eq!(id_of(&first), one);
    assert_eq!(stage.hosts().await.len(), 2);
}
