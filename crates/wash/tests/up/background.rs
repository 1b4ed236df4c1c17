//! `wash up -d` and `wash down`.

use serde_json::Value;

use crate::{
    Place,
    place::{HOST_ID, PATIENCE, runs},
};

async fn up_in_the_background(place: &Place, args: &[&str]) -> Value {
    let mut up = place.up(&[&["-d", "-o", "json", "--allow-unsigned"], args].concat());
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", up.output());
    serde_json::from_str(&up.output()).unwrap_or_else(|_| panic!("no JSON: {}", up.output()))
}

#[tokio::test]
async fn runs_on_until_it_is_taken_down() {
    let place = Place::new();
    let said = up_in_the_background(&place, &[]).await;
    assert_eq!((&said["host_id"], &said["nats_started"]), (&HOST_ID.into(), &true.into()));
    let log = std::fs::read_to_string(said["wasmcloud_log"].as_str().unwrap()).unwrap();
    assert!(log.contains("flags:"), "{log}");
    assert!(place.answers());
    let (host, nats) = (place.pid("host"), place.pid("nats"));
    let (code, output) = place.wash(&["down", "-o", "json"]).await;
    assert_eq!(code, 0, "{output}");
    let down: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(down["hosts"][0], HOST_ID);
    assert_eq!(down["nats"][0], format!("nats://127.0.0.1:{}", place.port));
    assert!(!runs(host) && !runs(nats) && !place.answers());
    assert_eq!(place.records(), Vec::<Value>::new());
}

#[tokio::test]
async fn another_lattice_keeps_its_host_and_the_server_they_share() {
    let place = Place::new();
    up_in_the_background(&place, &[]).await;
    let said = up_in_the_background(&place, &["-x", "other"]).await;
    assert_eq!(said["nats_started"], false);
    let (_, output) = place.wash(&["down"]).await;
    assert!(output.contains("stopped host") && !output.contains("stopped NATS"), "{output}");
    assert!(place.answers());
    let (_, output) = place.wash(&["down", "--all"]).await;
    assert!(output.contains("stopped host") && output.contains("stopped NATS"), "{output}");
    assert!(!place.answers());
}

#[tokio::test]
async fn a_lattice_in_the_foreground_is_taken_down_too() {
    let place = Place::new();
    let mut up = place.up(&["--allow-unsigned"]);
    up.wait_for_line("lattice default up", PATIENCE).await.unwrap();
    let (code, output) = place.wash(&["down"]).await;
    assert_eq!(code, 0, "{output}");
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", up.output());
    assert!(up.output().contains("the host was stopped"), "{}", up.output());
    assert!(!place.answers());
}

#[tokio::test]
async fn a_host_that_does_not_stop_in_time_is_killed() {
    let place = Place::new();
    place.host_is(&format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo \"wasmcloud 0.0.1\"; exit 0; }}\ntrap '' TERM INT\n\
         echo \"wasmcloud ready: host {HOST_ID} lattice default name script nats x\"\nwhile :; do sleep 0.05; done\n"
    ));
    up_in_the_background(&place, &[]).await;
    let host = place.pid("host");
    let (code, output) = place.wash(&["down", "--wait-timeout-ms", "200"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains(&format!("host {HOST_ID} did not stop in time and was killed")), "{output}");
    assert!(!runs(host));
}

#[tokio::test]
async fn a_host_that_is_named_and_not_there() {
    let place = Place::new();
    let (code, output) = place.wash(&["down", "--host-id", "NB"]).await;
    assert!(code == 1 && output.contains("started no host NB"), "{output}");
}
