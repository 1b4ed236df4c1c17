//! `wash up` until Ctrl-C.

use std::{net::TcpListener, process::Command};

use lattice_testkit::until;

use crate::{
    Place,
    place::{HOST_ID, PATIENCE, runs},
};

fn kill(signal: &str, pid: u64) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn starts_nats_and_a_host_and_stops_both_in_order() {
    let place = Place::new();
    let mut up = place.up(&["--label", "zone=lab", "--allow-unsigned"]);
    let line = up.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    assert_eq!(
        line,
        format!("lattice default up: host {HOST_ID}, NATS 127.0.0.1:{}; press Ctrl-C to stop", place.port)
    );
    let flags = up.wait_for_line("flags:", PATIENCE).await.unwrap();
    for flag in ["--nats-url nats://127.0.0.1:", "--lattice default", "--label zone=lab", "--allow-unsigned"]
    {
        assert!(flags.contains(flag), "{flag} in {flags}");
    }
    assert!(place.answers());
    up.interrupt();
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", up.output());
    assert!(up.output().contains("host stops in order"), "{}", up.output());
    assert!(!place.answers());
    assert!(!up.output().contains("--ctl-port"), "the context knows the port: {}", up.output());
    assert!(place.records().is_empty(), "a clean end leaves no record: {:?}", place.records());
    assert_eq!(place.wash(&["down"]).await.1.trim(), "nothing that `wash up` started is running");
}

#[tokio::test]
async fn flags_that_make_no_sense_exit_with_2() {
    let place = Place::new();
    let mut up = place.up(&["--trust", "nonsense"]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(2), "{}", up.output());
    assert!(!up.output().contains("nats-server"), "nothing is started: {}", up.output());
    place.host_is("#!/bin/sh\n[ \"$1\" = --version ] && { echo wasmcloud 0.0.1; exit 0; }\necho 'error: unexpected' >&2\nexit 2\n");
    let mut up = place.up(&["--", "--nonsense"]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(2), "the host's code: {}", up.output());
}

#[tokio::test]
async fn down_names_the_lattices_that_it_leaves() {
    let place = Place::new();
    let mut up = place.up(&["-x", "other", "--allow-unsigned"]);
    up.wait_for_line("lattice other up", PATIENCE).await.unwrap();
    let (code, output) = place.wash(&["down"]).await;
    assert!(code == 0 && output.contains("wash down -x other") && output.contains("--all"), "{output}");
    up.stop(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn killed_without_a_chance_it_leaves_nothing() {
    let place = Place::new();
    let mut up = place.up(&["--allow-unsigned"]);
    up.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    let host = place.pid("host");
    kill("-KILL", u64::from(up.id()));
    place.until_silent().await;
    until("the host is gone", PATIENCE, || async { (!runs(host)).then_some(()) }).await.unwrap();
    // And it can be started again at once, on what was left.
    let mut again = place.up(&["--allow-unsigned"]);
    again.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    again.stop(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_host_that_cannot_start_takes_nats_down_with_it() {
    let place = Place::new();
    place.host_is("#!/bin/sh\n[ \"$1\" = --version ] && { echo wasmcloud 0.0.1; exit 0; }\necho 'error: no space left' >&2\nexit 3\n");
    let mut up = place.up(&[]);
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(3), "the host's code is passed on: {}", up.output());
    assert!(up.output().contains("ended before it was ready") && up.output().contains("no space left"));
    assert!(!place.answers());
}

#[tokio::test]
async fn a_host_that_is_not_ready_in_time_is_told_and_stopped() {
    let place = Place::new();
    place.host_is(
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo \"wasmcloud 0.0.1\"; exit 0; }\ntrap 'exit 0' TERM INT\n\
         while :; do sleep 0.05; done\n",
    );
    let mut up = place.up(&["--allow-unsigned", "--wait-timeout-ms", "3000"]);
    let status = up.wait(PATIENCE).await.unwrap();
    let said = up.output();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("is not ready after 3s") && said.contains("--wait-timeout-ms"), "{said}");
    place.until_silent().await;
}

#[tokio::test]
async fn a_host_that_dies_is_told_with_its_last_words() {
    let place = Place::new();
    let mut up = place.up(&["--allow-unsigned"]);
    up.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    kill("-KILL", place.pid("host"));
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(up.output().contains("the host ended by itself (signal: 9"), "{}", up.output());
    assert!(!place.answers());
}

#[tokio::test]
async fn a_nats_server_that_dies_is_told_and_the_host_stopped() {
    let place = Place::new();
    let mut up = place.up(&["--allow-unsigned"]);
    up.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    let host = place.pid("host");
    kill("-KILL", place.pid("nats"));
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(1));
    let output = up.output();
    assert!(
        output.contains("nats-server ended by itself") && output.contains("host stops in order"),
        "{output}"
    );
    assert!(!runs(host));
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_refused() {
    let mut place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    place.port = listener.local_addr().unwrap().port();
    let mut up = place.up(&[]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(1));
    assert!(
        up.output().contains("is no NATS server") && up.output().contains("--nats-port"),
        "{}",
        up.output()
    );
}

#[tokio::test]
async fn joining_a_server_that_is_not_there_is_unreachable() {
    let place = Place::new();
    let mut up = place.up(&["--nats-connect-only"]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(3), "{}", up.output());
    assert!(up.output().contains("no NATS server answers at 127.0.0.1"), "{}", up.output());
}

#[tokio::test]
async fn two_at_once_share_one_server() {
    let place = Place::new();
    let (mut one, mut other) = (place.up(&["--allow-unsigned"]), place.up(&["--allow-unsigned"]));
    one.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    other.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    let records = place.records();
    let count = |role: &str| records.iter().filter(|record| record["role"] == role).count();
    assert_eq!((count("nats"), count("host")), (1, 2), "{records:?}");
    one.stop(PATIENCE).await.unwrap();
    other.stop(PATIENCE).await.unwrap();
    place.until_silent().await;
}
