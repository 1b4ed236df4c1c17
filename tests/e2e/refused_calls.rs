//! Calls and requests without a right: refused, counted, and told of with who asked, at most once a second; whoever refuses them.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use lattice_contracts::CallContext;
use lattice_core::{
    CallError, CallTo, EntityId, ErrorCode, Hop, HostId, InvocationId, LatticeName, LinkName, State,
};
use lattice_nats::{
    Called, Calls,
    remote::{Function, values},
};
use lattice_testkit::{binary, free_port};
use lattice_tests::Stage;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const INTERFACE: &str = "demo:calls/math@0.1.0";
const MANY: u64 = 50;

/// A caller with a right to nothing.
async fn mole(stage: &Stage) -> Calls {
    Calls::open(&stage.connection, &LatticeName::default(), &"mole".parse().unwrap()).await.unwrap()
}

fn context(target: &EntityId) -> CallContext {
    CallContext {
        id: InvocationId::from_bits(7),
        source: "mole".parse().unwrap(),
        target: target.clone(),
        link: LinkName::default(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(10),
        depth: 0,
        trace: None,
    }
}

/// The mole asks the calculator.
async fn add(calls: &Calls, host: &HostId) -> Result<bytes::Bytes, CallError> {
    let hop = || Hop::Actor("calculator".parse().unwrap());
    let called = Called { interface: INTERFACE.into(), function: "add".into(), ..Called::default() };
    let request = values::offer(Function { interface: INTERFACE, function: "add" }, &[2, 3], hop()).unwrap();
    let context = context(&"calculator".parse().unwrap());
    let reply = calls.call(&context, CallTo::Host(host.clone()), called, request.outbound()).await?;
    values::results(reply, hop()).await
}

#[tokio::test]
async fn calls_without_a_link_are_an_event_a_second_with_a_count() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "calculator", &stage.signer.example("calculator"), 1).await.unwrap();
    let calls = mole(&stage).await;
    let (mut events, start) = (stage.listen().await, Instant::now());
    for _ in 0..MANY {
        assert_eq!(add(&calls, &id).await.unwrap_err().code, ErrorCode::NoLink);
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
    assert_eq!(add(&calls, &id).await.unwrap(), [1, 5][..]);
    assert_eq!(stage.client.get_host_inventory(&id).await.unwrap().calls_refused, MANY);
}

#[tokio::test]
async fn what_a_provider_process_refuses_is_told_by_its_host() {
    const STORE: &str = "wasi:keyvalue/store@0.2.0-draft";
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let program = fs::read(binary("provider-keyvalue-memory").unwrap()).unwrap();
    let image = stage.signer.provider("memory.par", &program).display().to_string();
    stage.start_provider(&id, "store", &image).await.unwrap();
    let ready = |one: &lattice_control_interface::ProviderDescription| {
        one.id.as_str() == "store" && one.state() == Some(State::Ready)
    };
    stage.until(&id, |inventory| inventory.providers.iter().any(ready)).await;

    let (calls, mut events) = (mole(&stage).await, stage.listen().await);
    for _ in 0..MANY {
        let called = Called { interface: STORE.into(), function: "open".into(), ..Called::default() };
        let hop = Hop::Provider("store".parse().unwrap());
        let request = values::offer(Function { interface: STORE, function: "open" }, &[], hop).unwrap();
        let context = context(&"store".parse().unwrap());
        let answer = calls.call(&context, CallTo::Anyone, called, request.outbound()).await;
        assert_eq!(answer.err().map(|error| error.code), Some(ErrorCode::NoLink));
    }
    let mut counted = 0;
    while counted < MANY {
        let event = events.wait("call_refused", |data| data["source"] == "mole").await;
        counted += event["count"].as_u64().unwrap();
        assert_eq!((&event["code"], &event["target"]), (&json!("no-link"), &json!("store")));
        assert_eq!(event["interface"], STORE);
        assert!(
            event["message"].as_str().unwrap().contains("wash link put mole store wasi:keyvalue"),
            "{event}"
        );
    }
    assert_eq!(counted, MANY);
    assert_eq!(stage.client.get_host_inventory(&id).await.unwrap().calls_refused, MANY);
}

#[tokio::test]
async fn what_the_http_providers_refuse_is_told_with_who_asked() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "probe", 4).await;
    stage.start_provider(&id, "outside", "builtin://http-client").await.unwrap();
    stage.link("probe", "outside", "wasi:http", &[]).await;
    stage.until_link(&id, "probe", "outside", |state| *state == State::Ready).await;
    let mut events = stage.listen().await;

    // The actor asks for what is none of its business.
    let path = format!("/http?url=http://127.0.0.1:{}/", free_port().unwrap());
    assert_eq!(stage.http.get(&format!("http://{address}{path}")).await.unwrap().status, 502);
    let told = events.wait("call_refused", |data| data["source"] == "probe").await;
    assert_eq!((&told["code"], &told["target"]), (&json!("denied"), &json!("outside")));
    assert!(told["message"].as_str().unwrap().contains("allow_private=true"), "{told}");

    // A client that smuggles: two lengths for one body.
    let smuggled = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12";
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
    stream.write_all(smuggled).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
    assert!(matches!(read, Ok(Ok(_))) && answer.starts_with("HTTP/1.1 400"), "{answer}");
    let told = events.wait("call_refused", |data| data["source"] == "127.0.0.1").await;
    assert_eq!((&told["code"], &told["target"]), (&json!("protocol"), &json!("http")));
    assert_eq!(told["interface"], "wasi:http/incoming-handler");
}
