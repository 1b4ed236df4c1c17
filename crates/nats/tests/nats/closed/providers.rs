//! Providers with tokens of their own, from a scoped signing key.

use lattice_claims::nats::UserGrant;
use lattice_core::{
    CallTo, call_subject, calls_of_target,
    permission::{Permissions, Principal, Reach, inbox_prefix},
};
use lattice_nats::{Calls, ConnectError, SubscribeError};

use super::{Closed, entity, now};
use crate::{LONG, host, lattice};

#[tokio::test]
async fn a_provider_is_who_its_token_says_and_nobody_else() {
    let closed = Closed::start().await;
    let web = closed.provider("web").await;
    let mut refusals = web.violations();
    let calls = Calls::open(&web, &lattice(), &entity("web")).await.unwrap();
    let (own, group) = calls_of_target(&lattice(), &entity("web"));
    web.subscribe_in_force([(own, Some(group))], LONG).await.unwrap();
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        let subject =
            |source: &str| call_subject(&lattice(), &entity(source), &to, &entity("greeter"), "a:b/c", "d");
        while refusals.try_recv().is_ok() {}
        for source in ["web", "kv"] {
            web.client().publish(subject(source), bytes::Bytes::new()).await.unwrap();
        }
        web.round_trip(LONG).await.unwrap();
        web.round_trip(LONG).await.unwrap();
        assert_eq!(refusals.try_recv().unwrap().subject, subject("kv"), "as another it cannot call");
        assert!(refusals.try_recv().is_err(), "as itself it can");
    }
    for subject in [
        format!("{}.>", inbox_prefix(&lattice(), "kv")),
        "wasmbus.back.default.*.kv.>".to_owned(),
        "wasmbus.evt.default.>".to_owned(),
        "wasmbus.ctl.v1.default.>".to_owned(),
        "$KV.LATTICE_default.>".to_owned(),
        "_INBOX.>".to_owned(),
    ] {
        let refused = web.subscribe_in_force([(subject.clone(), None)], LONG).await.err();
        assert_eq!(refused, Some(SubscribeError::Denied { subject }));
    }
    drop(calls);
}

#[tokio::test]
async fn a_provider_cannot_give_itself_more_or_live_longer() {
    let closed = Closed::start().await;
    let everything = Permissions::of(&Principal::Host(None), &Reach::Lattice(lattice()));
    let own = closed
        .changed_provider(|token| token.grant = UserGrant::Own { role: None, permissions: everything })
        .await
        .unwrap_err();
    assert!(matches!(own, ConnectError::Refused { .. }), "{own:?}");
    let late = closed
        .changed_provider(|token| {
            token.issued = now() - 100;
            token.expires = Some(now() - 1);
        })
        .await
        .unwrap_err();
    assert!(matches!(late, ConnectError::Refused { .. }), "{late:?}");
    // While connected, too: the server ends the connection when the token's time is over.
    let short = closed.changed_provider(|token| token.expires = Some(now() + 2)).await.unwrap();
    let mut connected = short.connected();
    tokio::time::timeout(LONG, connected.wait_for(|connected| !connected)).await.unwrap().unwrap();
}
