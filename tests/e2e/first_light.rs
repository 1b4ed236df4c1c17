//! A signed actor answers HTTP, counts in a store, and stops in order.

use lattice_core::State;
use lattice_tests::Stage;

#[tokio::test]
async fn a_signed_actor_answers_and_says_why_it_cannot_count() {
    let stage = Stage::set().await;
    let (host, id, address) = stage.serving(&[], "kvcounter", 10).await;
    let url = format!("http://{address}/visits");

    // Without a link the actor runs, says what is missing, and its calls get the contract's own error.
    let inventory = stage.until(&id, |inventory| inventory.components.len() == 1).await;
    let state = inventory.components[0].state().unwrap();
    assert_eq!(
        state.to_string(),
        "pending: no link for wasi:keyvalue; make one: wash link put kvcounter PROVIDER wasi:keyvalue"
    );
    let refused = stage.http.get(&url).await.unwrap();
    assert!(refused.status >= 500, "{}", refused.status);
    assert!(refused.text().contains("wash link put kvcounter"), "{}", refused.text());

    // With one it counts, and nothing was restarted.
    stage.start_provider(&id, "store", "builtin://keyvalue-nats").await.unwrap();
    stage.link("kvcounter", "store", "wasi:keyvalue", &[]).await;
    stage.until(&id, |inventory| inventory.components[0].state() == Some(State::Ready)).await;
    for count in 1..=3 {
        let answer = stage.http.get(&url).await.unwrap();
        assert_eq!((answer.status, answer.text().trim()), (200, format!("{{\"counter\":{count}}}").as_str()));
    }

    // Counted exactly under load: 8 at a time, 200 in all.
    let clients = (0..8).map(|_| async {
        for _ in 0..25 {
            assert_eq!(stage.http.get(&url).await.unwrap().status, 200);
        }
    });
    futures::future::join_all(clients).await;
    let answer = stage.http.get(&url).await.unwrap();
    assert_eq!(answer.text().trim(), "{\"counter\":204}");

    // A stopped host is gone at once and leaves its port.
    stage.client.stop_host(&id, None).await.unwrap();
    drop(host);
    assert!(stage.http.get(&url).await.is_err());
}
