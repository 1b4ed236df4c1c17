use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use lattice_contracts::CallContext;
use lattice_core::{
    BackSubject, BeatKind, BeatSubject, CallTo, ConfigName, CtlSubject, CtlVerb, EventName, InvocationId,
    LatticeName, LinkName, call_subject, event_subject,
    permission::{Permissions, Principal, Reach, inbox_prefix},
};
use lattice_nats::{
    Called, Calls, ConnectError, ConnectOptions, Connection, ControlRequest, ControlServer, EventPublisher,
    EventStream, FactStore, Outbound, Refused, RequestError, SubscribeError,
};
use tokio::time::Instant;

use super::{Closed, entity};
use crate::{LONG, host, lattice};

fn everybody() -> Vec<Principal> {
    vec![
        Principal::Host(Some(host('A'))),
        Principal::Host(None),
        Principal::Operator(entity("anna")),
        Principal::Viewer(entity("vera")),
        Principal::Provider(entity("web")),
        Principal::Tool(entity("tool")),
    ]
}

/// Every control subject.
fn control(lattice: &LatticeName) -> Vec<String> {
    let (a, name) = (host('A'), ConfigName::new("a.b").unwrap());
    let verbs = [
        CtlVerb::HostPing,
        CtlVerb::HostGet(a.clone()),
        CtlVerb::HostStop(a.clone()),
        CtlVerb::ComponentAuction,
        CtlVerb::ComponentScale(a.clone()),
        CtlVerb::ComponentUpdate(a.clone()),
        CtlVerb::ComponentCall(a.clone()),
        CtlVerb::ProviderAuction,
        CtlVerb::ProviderStart(a.clone()),
        CtlVerb::ProviderStop(a.clone()),
        CtlVerb::LabelPut(a.clone()),
        CtlVerb::LabelDel(a),
        CtlVerb::LinkPut,
        CtlVerb::LinkDel,
        CtlVerb::LinkGet,
        CtlVerb::ClaimsGet,
        CtlVerb::ConfigPut(name.clone()),
        CtlVerb::ConfigGet(name.clone()),
        CtlVerb::ConfigDel(name),
        CtlVerb::RegistryPut,
    ];
    let subject = |verb| CtlSubject { lattice: lattice.clone(), verb }.to_string();
    verbs.into_iter().map(subject).collect()
}

/// A subject of every kind that there is, of several owners, in two lattices.
fn subjects() -> Vec<String> {
    let mut all = Vec::new();
    for lattice in [lattice(), LatticeName::new("other").unwrap()] {
        all.extend(control(&lattice));
        all.push(event_subject(&lattice, Some(EventName::HostStarted)));
        for me in ["web", "tool", "anna", host('A').as_str(), host('B').as_str()] {
            let id = entity(me);
            all.push(call_subject(&lattice, &id, &CallTo::Anyone, &entity("greeter"), "a:b/c", "d"));
            all.push(call_subject(&lattice, &id, &CallTo::Host(host('A')), &entity("greeter"), "a:b/c", "d"));
            all.push(format!("{}.x", inbox_prefix(&lattice, me)));
            for (writer, reader) in [(me, "greeter"), ("greeter", me)] {
                let back = BackSubject { lattice: lattice.as_str(), writer, reader, connection: 1, call: 2 };
                all.push(back.to_string());
            }
            all.push(format!("wasmbus.rpc.{lattice}.{me}.health"));
        }
        for (letter, kind) in [
            ('A', BeatKind::Neighbours),
            ('A', BeatKind::All),
            ('A', BeatKind::Ask),
            ('B', BeatKind::Neighbours),
            ('B', BeatKind::All),
            ('B', BeatKind::Ask),
        ] {
            all.push(BeatSubject { lattice: lattice.clone(), host: host(letter), kind }.to_string());
        }
        let stream = format!("KV_LATTICE_{lattice}");
        all.push(format!("$KV.LATTICE_{lattice}.link.x"));
        for verb in [
            "INFO",
            "STREAM.NAMES",
            &format!("STREAM.INFO.{stream}"),
            &format!("STREAM.CREATE.{stream}"),
            &format!("STREAM.UPDATE.{stream}"),
            &format!("STREAM.DELETE.{stream}"),
            &format!("STREAM.PURGE.{stream}"),
            &format!("STREAM.MSG.DELETE.{stream}"),
            &format!("STREAM.MSG.GET.{stream}"),
            &format!("DIRECT.GET.{stream}.$KV.LATTICE_{lattice}.link.x"),
            &format!("CONSUMER.CREATE.{stream}.x.y"),
            &format!("STREAM.SNAPSHOT.{stream}"),
            &format!("STREAM.RESTORE.{stream}"),
        ] {
            all.push(format!("$JS.API.{verb}"));
            all.push(format!("$JS.plant.API.{verb}"));
        }
    }
    all.extend(["_INBOX.x.y", "$SYS.REQ.ACCOUNT.PING", "anything"].map(str::to_owned));
    all
}

/// What the server refuses of what `act` does with each of the subjects.
async fn refused(conn: &Connection, what: Refused, subjects: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    // The last 64 refusals are kept for a slow listener.
    for some in subjects.chunks(32) {
        let mut violations = conn.violations();
        let mut kept = Vec::new();
        for subject in some {
            match what {
                Refused::Subscribe => kept.push(conn.client().subscribe(subject.clone()).await.unwrap()),
                _ => conn.client().publish(subject.clone(), Bytes::new()).await.unwrap(),
            }
        }
        conn.round_trip(LONG).await.unwrap();
        conn.round_trip(LONG).await.unwrap();
        while let Ok(violation) = violations.try_recv() {
            assert_eq!(violation.refused, what);
            found.push(violation.subject);
        }
    }
    found
}

/// The server agrees with the table about every subject: so what the table's own tests say of it holds on a real server.
#[tokio::test]
async fn the_server_refuses_what_is_not_in_the_table() {
    let closed = Closed::start().await;
    let subjects = subjects();
    for principal in everybody() {
        let allowed = Permissions::of(&principal, &Reach::Lattice(lattice()));
        let conn = closed.join_as(&principal, &lattice()).await;
        let expected: Vec<&String> = subjects.iter().filter(|s| !allowed.may_publish(s)).collect();
        let found = refused(&conn, Refused::Publish, &subjects).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{principal:?} publishes");
        assert!(!expected.is_empty() && expected.len() < subjects.len(), "{principal:?}");
        let expected: Vec<&String> = subjects.iter().filter(|s| !allowed.may_subscribe(s, None)).collect();
        let found = refused(&conn, Refused::Subscribe, &subjects).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{principal:?} subscribes");
        let wide = [">", "wasmbus.>", "wasmbus.*.default.>", "_INBOX.>", "$SYS.>", "$KV.>", "$JS.>"];
        let wide = wide.map(str::to_owned);
        assert_eq!(refused(&conn, Refused::Subscribe, &wide).await, wide, "{principal:?}");
        conn.close().await;
    }
}

#[tokio::test]
async fn nobody_without_a_token_gets_in() {
    let closed = Closed::start().await;
    let error = Connection::connect(ConnectOptions::to(&closed.server.url()), LONG).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("authorization violation"), "{error}");
    let key = lattice_claims::KeyPair::generate(lattice_claims::KeyKind::User);
    let foreign =
        Closed { account: lattice_claims::KeyPair::generate(lattice_claims::KeyKind::Account), ..closed };
    let error = foreign.changed_provider(|token| token.user = key.public_key().clone()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "the key is not the token's: {error:?}");
}

async fn handle(request: ControlRequest) {
    let _gone = request.respond(r#"{"success":true,"message":"done"}"#).await;
}

#[tokio::test]
async fn an_operator_steers_a_viewer_looks_and_a_host_answers_both() {
    let closed = Closed::start().await;
    let conn = closed.join_as(&Principal::Host(Some(host('A'))), &lattice()).await;
    let control_server = ControlServer::serve(&conn, &lattice(), &host('A'), handle).await.unwrap();
    let operator = closed.join_as(&Principal::Operator(entity("anna")), &lattice()).await;
    let viewer = closed.join_as(&Principal::Viewer(entity("vera")), &lattice()).await;
    let reads = ["host.ping", "host.get", "link.get", "claims.get", "config.get"];
    for subject in control(&lattice()) {
        let answer = operator.request(&subject, Bytes::from_static(b"{}"), LONG).await;
        assert!(answer.is_ok(), "{subject}: {answer:?}");
        let begun = Instant::now();
        let answer = viewer.request(&subject, Bytes::from_static(b"{}"), LONG).await;
        match reads.iter().any(|read| subject.contains(&format!(".default.{read}"))) {
            true => assert!(answer.is_ok(), "{subject}: {answer:?}"),
            false => assert_eq!(answer, Err(RequestError::Denied { subject })),
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "a refusal is known at once");
    }
    // Both hear events, and neither can make one.
    let publisher = EventPublisher::new(&conn, &lattice(), &host('A'));
    for tool in [&operator, &viewer] {
        let mut events = EventStream::subscribe(tool, &lattice(), &[EventName::HostStarted]).await.unwrap();
        publisher.publish(EventName::HostStarted, serde_json::json!({}));
        tokio::time::timeout(LONG, events.next()).await.unwrap().unwrap();
        let forged = event_subject(&lattice(), Some(EventName::HostStopped));
        assert_eq!(refused(tool, Refused::Publish, std::slice::from_ref(&forged)).await, [forged]);
    }
    control_server.close(LONG).await;
}

#[tokio::test]
async fn hosts_keep_the_lattices_state_and_nobody_else_can() {
    let closed = Closed::start().await;
    let (a, b) = (
        closed.join_as(&Principal::Host(Some(host('A'))), &lattice()).await,
        closed.join_as(&Principal::Host(None), &lattice()).await,
    );
    a.check_jetstream(LONG).await.unwrap();
    let a = FactStore::open(&a, &lattice(), host('A')).await.unwrap();
    let values = BTreeMap::from([("v".to_owned(), "1".to_owned())]);
    let name = ConfigName::new("web").unwrap();
    a.put_config(&name, &values).await.unwrap();
    let b = FactStore::open(&b, &lattice(), host('B')).await.unwrap();
    assert!(b.wait_current(LONG).await);
    assert_eq!(b.snapshot().config(&name), Some(values.clone()));
    assert!(b.delete_config(&name).await.unwrap());
    assert!(a.wait_current(LONG).await && a.snapshot().config(&name).is_none());
    for principal in everybody().into_iter().filter(|one| !matches!(one, Principal::Host(_))) {
        let conn = closed.join_as(&principal, &lattice()).await;
        assert!(FactStore::open(&conn, &lattice(), host('C')).await.is_err(), "{principal:?}");
    }
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn a_tool_calls_as_itself_and_reads_what_comes_back_to_it_alone() {
    let closed = Closed::start().await;
    let conn = closed.join_as(&Principal::Host(Some(host('A'))), &lattice()).await;
    let _greeter = crate::invocation::serving_on(conn, 'A', crate::invocation::echo).await;
    let conn = closed.join_as(&Principal::Tool(entity("tool")), &lattice()).await;
    let calls = Calls::open(&conn, &lattice(), &entity("tool")).await.unwrap();
    let context = |source: &str| CallContext {
        id: InvocationId::from_bits(7),
        source: entity(source),
        target: entity("greeter"),
        link: LinkName::default(),
        deadline: Instant::now() + LONG,
        depth: 0,
        trace: None,
    };
    let greet = || Called { interface: "a:b/c".into(), function: "d".into(), ..Called::default() };
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        let reply = calls.call(&context("tool"), to.clone(), greet(), Outbound::Whole("x".into())).await;
        assert_eq!(reply.unwrap().whole(100).await.unwrap(), "x");
        let forged = calls.call(&context("web"), to, greet(), Outbound::Whole("x".into())).await;
        assert_eq!(forged.unwrap_err().code, lattice_core::ErrorCode::Denied);
    }
    let refused = Calls::open(&conn, &lattice(), &entity("web")).await.err().unwrap();
    assert!(matches!(refused, SubscribeError::Denied { .. }), "{refused}");
}
