//! The permissions of `core`, set on a broker: who may call as whom, answer as whom, and read what.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lattice_contracts::CallContext;
use lattice_core::{
    CallTo, ErrorCode,
    permission::{Permissions, Principal, Reach, ServerUser, inbox_prefix, server_authorization},
};
use lattice_nats::{Calls, ConnectOptions, Connection, Outbound, Refused, SubscribeError};
use lattice_testkit::NatsServer;
use tokio::{sync::Semaphore, time::Instant};

use super::{Callee, ask, ask_as, call, caller_on, echo, greet, id, pattern, publish, serving_on};
use crate::{LONG, host, lattice, server_with};

async fn restricted() -> NatsServer {
    let on = Reach::Lattice(lattice());
    let users = [
        Principal::Host(Some(host('A'))),
        Principal::Host(Some(host('B'))),
        Principal::Provider(id("web")),
        Principal::Provider(id("mallory")),
    ];
    let users: Vec<(String, Permissions)> = users
        .into_iter()
        .map(|user| {
            let name = match &user {
                Principal::Host(Some(host)) => host.to_string(),
                Principal::Provider(name) => name.to_string(),
                other => panic!("{other:?}"),
            };
            (name, Permissions::of(&user, &on))
        })
        .collect();
    let users: Vec<ServerUser<'_>> =
        users.iter().map(|(name, permissions)| ServerUser { name, password: "x", permissions }).collect();
    server_with(&server_authorization(&users)).await
}

async fn join_as(server: &NatsServer, user: &str) -> Connection {
    let url = server.url().replace("nats://", &format!("nats://{user}:x@"));
    let options =
        ConnectOptions { inbox_prefix: Some(inbox_prefix(&lattice(), user)), ..ConnectOptions::to(&url) };
    Connection::connect(options, LONG).await.unwrap()
}

async fn greeter_on(server: &NatsServer, letter: char) -> Callee {
    serving_on(join_as(server, host(letter).as_str()).await, letter, echo).await
}

#[tokio::test]
async fn who_keeps_to_his_own_name_can_call_and_answer() {
    let server = restricted().await;
    let a = greeter_on(&server, 'A').await;
    let b = greeter_on(&server, 'B').await;
    let web = caller_on(&join_as(&server, "web").await).await;
    let long = pattern(0, 2 << 20);
    for to in [CallTo::Anyone, CallTo::Host(host('A')), CallTo::Host(host('B'))] {
        assert_eq!(ask(&web, to.clone(), "hello").await.unwrap(), "hello");
        assert_eq!(ask(&web, to, long.clone()).await.unwrap(), long);
    }
    // An actor on one host calls one on the other.
    let actors = CallContext { source: id("actor"), ..call() };
    assert_eq!(ask_as(&a.calls, &actors, CallTo::Host(host('B')), long.clone()).await.unwrap(), long);
    // A provider serves what is called by its own name.
    let conn = join_as(&server, "mallory").await;
    let mallory = Calls::open(&conn, &lattice(), &id("mallory")).await.unwrap();
    drop(mallory);
    drop(b);
}

#[tokio::test]
async fn a_source_cannot_be_chosen_and_the_refusal_is_known_at_once() {
    let server = restricted().await;
    let _a = greeter_on(&server, 'A').await;
    let conn = join_as(&server, "mallory").await;
    let mallory = Calls::open(&conn, &lattice(), &id("mallory")).await.unwrap();
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        let begun = Instant::now();
        // As `web`, which it is not.
        let error =
            mallory.call(&call(), to.clone(), greet(), Outbound::Whole("x".into())).await.unwrap_err();
        assert_eq!((error.code, error.not_run), (ErrorCode::Denied, true), "{error}");
        assert!(error.reason.contains(".web."), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let own = CallContext { source: id("mallory"), ..call() };
        assert_eq!(ask_as(&mallory, &own, to, "hello").await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn replies_and_calls_of_others_cannot_be_read() {
    let server = restricted().await;
    let a = greeter_on(&server, 'A').await;
    let conn = join_as(&server, "mallory").await;
    for subject in [
        "wasmbus.back.>".to_owned(),
        "wasmbus.back.default.*.web.>".to_owned(),
        format!("wasmbus.back.default.*.{}.>", host('A')),
        format!("wasmbus.host.default.*.{}.>", host('A')),
        "wasmbus.call.default.>".to_owned(),
        "wasmbus.call.default.*.greeter.>".to_owned(),
    ] {
        let refused = conn.subscribe_in_force([(subject.clone(), None)], LONG).await.err();
        assert_eq!(refused, Some(SubscribeError::Denied { subject }));
    }
    // Nor in their name, nor in another's queue group; neither between hosts.
    let refused = Calls::open(&conn, &lattice(), &id("web")).await.err().unwrap();
    assert!(matches!(refused, SubscribeError::Denied { .. }), "{refused}");
    let other = join_as(&server, host('B').as_str()).await;
    let refused = Calls::open(&other, &lattice(), &id(host('A').as_str())).await.err().unwrap();
    assert!(matches!(refused, SubscribeError::Denied { .. }), "{refused}");
    let mallory = Calls::open(&conn, &lattice(), &id("mallory")).await.unwrap();
    let none = Arc::new(super::By(|request| -> super::Answer { Box::pin(echo(request)) }));
    let refused = mallory.serve(&host('A'), none).await.err().unwrap();
    assert!(matches!(refused, SubscribeError::Denied { .. }), "{refused}");
    drop(a);
}

#[tokio::test]
async fn nobody_answers_in_the_name_of_another() {
    let server = restricted().await;
    // A host that lets the call wait, so that there is one to be answered.
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let callee = serving_on(join_as(&server, host('A').as_str()).await, 'A', move |request| {
        let gate = Arc::clone(&opened);
        async move {
            let _forged = gate.acquire().await;
            echo(request).await
        }
    })
    .await;
    let web = caller_on(&join_as(&server, "web").await).await;
    let spy = join_as(&server, host('B').as_str()).await;
    // Hosts may read every call by group: so the forger knows the reply subject, which otherwise nobody does.
    let mut calls_of_all =
        spy.subscribe_in_force([("wasmbus.call.default.>".to_owned(), None)], LONG).await.unwrap();
    let mallory = join_as(&server, "mallory").await;
    let mut refusals = mallory.violations();
    let forging = async {
        let seen = calls_of_all.next().await.unwrap();
        let reply = seen.reply.unwrap();
        let forged = super::w_of(&seen.headers).replacen(" call ", " reply ", 1);
        publish(&mallory, &reply, None, &forged, Bytes::from_static(b"forged")).await;
        let own = reply.replace(".greeter.", ".mallory.");
        publish(&mallory, &own, None, &forged, Bytes::from_static(b"forged")).await;
        let refusal = tokio::time::timeout(LONG, refusals.recv()).await.unwrap().unwrap();
        assert_eq!((refusal.refused, refusal.subject.as_str()), (Refused::Publish, reply.as_str()));
        // The other forgery has then been passed on as well.
        mallory.round_trip(LONG).await.unwrap();
        gate.add_permits(1);
    };
    let (answer, ()) = tokio::join!(ask(&web, CallTo::Anyone, "hello"), forging);
    assert_eq!(answer.unwrap(), "hello");
    drop(callee);
}
