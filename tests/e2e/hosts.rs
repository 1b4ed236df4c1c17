//! Hosts see each other come, stop, die, freeze and come back; without NATS they go on, and say so.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_control_interface::ControlError;
use lattice_core::{HostFact, HostId, HostedActor, HostedProvider, LatticeName};
use lattice_nats::{FactStore, HeaderMap};
use lattice_testkit::{NatsOptions, Process, until};
use lattice_tests::{Cable, RawEvents, Stage};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
/// Longer than a host may be silent without being asked whether it lives.
const SILENCE: Duration = Duration::from_secs(4);

fn is(host: &HostId) -> impl Fn(&serde_json::Value) -> bool {
    move |data| data["host_id"] == host.as_str()
}

/// The id in a host's ready line.
fn id_of(process: &Process) -> HostId {
    let output = process.output();
    let id = output.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
    HostId::new(id.unwrap_or_default()).expect("the ready line names the host")
}

/// The facts of the lattice, as somebody sees them who is no host.
async fn facts(stage: &Stage) -> FactStore {
    let reader = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
    FactStore::open(&stage.connection, &LatticeName::default(), reader).await.unwrap()
}

async fn lost(events: &mut RawEvents, host: &HostId, since: Instant, what: &str) {
    let told = events.wait("host_lost", is(host)).await;
    let took = since.elapsed();
    eprintln!("{what}: lost after {took:?}: {told}");
    assert!(told["reason"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
    assert!(told["sequence"].as_u64() > Some(0) && told["silent_ms"].as_u64() > Some(0), "{told}");
}

#[tokio::test]
async fn a_host_is_seen_when_it_comes_and_lost_when_it_is_killed() {
    let stage = Stage::set().await;
    let (_one, one) = stage.host(&["--label", "zone=lab"]).await;
    let mut events = stage.listen().await;
    let (mut two_process, two) = stage.host(&["--label", "zone=shop"]).await;
    let came = Instant::now();
    stage.until_peers(&[&one, &two], 1).await;
    eprintln!("both see each other {:?} after the second is ready", came.elapsed());
    let said = stage.wash(&["get", "hosts"]).await;
    assert!(
        said.code == 0 && said.text.contains("zone=lab") && said.text.contains("zone=shop"),
        "{}",
        said.text
    );
    stage.start_actor(&two, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    // It tells what it runs a moment after it runs.
    let facts = facts(&stage).await;
    let told = || async {
        facts.snapshot().hosts().any(|(id, told)| *id == two && !told.actors.is_empty()).then_some(())
    };
    until("its fact tells of the actor", WITHIN, told).await.unwrap();

    two_process.process.kill();
    lost(&mut events, &two, Instant::now(), "kill -9").await;
    stage.until_peers(&[&one], 0).await;

    // What is known of it is still told; nothing was deleted.
    let said = stage.wash(&["get", "hosts", "-o", "json"]).await;
    let json = said.json();
    assert_eq!(
        (json["hosts"][0]["id"].as_str(), json["lost"][0]["id"].as_str()),
        (Some(one.as_str()), Some(two.as_str()))
    );
    assert_eq!(json["lost"][0]["actors"], json!(["hello"]));
    let said = stage.wash(&["get", "hosts"]).await;
    let row = said.text.lines().find(|line| line.contains(two.as_str())).unwrap_or_default();
    assert!(row.contains("zone=shop") && row.ends_with("lost"), "{}", said.text);
    let said = stage.wash(&["get", "inventory"]).await;
    assert!(said.text.contains("is lost") && said.text.contains("last known to run: hello"), "{}", said.text);
}

#[tokio::test]
async fn of_three_hosts_the_other_two_agree() {
    let stage = Stage::set().await;
    let ((_one, one), (mut two_process, two), (_three, three)) =
        (stage.host(&[]).await, stage.host(&[]).await, stage.host(&[]).await);
    stage.until_peers(&[&one, &two, &three], 2).await;
    let mut events = stage.listen().await;
    two_process.process.kill();
    lost(&mut events, &two, Instant::now(), "kill -9 of one in three").await;
    stage.until_peers(&[&one, &three], 1).await;
}

#[tokio::test]
async fn a_frozen_host_is_lost_until_it_goes_on_and_takes_nobody_else_for_lost() {
    let stage = Stage::set().await;
    let ((_one, one), (mut two_process, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    stage.until_peers(&[&one, &two], 1).await;
    let mut events = stage.listen().await;
    two_process.process.pause();
    lost(&mut events, &two, Instant::now(), "SIGSTOP").await;
    stage.until_peers(&[&one], 0).await;
    two_process.process.resume();
    let resumed = Instant::now();
    events.wait("host_back", is(&two)).await;
    eprintln!("back {:?} after SIGCONT", resumed.elapsed());
    stage.until_peers(&[&one, &two], 1).await;
    assert!(events.named("host_lost").all(|event| event.data()["host_id"] == two.as_str()));
}

#[tokio::test]
async fn a_clean_stop_is_known_at_once_and_nobody_is_lost() {
    let stage = Stage::set().await;
    let ((_one, one), (mut two_process, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    stage.until_peers(&[&one, &two], 1).await;
    let mut events = stage.listen().await;
    two_process.process.terminate();
    let stopped = Instant::now();
    stage.until_peers(&[&one], 0).await;
    eprintln!("gone for the other one {:?} after SIGTERM", stopped.elapsed());
    events.wait("host_stopped", |_| true).await;
    two_process.process.wait(WITHIN).await.unwrap();
    let hosts = stage.hosts().await;
    assert!(hosts.len() == 1 && hosts[0].lost.is_empty(), "{hosts:?}");
    assert_eq!(events.named("host_lost").count(), 0);
}

#[tokio::test]
async fn plain_hosts_on_one_machine_are_somebody_each_and_the_same_after_a_restart() {
    let stage = Stage::set().await;
    let (mut first, second) = (stage.plain_host(&[]).await, stage.plain_host(&[]).await);
    let (one, two) = (id_of(&first), id_of(&second));
    assert_ne!(one, two);
    stage.until_peers(&[&one, &two], 1).await;
    let mut events = stage.listen().await;
    first.kill();
    lost(&mut events, &one, Instant::now(), "kill -9 of a plain host").await;
    let again = stage.plain_host(&[]).await;
    assert_eq!(id_of(&again), one, "the first free slot is its own");
    events.wait("host_back", is(&one)).await;
    stage.until_peers(&[&one, &two], 1).await;
    assert!(stage.hosts().await.iter().all(|host| host.lost.is_empty()));
}

#[tokio::test]
async fn without_nats_hosts_serve_and_say_that_they_have_no_lattice() {
    let mut stage = Stage::set().await;
    let (mut one_process, one, first) = stage.serving(&[], "hello", 10).await;
    let (mut two_process, two) = stage.host(&[]).await;
    stage.until_peers(&[&one, &two], 1).await;
    let mut events = stage.listen().await;
    stage.nats.kill();
    let degraded = "degraded: no lattice";
    for host in [&mut one_process, &mut two_process] {
        host.process.wait_for_line(degraded, WITHIN).await.unwrap();
        assert!(!host.process.output().contains("host is lost"), "{}", host.process.output());
    }
    let url = format!("http://{first}/");
    assert_eq!(stage.http.get(&url).await.unwrap().text(), "Hello from the lattice!\n");
    let said = stage.wash(&["get", "hosts"]).await;
    assert!(
        said.code == 3 && said.text.contains("no NATS server answers") && said.text.contains("wash up"),
        "{}",
        said.text
    );
    // They serve, and nobody is judged, for longer than any host may be silent.
    let began = Instant::now();
    let served = async || {
        assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
        (began.elapsed() > SILENCE).then_some(())
    };
    until("no host may be silent for so long", WITHIN, served).await.unwrap();

    stage.restart_nats().await;
    stage.until_peers(&[&one, &two], 1).await;
    let hosts = stage.hosts().await;
    assert!(
        hosts.iter().all(|host| host.state.as_deref() == Some("ready") && host.lost.is_empty()),
        "{hosts:?}"
    );
    assert!(
        hosts.iter().all(|host| host.notices.iter().any(|line| line.starts_with("had no lattice"))),
        "{hosts:?}"
    );
    stage.done("config.put.mark", "{}").await;
    events.wait("config_set", |data| data["config_name"] == "mark").await;
    assert_eq!(events.named("host_lost").count(), 0);
}

#[tokio::test]
async fn a_host_that_lost_the_lattice_tells_so_by_event_when_it_is_back() {
    let stage = Stage::set().await;
    let cable = Cable::to(stage.nats.port()).await;
    let (mut cut_off, id) = stage.host_over(&cable, &[]).await;
    let (_other, other) = stage.host(&[]).await;
    stage.until_peers(&[&id, &other], 1).await;
    let mut events = stage.listen().await;
    cable.cut();
    cut_off.process.wait_for_line("degraded: no lattice", WITHIN).await.unwrap();
    // For others it is lost; for itself it goes on, and keeps for later what it has to tell.
    lost(&mut events, &id, Instant::now(), "a cut cable").await;
    assert_eq!(events.named("host_state").count(), 0);

    cable.mend();
    let state = |wanted: &'static str| {
        let id = id.clone();
        move |data: &serde_json::Value| data["host_id"] == id.as_str() && data["state"] == wanted
    };
    let told = events.wait("host_state", state("degraded")).await;
    assert!(told["reason"].as_str().is_some_and(|why| why.starts_with("no lattice: NATS at ")), "{told}");
    let told = events.wait("host_state", state("ready")).await;
    assert!(told.get("reason").is_none(), "{told}");
    let times: Vec<&str> =
        events.named("host_state").filter_map(|event| event.body["time"].as_str()).collect();
    assert!(times.len() == 2 && times[0][..19] < times[1][..19], "the first has the time of then: {times:?}");
    stage.until_peers(&[&id, &other], 1).await;
    let hosts = stage.hosts().await;
    let back = hosts.iter().find(|host| host.id == id).unwrap();
    assert!(back.notices.iter().any(|line| line.starts_with("had no lattice for")), "{back:?}");
}

#[tokio::test]
async fn a_frozen_nats_makes_nobody_lost() {
    let mut stage = Stage::set().await;
    let ((mut one_process, one), (mut two_process, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    stage.until_peers(&[&one, &two], 1).await;
    let mut events = stage.listen().await;
    let frozen = Instant::now();
    stage.nats.pause();
    // Both give their connections up, which takes them longer than any host may be silent.
    for host in [&mut one_process, &mut two_process] {
        host.process.wait_for_line("degraded: no lattice", WITHIN).await.unwrap();
        assert!(!host.process.output().contains("host is lost"), "{}", host.process.output());
    }
    eprintln!("both say that they have no lattice {:?} after SIGSTOP", frozen.elapsed());
    stage.nats.resume();
    let client = stage.client.clone();
    let back = || async { client.get_host_inventory(&one).await.ok() };
    until("the host answers again", WITHIN, back).await.unwrap();
    stage.until_peers(&[&one, &two], 1).await;
    stage.done("config.put.mark", "{}").await;
    events.wait("config_set", |data| data["config_name"] == "mark").await;
    assert_eq!(events.named("host_lost").count(), 0);
}

#[tokio::test]
async fn a_host_keeps_its_own_fact_and_takes_it_back() {
    let stage = Stage::set().await;
    let mut process = stage.plain_host(&[]).await;
    let id = id_of(&process);
    let facts = facts(&stage).await;
    let told = |wanted: fn(&HostFact) -> bool, since: u64| {
        let (facts, id) = (&facts, &id);
        move || async move {
            let snapshot = facts.snapshot();
            let of_it =
                snapshot.hosts().find(|(host, told)| *host == id && told.epoch > since && wanted(told));
            of_it.map(|(_, told)| told)
        }
    };
    stage.start_provider(&id, "kv", "builtin://keyvalue-nats").await.unwrap();
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 7).await.unwrap();
    stage.done(&format!("label.put.{id}"), r#"{"key":"rack","value":"7"}"#).await;
    let complete = |told: &HostFact| {
        told.actors.iter().any(HostedActor::answers)
            && told.providers.iter().any(HostedProvider::answers)
            && told.labels.0.contains_key("rack")
    };
    let first = until("the fact tells all", WITHIN, told(complete, 0)).await.unwrap();
    let actor = &first.actors[0];
    assert_eq!((actor.id.as_str(), actor.concurrency), ("hello", 7));
    assert!(actor.digest.as_deref().is_some_and(|digest| digest.starts_with("sha256:")), "{first:?}");
    assert!(
        actor.exports.iter().flatten().any(|name| name.starts_with("wasi:http/incoming-handler@0.2.")),
        "{first:?}"
    );
    assert_eq!(first.providers[0].interfaces.as_deref().unwrap_or_default()[0], "wasi:keyvalue/store");

    // Killed, it leaves its fact; in its next life it overwrites it, whatever it has started again by then.
    process.kill();
    assert!(facts.snapshot().hosts().any(|(host, _)| *host == id));
    let mut process = stage.plain_host(&[]).await;
    until("the old fact is overwritten", WITHIN, told(|_| true, first.epoch)).await.unwrap();
    process.terminate();
    process.wait(WITHIN).await.unwrap();
    let gone = || async { facts.snapshot().hosts().all(|(host, _)| *host != id).then_some(()) };
    until("the fact is taken back", WITHIN, gone).await.unwrap();
}

#[tokio::test]
async fn a_lost_host_is_forgotten_when_asked_and_known_again_when_it_comes_back() {
    let stage = Stage::set().await;
    let (_one, one) = stage.host(&[]).await;
    let ((mut two_process, two), (mut three_process, three)) = (stage.host(&[]).await, stage.host(&[]).await);
    stage.until_peers(&[&one, &two, &three], 2).await;
    let mut events = stage.listen().await;
    let lives = stage.wash(&["host", "forget", two.as_str()]).await;
    let remedy = format!("stop it: wash stop host {two}");
    assert!(
        lives.code == 1 && lives.text.contains("lives") && lives.text.contains(&remedy),
        "{}",
        lives.text
    );

    // One dies, one is frozen; both are lost.
    two_process.process.kill();
    three_process.process.pause();
    lost(&mut events, &two, Instant::now(), "kill -9").await;
    stage.until_peers(&[&one], 0).await;
    let hosts = stage.hosts().await;
    let name = hosts[0].lost.iter().find(|host| host.id == two).unwrap().friendly_name.clone();
    assert_eq!(hosts[0].lost.len(), 2, "{hosts:?}");
    let said = stage.wash(&["get", "hosts"]).await;
    assert!(said.text.contains("wash host forget HOST"), "{}", said.text);
    // The frozen one might be picked to forget, until its server gives its connection up.
    let given_up = || async {
        matches!(stage.client.get_host_inventory(&three).await, Err(ControlError::NoSuchHost { .. }))
            .then_some(())
    };
    until("the frozen host has no connection any more", WITHIN, given_up).await.unwrap();
    let said = stage.wash(&["host", "forget", &name]).await;
    assert!(
        said.code == 0 && said.text.contains(&format!("host {two} ({name}) is forgotten")),
        "{}",
        said.text
    );
    let said = stage.wash(&["ctl", "host", "forget", three.as_str(), "-o", "json"]).await;
    assert_eq!((said.code, said.json()["host_id"].as_str()), (0, Some(three.as_str())), "{}", said.text);
    let nobody = || async { stage.hosts().await[0].lost.is_empty().then_some(()) };
    until("nobody is lost any more", WITHIN, nobody).await.unwrap();
    let again = stage.wash(&["host", "forget", two.as_str()]).await;
    assert!(again.code == 1 && again.text.contains("is known in this lattice"), "{}", again.text);

    // Both come back: the frozen one finds its fact gone, the other one starts anew.
    three_process.process.resume();
    two_process.again(&[]).await.unwrap();
    stage.until_peers(&[&one, &two, &three], 2).await;
    let facts = facts(&stage).await;
    let all = || async { (facts.snapshot().hosts().count() == 3).then_some(()) };
    until("each has its fact", WITHIN, all).await.unwrap();
}

#[tokio::test]
async fn a_start_goes_to_the_host_with_the_least_to_do() {
    let stage = Stage::set().await;
    let ((_one, one), (_two, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    stage.start_actor(&one, "echo", &stage.signer.example("echo"), 10).await.unwrap();
    let image = stage.signer.example("hello").display().to_string();
    let said = stage.wash(&["start", "actor", &image, "hello", "-o", "json"]).await;
    assert_eq!((said.code, said.json()["host_id"].as_str()), (0, Some(two.as_str())), "{}", said.text);
    // There it runs already, so the next one comes here.
    let said = stage.wash(&["start", "actor", &image, "hello", "-o", "json"]).await;
    assert_eq!((said.code, said.json()["host_id"].as_str()), (0, Some(one.as_str())), "{}", said.text);
    let said = stage.wash(&["start", "actor", &image, "hello"]).await;
    assert!(said.code == 1 && said.text.contains("no host offers to run actor hello"), "{}", said.text);
}

#[tokio::test]
async fn a_host_stops_in_order_while_nats_is_away() {
    let mut stage = Stage::set().await;
    let (mut host, id, address) = stage.serving(&[], "hello", 10).await;
    stage.beside(&id, "echo", &address, "/echo").await;
    stage.nats.kill();
    host.process.wait_for_line("degraded: no lattice", WITHIN).await.unwrap();
    host.process.stop(WITHIN).await.unwrap();
    assert!(host.process.output().contains("host stopped"), "{}", host.process.output());
}

#[tokio::test]
async fn what_waited_for_a_frozen_host_is_not_carried_out_and_wash_asks_anew() {
    // A server that keeps the connection of a frozen host for long.
    let slow = NatsOptions { config: "ping_interval: \"60s\"".to_owned(), ..NatsOptions::default() };
    let stage = Stage::set_on(slow).await;
    let (mut process, _host) = stage.host(&[]).await;
    let put = |name: &str| format!("wasmbus.ctl.v1.default.config.put.{name}");
    let mut question = stage.connection.question(&put("late"), 1);
    process.process.pause();
    question.ask(HeaderMap::new(), Bytes::from_static(br#"{"a":"1"}"#), WITHIN).await.unwrap();
    let frozen = tokio::time::Instant::now() + Duration::from_millis(1_500);
    assert!(question.answer(frozen).await.unwrap().is_none(), "nobody is awake");
    process.process.resume();
    let late = question.answer(tokio::time::Instant::now() + WITHIN).await.unwrap().unwrap();
    let late: serde_json::Value = serde_json::from_slice(&late.payload).unwrap();
    assert_eq!((&late["success"], &late["code"]), (&json!(false), &json!("stale")), "{late}");
    let said = stage.wash(&["config", "get", "late"]).await;
    assert!(said.code == 1 && said.text.contains("late"), "{}", said.text);

    // Who asks by wash need not know.
    process.process.pause();
    let patient = stage.wash(&["config", "put", "patient", "a=1", "--timeout-ms", "30000"]);
    let thaw = async {
        let nobody = stage.connection.request(&put("x"), Bytes::new(), Duration::from_millis(1_500)).await;
        assert!(nobody.is_err(), "nobody is awake");
        process.process.resume();
    };
    let (said, ()) = tokio::join!(patient, thaw);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(stage.wash(&["config", "get", "patient"]).await.code, 0);
}
