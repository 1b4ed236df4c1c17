//! Three hosts, whose lattice loses its state while one of them is away: nothing is lost, nothing that was deleted comes back,
//! and what lost is told.

use std::{collections::BTreeSet, time::Duration};

use lattice_control_interface::{DeleteLinkCommand, HostInventory};
use lattice_core::State;
use lattice_testkit::{Host, until};
use lattice_tests::Stage;

const WITHIN: Duration = Duration::from_secs(60);

/// Configurations `c0` to `c19` and links `l0 -> kv` to `l19 -> kv`, of which the first ten are deleted and the next five
/// changed while a host is away.
const ALL: usize = 20;
const DELETED: usize = 10;
const CHANGED: usize = 15;

async fn put(stage: &Stage, i: usize, value: &str) {
    let name = format!("c{i}").parse().unwrap();
    stage.client.put_config(&name, &[("v".to_owned(), value.to_owned())].into()).await.unwrap();
}

async fn delete(stage: &Stage, i: usize) {
    stage.client.delete_config(&format!("c{i}").parse().unwrap()).await.unwrap();
    let link = DeleteLinkCommand {
        source_id: format!("l{i}").parse().unwrap(),
        target: Some("kv".parse().unwrap()),
        name: "default".parse().unwrap(),
        wit_namespace: "wasi".to_owned(),
        wit_package: "keyvalue".to_owned(),
    };
    stage.client.delete_link(&link).await.unwrap();
}

/// What the lattice tells of its configurations and links.
async fn told(stage: &Stage) -> Option<(Vec<String>, BTreeSet<String>)> {
    let mut configs = Vec::new();
    for i in 0..ALL {
        let config = stage.client.get_config(&format!("c{i}").parse().unwrap()).await.ok()?;
        configs.push(config.and_then(|map| map.get("v").cloned()).unwrap_or_default());
    }
    let links = stage.client.get_links().await.ok()?;
    Some((configs, links.iter().map(|link| link.source.to_string()).filter(|id| id != "http").collect()))
}

fn expected() -> (Vec<String>, BTreeSet<String>) {
    let configs = (0..ALL).map(|i| match i {
        0..DELETED => String::new(),
        DELETED..CHANGED => "new".to_owned(),
        _ => "old".to_owned(),
    });
    (configs.collect(), (DELETED..ALL).map(|i| format!("l{i}")).collect())
}

/// The same, told by each host alone, and after a restart.
async fn all_agree(stage: &Stage, hosts: &mut [Host]) {
    for host in hosts.iter_mut() {
        host.process.stop(WITHIN).await.unwrap();
    }
    for host in hosts {
        host.again(&[]).await.unwrap();
        let is_right = || async { (told(stage).await? == expected()).then_some(()) };
        until("this host tells what is right", WITHIN, is_right).await.unwrap();
        host.process.stop(WITHIN).await.unwrap();
    }
}

async fn lose(stage: &mut Stage, whole_disk: bool) {
    if whole_disk {
        stage.nats.kill();
        stage.nats.wipe_store().unwrap();
        stage.restart_nats().await;
    } else {
        stage.connection.jetstream().delete_key_value("LATTICE_default").await.unwrap();
    }
}

async fn nothing_is_lost_and_nothing_revived(whole_disk: bool) {
    let mut stage = Stage::set().await;
    let (first, id, address) = stage.serving(&[], "hello", 10).await;
    let (second, _) = stage.host(&[]).await;
    let (mut away, away_id) = stage.host(&[]).await;
    for i in 0..ALL {
        put(&stage, i, "old").await;
        stage.link(&format!("l{i}"), "kv", "wasi:keyvalue", &[]).await;
    }
    // It knows all of it when it goes.
    stage.until(&away_id, |inventory: &HostInventory| inventory.host_id == away_id).await;
    let knows = || async {
        let kept = away.data_dir().join("hosts/0/lattices/default/facts.snapshot");
        let text = std::fs::read_to_string(kept).ok()?;
        (0..ALL)
            .all(|i| text.contains(&format!("config.c{i}\"")) && text.contains(&format!("link.l{i}.")))
            .then_some(())
    };
    until("the third host has it all on disk", WITHIN, knows).await.unwrap();
    away.process.kill();
    for i in 0..DELETED {
        delete(&stage, i).await;
    }
    for i in DELETED..CHANGED {
        put(&stage, i, "new").await;
    }

    let mut events = stage.listen().await;
    lose(&mut stage, whole_disk).await;
    away.again(&[]).await.unwrap();
    let lost = events.wait("fact_overridden", |data| data["lost"]["version"].as_u64() == Some(1)).await;
    assert!(lost["kept"]["version"].as_u64() >= Some(2), "{lost}");
    let client = &stage.client;
    let whole = || async { (told(&stage).await? == expected()).then_some(()) };
    until("the lattice tells what is right", WITHIN, whole).await.unwrap();
    // Served all the while, and steered again.
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
    client.get_host_inventory(&id).await.unwrap();
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    all_agree(&stage, &mut [first, second, away]).await;
}

#[tokio::test]
async fn a_deleted_stream_costs_nothing() {
    nothing_is_lost_and_nothing_revived(false).await;
}

#[tokio::test]
async fn a_lost_disk_of_the_server_costs_nothing() {
    nothing_is_lost_and_nothing_revived(true).await;
}

#[tokio::test]
async fn when_everything_dies_at_once_and_the_server_s_disk_is_lost_the_hosts_bring_it_all_back() {
    let mut stage = Stage::set().await;
    let (mut host, id, address) = stage.serving(&[], "hello", 10).await;
    host.process.kill();
    lose(&mut stage, true).await;
    host.again(&[]).await.unwrap();
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
}
