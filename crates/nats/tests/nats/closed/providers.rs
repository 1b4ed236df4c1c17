//! Providers with tokens of their own, from a scoped signing key.

use std::time::Duration;

use lattice_claims::nats::UserGrant;
use lattice_core::{
    CallTo, HostId, ProviderId, ProviderVerb, call_subject, calls_of_target,
    permission::{Permissions, Principal, Reach, inbox_prefix},
};
use lattice_nats::{
    Calls, ConnectError, Connection, Credentials, HostLine, ProviderLine, Refused, RequestError,
    SubscribeError, Violation,
};
use tokio::sync::broadcast::Receiver;

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

/// Whoever has the signing key chooses the name in the token.
#[tokio::test]
async fn under_the_names_of_others_a_signed_one_can_do_nothing() {
    let closed = Closed::start().await;
    for name in ["wash", "host", "=user", "=user.anna"] {
        let thief = closed.changed_provider(|token| token.name = name.to_owned()).await.unwrap();
        let mut refusals = thief.violations();
        for subject in [
            format!("wasmbus.call.default.{name}.greeter.a:b/c.d"),
            format!("wasmbus.host.default.{name}.{}.greeter.a:b/c.d", host('A')),
            format!("wasmbus.back.default.{name}.greeter.0.0"),
            format!("wasmbus.inbox.default.{name}.x"),
        ] {
            thief.client().publish(subject.clone(), bytes::Bytes::new()).await.unwrap();
            until_refused(&mut refusals, Refused::Publish, &subject).await;
        }
        for subject in [
            format!("wasmbus.call.default.*.{name}.>"),
            format!("wasmbus.back.default.*.{name}.>"),
            format!("wasmbus.rpc.default.{name}.>"),
            format!("wasmbus.inbox.default.{name}.>"),
        ] {
            let _heard = thief.client().subscribe(subject.clone()).await.unwrap();
            until_refused(&mut refusals, Refused::Subscribe, &subject).await;
        }
    }
    // A name that only begins like one is its own.
    let washer = closed.provider("washer").await;
    let (own, group) = calls_of_target(&lattice(), &entity("washer"));
    washer.subscribe_in_force([(own, Some(group))], LONG).await.unwrap();
}

async fn until_refused(refusals: &mut Receiver<Violation>, refused: Refused, subject: &str) {
    let wanted = Violation { refused, subject: subject.to_owned() };
    // The inbox of `web`, which the client asks for by itself, is refused as well.
    let heard = async { while refusals.recv().await.unwrap() != wanted {} };
    tokio::time::timeout(LONG, heard).await.unwrap_or_else(|_| panic!("not refused: {wanted:?}"));
}

#[tokio::test]
async fn a_host_asks_its_provider_and_hears_the_answer_of_nobody_else() {
    let closed = Closed::start().await;
    let (me, other) = (host('A'), host('B'));
    let join = async |id: &HostId| closed.join_as(&Principal::Host(Some(id.clone())), &lattice()).await;
    let asks = ProviderLine::new(&join(&me).await, &lattice(), &me);
    let id = ProviderId::new("kv").unwrap();
    let ask = async |line: &ProviderLine| {
        line.ask(&id, ProviderVerb::Health, "how are you".into(), Duration::from_secs(2)).await
    };
    assert!(matches!(ask(&asks).await, Err(RequestError::NoResponders { .. })), "known at once");

    let provider = closed.provider("kv").await;
    let mut hears = HostLine::open(&provider, &lattice(), &id, &me).await.unwrap();
    let mut answering = tokio::task::JoinSet::new();
    answering.spawn(async move {
        let mut heard = Vec::new();
        while let Some(said) = hears.next().await {
            heard.push((said.verb, said.payload.clone()));
            said.answer("well").await.unwrap();
        }
        heard
    });
    assert_eq!(ask(&asks).await.unwrap(), "well");
    // Another host runs one under the same id: that one is meant, and this one says nothing.
    let theirs = ProviderLine::new(&join(&other).await, &lattice(), &other);
    assert!(matches!(ask(&theirs).await, Err(RequestError::Timeout { .. })));
    assert_eq!(ask(&asks.clone()).await.unwrap(), "well");
    provider.close().await;
    let heard = answering.join_next().await.unwrap().unwrap();
    assert_eq!(heard, vec![(ProviderVerb::Health, "how are you".into()); 2]);
}

#[tokio::test]
async fn who_has_newer_credentials_outlives_the_first_ones() {
    let closed = Closed::start().await;
    let options = closed.renewable_provider("kv", 3);
    let Credentials::Renewable(newest) = options.credentials.clone() else { panic!("not renewable") };
    let connection = Connection::connect(options, LONG).await.unwrap();
    let mut lines =
        HostLine::open(&connection, &lattice(), &"kv".parse().unwrap(), &host('A')).await.unwrap();
    let (jwt, seed) = closed.provider_token("kv", 600);
    newest.renew(jwt, seed);
    let mut connected = connection.connected();
    tokio::time::timeout(LONG, connected.wait_for(|connected| !connected)).await.unwrap().unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|connected| *connected)).await.unwrap().unwrap();
    // It is the same subscription.
    let me = host('A');
    let asking = closed.join_as(&Principal::Host(Some(me.clone())), &lattice()).await;
    let line = ProviderLine::new(&asking, &lattice(), &me);
    let id = ProviderId::new("kv").unwrap();
    let (answer, ()) = tokio::join!(line.ask(&id, ProviderVerb::Health, "".into(), LONG), async {
        lines.next().await.unwrap().answer("back").await.unwrap();
    });
    assert_eq!(answer.unwrap(), "back");
}
