//! What is said, and by how many messages.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lattice_core::{CallTo, EntityId, ErrorCode, LatticeName, LinkName};
use lattice_nats::{Called, Calls, Outbound, Version};
use tokio::{sync::Mutex, task::JoinSet, time::Instant};

use super::{Monitor, ask, call, call_within, caller, echo, greet, id, serving, w};
use crate::{LONG, host, join, server};

#[tokio::test]
async fn what_fits_is_one_request_and_one_reply() {
    let server = server().await;
    let callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        for body in [Bytes::new(), Bytes::from_static(b"hello"), Bytes::from(vec![7; 256 * 1024])] {
            assert_eq!(ask(&calls, to.clone(), body.clone()).await.unwrap(), body);
            let messages = monitor.messages().await;
            let said: Vec<String> = messages.iter().map(w).collect();
            assert_eq!(said.len(), 2, "{said:?}");
            assert!(
                messages.iter().all(|message| message.headers.as_ref().unwrap().len() == 1),
                "one header"
            );
        }
    }
    assert_eq!((calls.counts().open, calls.counts().made), (0, 0));
    drop(callee);
}

#[tokio::test]
async fn all_that_a_call_carries_arrives() {
    let server = server().await;
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let _callee = serving(&server, 'A', move |request| {
        let kept = Arc::clone(&kept);
        async move {
            kept.lock().await.replace(request);
            Ok(Outbound::Whole(Bytes::new()))
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut asked = call_within(Duration::from_secs(5));
    asked.link = LinkName::new("second").unwrap();
    asked.depth = 3;
    let version = Version { number: 7, writer: "a writer".to_owned() };
    let called = Called {
        interface: "demo:text/greet@0.1.0".to_owned(),
        function: "[method]book.page".to_owned(),
        link_version: Some(version.clone()),
        known: true,
        at_once: true,
        wait: Some(Duration::from_millis(250)),
        text: true,
    };
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        let by_group = to == CallTo::Anyone;
        calls.call(&asked, to, called.clone(), Outbound::Whole(Bytes::new())).await.unwrap();
        let got = seen.lock().await.take().unwrap();
        assert_eq!(
            (got.call.id, &got.call.source, &got.call.target),
            (asked.id, &asked.source, &asked.target)
        );
        assert_eq!((&got.call.link, got.call.depth), (&asked.link, 3));
        assert_eq!((&*got.interface, &*got.function), (&*called.interface, &*called.function));
        assert_eq!(got.link_version.as_ref(), Some(&version));
        assert!(got.at_once);
        assert_eq!(got.wait, Some(Duration::from_millis(250)));
        assert_eq!(
            (got.by_group, got.handed_on, got.text, got.body.is_whole()),
            (by_group, false, true, true)
        );
        let (early, late) = (Duration::from_millis(1), Duration::from_secs(1));
        assert!(got.call.deadline >= asked.deadline - early && got.call.deadline < asked.deadline + late);
    }
}

#[tokio::test]
async fn many_at_once_and_none_is_lost() {
    let server = server().await;
    let _callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    let mut asking = JoinSet::new();
    for worker in 0..64u32 {
        let calls = calls.clone();
        asking.spawn(async move {
            for n in 0..200u32 {
                let body = Bytes::from(format!("{worker} {n}"));
                assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
            }
        });
    }
    while let Some(done) = asking.join_next().await {
        done.unwrap();
    }
    assert_eq!(calls.counts().open, 0);
}

#[tokio::test]
async fn nobody_there_is_known_at_once_and_somebody_who_should_be_is_waited_for() {
    let server = server().await;
    let calls = caller(&server).await;
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        let begun = Instant::now();
        let error = ask(&calls, to, "x").await.unwrap_err();
        assert_eq!((error.code, error.not_run), (ErrorCode::Unreachable, true), "{error}");
        assert!(error.reason.contains("nobody serves greeter"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "not a timeout");
    }
    let known = Called { known: true, ..greet() };
    let begun = Instant::now();
    let error =
        calls.call(&call(), CallTo::Anyone, known.clone(), Outbound::Whole("x".into())).await.unwrap_err();
    assert!(error.not_run && begun.elapsed() >= Duration::from_millis(250), "{error}");
    // It comes while the call waits.
    let asked = call();
    let asking = calls.call(&asked, CallTo::Anyone, known, Outbound::Whole("x".into()));
    let (asked, _callee) = tokio::join!(asking, serving(&server, 'A', echo));
    asked.unwrap();
}

#[tokio::test]
async fn two_lattices_on_one_server_never_mix() {
    let server = server().await;
    let _callee = serving(&server, 'A', echo).await;
    let conn = join(&server).await;
    let other = LatticeName::new("other").unwrap();
    let calls = Calls::open(&conn, &other, &id("web")).await.unwrap();
    for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
        assert!(ask(&calls, to, "x").await.unwrap_err().not_run);
    }
}

#[tokio::test]
async fn a_call_is_handed_on_once_and_answered_by_the_other_host() {
    let server = server().await;
    let busy = async |request: lattice_nats::Received| request.hand_on(&host('B')).await;
    let _full = serving(&server, 'A', busy).await;
    let free = join(&server).await;
    let free = Calls::open(&free, &crate::lattice(), &id(host('B').as_str())).await.unwrap();
    let answering = Arc::new(super::By(|request: lattice_nats::Received| -> super::Answer {
        assert!(request.handed_on && !request.by_group);
        assert_eq!(request.call.source, id("web"));
        Box::pin(echo(request))
    }));
    let _serving = free.serve(&host('B'), answering).await.unwrap();
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    assert_eq!(ask(&calls, CallTo::Anyone, "hello").await.unwrap(), "hello");
    assert_eq!(monitor.messages().await.len(), 3);
    // A long one goes on where it was handed to.
    let long = super::pattern(0, 2 << 20);
    assert_eq!(ask(&calls, CallTo::Anyone, long.clone()).await.unwrap(), long);
    // Who was asked by name does not pass it on.
    let error = ask(&calls, CallTo::Host(host('A')), "hello").await.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Overloaded, true), "{error}");
}

#[tokio::test]
async fn a_withdrawn_target_takes_no_calls_and_a_closed_host_ends_its_own() {
    let server = server().await;
    let callee = serving(&server, 'A', async |_| std::future::pending().await).await;
    let second: EntityId = id("second");
    let announced = callee.serving.announce(&second).await.unwrap();
    let calls = caller(&server).await;
    let to_second =
        lattice_contracts::CallContext { target: second, ..call_within(Duration::from_millis(50)) };
    let error = super::ask_as(&calls, &to_second, CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Deadline, "it is there");
    drop(announced);
    let gone = async || {
        let call =
            lattice_contracts::CallContext { target: id("second"), ..call_within(Duration::from_millis(50)) };
        let error = super::ask_as(&calls, &call, CallTo::Anyone, "x").await.unwrap_err();
        (error.code == ErrorCode::Unreachable).then_some(())
    };
    lattice_testkit::until("the target is gone", LONG, gone).await.unwrap();

    let asked = call();
    let asking = super::ask_as(&calls, &asked, CallTo::Anyone, "x");
    let closing = async {
        let served = async || (callee.calls.counts().served == 1).then_some(());
        lattice_testkit::until("the call is being served", LONG, served).await.unwrap();
        callee.calls.close().await;
    };
    let (error, ()) = tokio::join!(asking, closing);
    let error = error.unwrap_err();
    assert!(error.reason.contains("stopped while the call was being served"), "{error}");
    calls.close().await;
    let error = ask(&calls, CallTo::Anyone, "x").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unreachable, "{error}");
}
