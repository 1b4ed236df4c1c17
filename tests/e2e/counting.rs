//! Counters in a store: exact under load, in both drafts of `wasi:keyvalue`, and apart where links say so.

use std::time::Duration;

use futures::future::join_all;
use lattice_core::State;
use lattice_testkit::{free_port, until};
use lattice_tests::Stage;

const CLIENTS: u64 = 32;
const EACH: u64 = 10;

/// Counts with many clients at once; every figure must come exactly once.
async fn counts_exactly(stage: &Stage, url: &str) {
    let http = lattice_testkit::Http::pooled();
    let client = async |_| {
        let mut seen = Vec::new();
        for _ in 0..EACH {
            let answer = http.get(url).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            seen.push(answer.json()["counter"].as_u64().unwrap());
        }
        seen
    };
    let mut seen = join_all((0..CLIENTS).map(client)).await.concat();
    seen.sort_unstable();
    assert_eq!(seen, (1..=CLIENTS * EACH).collect::<Vec<_>>());
    let after = stage.http.get(url).await.unwrap();
    assert_eq!(after.json()["counter"], CLIENTS * EACH + 1);
}

async fn linked(stage: &Stage, host: &lattice_core::HostId, actor: &str, config: &[(&str, &str)]) {
    stage.link(actor, "store", "wasi:keyvalue", config).await;
    stage.until_link(host, actor, "store", |state| *state == State::Ready).await;
}

#[tokio::test]
async fn thirty_two_clients_count_exactly() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "kvcounter", 32).await;
    stage.start_provider(&id, "store", "builtin://keyvalue-nats").await.unwrap();
    linked(&stage, &id, "kvcounter", &[]).await;
    counts_exactly(&stage, &format!("http://{address}/visits")).await;
    // Another path is another counter.
    let other = stage.http.get(&format!("http://{address}/other")).await.unwrap();
    assert_eq!(other.text(), "{\"counter\":1}\n");
}

#[tokio::test]
async fn the_second_draft_counts_by_increment_and_by_compare_and_set() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "kvcounter-draft2", 32).await;
    stage.start_provider(&id, "store", "builtin://keyvalue-nats").await.unwrap();
    linked(&stage, &id, "kvcounter-draft2", &[]).await;
    counts_exactly(&stage, &format!("http://{address}/visits")).await;
    let http = &stage.http;
    let url = format!("http://{address}/cas/visits");
    let races = join_all((0..4).map(async |_| {
        for _ in 0..5 {
            let answer = http.get(&url).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }));
    races.await;
    assert_eq!(http.get(&url).await.unwrap().text(), "{\"counter\":21}\n");
}

#[tokio::test]
async fn links_to_two_buckets_of_one_store_do_not_mix() {
    let stage = Stage::set().await;
    let (_host, id, first) = stage.serving(&[], "kvcounter", 8).await;
    let second = format!("127.0.0.1:{}", free_port().unwrap());
    stage.beside(&id, "kvcounter-draft2", &second, "/").await;
    stage.start_provider(&id, "store", "builtin://keyvalue-nats").await.unwrap();
    linked(&stage, &id, "kvcounter", &[("bucket", "first")]).await;
    linked(&stage, &id, "kvcounter-draft2", &[("bucket", "second")]).await;
    // Both call their bucket "default", and use the same key in it.
    let count = async |address: &str| stage.http.get(&format!("http://{address}/same")).await.unwrap().text();
    assert_eq!(count(&first).await, "{\"counter\":1}\n");
    assert_eq!(count(&first).await, "{\"counter\":2}\n");
    assert_eq!(count(&second).await, "{\"counter\":1}\n");
    assert_eq!(count(&first).await, "{\"counter\":3}\n");

    // With a link to the same bucket they share the counter, and nothing was restarted.
    linked(&stage, &id, "kvcounter-draft2", &[("bucket", "first")]).await;
    let shared = async || (count(&second).await == "{\"counter\":4}\n").then_some(());
    until("the other bucket is used", Duration::from_secs(5), shared).await.unwrap();
}
