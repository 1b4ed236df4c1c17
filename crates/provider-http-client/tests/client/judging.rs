use std::sync::atomic::Ordering;

use lattice_contracts::{
    Asker,
    http::{OutgoingError, Response, full},
};
use lattice_core::{ErrorCode, State};

use crate::rig::{Rig, Server, get, text};

async fn hello() -> Server {
    Server::start(|_| async { Response::new(full("hello")) }).await
}

#[tokio::test]
async fn private_addresses_are_not_reached_in_any_spelling() {
    let (rig, server) = (Rig::new(), hello().await);
    assert_eq!(rig.link("a", &[("allow", "*")]).await, State::Ready);
    for host in [
        "127.0.0.1",
        "localhost",
        "local.test",
        "sneaky.test",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "169.254.169.254",
    ] {
        let error = rig.get(&server.url(host, "/")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Denied { .. }), "{host}: {error}");
        assert!(error.to_string().contains("allow_private=true"), "{error}");
    }
    // Each is told of, with who asked.
    let refused = rig.states.refused.lock().unwrap().clone();
    assert_eq!(refused.len(), 11, "{refused:?}");
    for one in refused {
        assert_eq!(
            (one.asker, one.code, one.count),
            (Asker::read("a"), ErrorCode::Denied, 1),
            "{}",
            one.reason
        );
        assert!(one.reason.contains("allow_private=true"), "{}", one.reason);
    }
    // The system's resolver would read these as 127.0.0.1; whoever resolves them, the answer is judged.
    for host in ["2130706433", "0x7f.1", "127.1"] {
        let error = rig.get(&server.url(host, "/")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Dns { .. }), "{host}: {error}");
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_asked_for_once_a_connection() {
    let (rig, server) = (Rig::open(&[]).await, hello().await);
    for _ in 0..3 {
        assert_eq!(text(rig.get(&server.url("local.test", "/")).await.unwrap()).await, "hello");
    }
    assert_eq!(rig.names.asked.load(Ordering::Relaxed), server.connections.load(Ordering::Relaxed));
}

#[tokio::test]
async fn only_what_is_allowed_is_asked() {
    let (rig, server) = (Rig::new(), hello().await);
    rig.link("a", &[("allow_private", "true"), ("allow", "local.test")]).await;
    assert!(rig.get(&server.url("LOCAL.test", "/")).await.is_ok());
    let error = rig.get(&server.url("localhost", "/")).await.unwrap_err();
    assert!(error.to_string().contains("allow list does not name localhost"), "{error}");
}

#[tokio::test]
async fn each_link_has_its_own_rules() {
    let (rig, server) = (Rig::new(), hello().await);
    rig.link("a", &[("allow_private", "true")]).await;
    rig.link("b", &[]).await;
    let url = server.url("local.test", "/");
    assert!(rig.get(&url).await.is_ok());
    let asked = |actor| {
        let call = rig.call(actor, std::time::Duration::from_secs(20));
        let (outgoing, request) = (rig.outgoing(), get(&url));
        async move { outgoing.request(call, request, Default::default()).await.unwrap_err() }
    };
    // The connection that `a` left in its pool is of no use to `b`.
    assert!(matches!(asked("b").await, OutgoingError::Denied { .. }));
    let OutgoingError::Call(error) = asked("c").await else { panic!() };
    assert_eq!(error.code, ErrorCode::NoLink);
}

#[tokio::test]
async fn a_link_that_cannot_be_served_says_why() {
    let rig = Rig::new();
    let state = rig.link("a", &[("alow", "x")]).await;
    assert!(state.to_string().contains("did you mean allow?"), "{state}");
    assert_eq!(rig.states.whole.lock().unwrap().clone(), Some(state));
    let error = rig.get("http://example.org/").await.unwrap_err().to_string();
    assert!(error.contains("did you mean allow?"), "{error}");
    let state = rig.link("a", &[("ca_file", "/nowhere/ca.pem")]).await;
    assert!(state.to_string().contains("/nowhere/ca.pem"), "{state}");
    rig.link("a", &[]).await;
    assert_eq!(rig.states.whole.lock().unwrap().clone(), Some(State::Ready));
}
