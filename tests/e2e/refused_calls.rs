//! Calls without a right: refused, counted, and told of with who called, at most once a second.

use std::time::{Duration, Instant};

use lattice_contracts::CallContext;
use lattice_core::{CallTo, ErrorCode, Hop, InvocationId, LatticeName, LinkName};
use lattice_nats::{
    Called, Calls,
    remote::{Function, values},
};
use lattice_tests::Stage;
use serde_json::json;

const INTERFACE: &str = "demo:calls/math@0.1.0";
const MANY: u64 = 50;

#[tokio::test]
async fn calls_without_a_link_are_an_event_a_second_with_a_count() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "calculator", &stage.signer.example("calculator"), 1).await.unwrap();
    let calls =
        Calls::open(&stage.connection, &LatticeName::default(), &"mole".parse().unwrap()).await.unwrap();
    let add = async || {
        let hop = || Hop::Actor("calculator".parse().unwrap());
        let context = CallContext {
            id: InvocationId::from_bits(7),
            source: "mole".parse().unwrap(),
            target: "calculator".parse().unwrap(),
            link: LinkName::default(),
            deadline: tokio::time::Instant::now() + Duration::from_secs(10),
            depth: 0,
            trace: None,
        };
        let called = Called { interface: INTERFACE.into(), function: "add".into(), ..Called::default() };
        let request =
            values::offer(Function { interface: INTERFACE, function: "add" }, &[2, 3], hop()).unwrap();
        let reply = calls.call(&context, CallTo::Host(id.clone()), called, request.outbound()).await?;
        values::results(reply, hop()).await
    };
    let (mut events, start) = (stage.listen().await, Instant::now());
    for _ in 0..MANY {
        assert_eq!(add().await.unwrap_err().code, ErrorCode::NoLink);
    }
    let (mut told, mut counted) = (0, 0);
    while counted < MANY {
        let event = events.wait("call_refused", |data| data["source"] == "mole").await;
        (told, counted) = (told + 1, counted + event["count"].as_u64().unwrap());
        assert_eq!((&event["code"], &event["target"]), (&json!("no-link"), &json!("calculator")));
        assert_eq!(event["interface"], INTERFACE);
        assert!(event["message"].as_str().unwrap().contains("wash link put mole calculator demo:calls"));
    }
    assert_eq!(counted, MANY);
    assert!(told <= start.elapsed().as_secs() + 2, "{told} events in {:?}", start.elapsed());
    assert_eq!(stage.client.get_host_inventory(&id).await.unwrap().calls_refused, MANY);

    // With a link it is answered, and nothing more is counted.
    stage.link("mole", "calculator", "demo:calls", &[]).await;
    assert_eq!(add().await.unwrap(), [1, 5][..]);
    assert_eq!(stage.client.get_host_inventory(&id).await.unwrap().calls_refused, MANY);
}
