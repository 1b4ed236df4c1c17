//! A secret on its way to a provider that is a process of its own: it arrives, and nobody who hears all that NATS carries reads it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use lattice_core::State;
use lattice_testkit::{binary, free_port, until};
use lattice_tests::Stage;
use tokio::task::JoinSet;

use crate::secrets::{LOG, echo_server, forms, marker, put_from_stdin};

const SOON: Duration = Duration::from_secs(60);

/// Whoever hears everything: the server asks nobody who he is.
struct Auditor {
    heard: Arc<Mutex<Vec<String>>>,
    _listening: JoinSet<()>,
}

impl Auditor {
    async fn of(stage: &Stage) -> Self {
        let mut messages = stage.connection.client().subscribe(">").await.unwrap();
        stage.connection.round_trip(SOON).await.unwrap();
        let (heard, mut listening) = (Arc::<Mutex<Vec<String>>>::default(), JoinSet::new());
        let kept = heard.clone();
        listening.spawn(async move {
            while let Some(message) = messages.next().await {
                let payload = String::from_utf8_lossy(&message.payload).into_owned();
                kept.lock().unwrap().push(format!("{} {:?} {payload}", message.subject, message.headers));
            }
        });
        Self { heard, _listening: listening }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_reaches_a_provider_process_and_crosses_nats_sealed() {
    let stage = Stage::set().await;
    let auditor = Auditor::of(&stage).await;
    let (host, id) = stage.host(&["--log-level", LOG]).await;
    let (first, second) = (marker(), marker());
    assert_eq!(put_from_stdin(&stage, "token", &first).await.code, 0);
    let program = std::fs::read(binary("provider-http-client").unwrap()).unwrap();
    let image = stage.signer.provider("out.par", &program).display().to_string();
    stage.start_provider(&id, "out", &image).await.unwrap();
    stage.start_provider(&id, "http", "builtin://http-server").await.unwrap();
    stage.start_actor(&id, "probe", &stage.signer.example("probe"), 4).await.unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    stage.link("http", "probe", "wasi:http", &[("address", &address)]).await;

    let (port, heads, _server) = echo_server().await;
    let allow = format!("allow=127.0.0.1:{port}");
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
    let gives = [
        "secret_headers=authorization=Bearer {token}",
        "--interface",
        "outgoing-handler",
        "--target-secret",
        "token",
    ];
    let said = stage.wash(&[&put[..], &gives[..]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.text);
    stage.until_link(&id, "probe", "out", |state| *state == State::Ready).await;

    // The process has it: what it sends says so. A new value it is given while it runs.
    let asks = format!("http://{address}/http?url=http://127.0.0.1:{port}/x");
    let arrives = async |marker: &str| {
        let header = format!("authorization: Bearer {marker}");
        let sent = async || {
            let answer = stage.http.get(&asks).await.ok()?;
            (answer.status == 200 && heads.lock().unwrap().iter().any(|head| head.contains(&header)))
                .then_some(())
        };
        until("the process sends the secret", SOON, sent).await.unwrap();
    };
    arrives(&first).await;
    assert_eq!(put_from_stdin(&stage, "token", &second).await.code, 0);
    arrives(&second).await;

    let heard = auditor.heard();
    let told = heard.iter().filter(|message| message.starts_with("wasmbus.rpc.default.out."));
    let sealed = told.filter(|message| message.contains("\"target_secrets\":[")).count();
    assert!(sealed >= 2, "the process is told of both values, sealed: {sealed}");
    let calls = heard.iter().filter(|message| message.starts_with("wasmbus.call.default.probe.out.")).count();
    assert!(calls > 0, "the actor's requests cross NATS");
    for prefix in ["wasmbus.evt.", "$KV.", "wasmbus.ctl."] {
        assert!(heard.iter().any(|message| message.starts_with(prefix)), "{prefix} was heard");
    }
    let mut shown = vec![("the host's log", host.process.output())];
    for look in [
        &["get", "inventory", "-o", "json"][..],
        &["get", "links", "-o", "json"],
        &["secret", "list", "-o", "json"],
    ] {
        shown.push(("what wash shows", stage.wash(look).await.text));
    }
    assert!(shown[0].1.contains("TRACE") && shown[0].1.contains("provider=out"), "it logs all there is");
    shown.extend(heard.into_iter().map(|message| ("a message", message)));
    for form in [forms(&first), forms(&second)].concat() {
        for (what, text) in &shown {
            let line = text.lines().find(|line| line.contains(&form));
            assert_eq!(line, None, "{what} holds the secret");
        }
    }
}
