//! Peers that do not keep to the protocol, played by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use lattice_core::{CallError, CallTo, ErrorCode};
use lattice_nats::{Connection, Message, Outbound, Received, Subscription};
use lattice_testkit::{NatsServer, until};
use tokio::task::JoinSet;

use super::{Monitor, ask, caller, echo, parts, pattern, publish, serving, w};
use crate::{LONG, join, server};

/// A callee by hand: says `script` to each call, in which `ID` is the call's id, `@` a reply field with a subject of the
/// callee's own.
struct ByHand {
    conn: Connection,
    calls: Subscription,
}

/// Header, body, and whether the callee names its subject.
type Line = (&'static str, Bytes, bool);

impl ByHand {
    async fn new(server: &NatsServer) -> Self {
        let conn = join(server).await;
        let subject = "wasmbus.call.default.*.greeter.>".to_owned();
        let calls = conn.subscribe_in_force([(subject, None)], LONG).await.unwrap();
        Self { conn, calls }
    }

    async fn take(&mut self) -> (Message, String) {
        let call = tokio::time::timeout(LONG, self.calls.next()).await.unwrap().unwrap();
        let id = w(&call).split(' ').nth(2).unwrap().to_owned();
        (call, id)
    }

    async fn say(&mut self, script: Vec<Line>) {
        let (call, id) = self.take().await;
        let reply = call.reply.unwrap();
        for (header, body, named) in script {
            let own = "wasmbus.back.default.web.hand.00000000000000aa.00000000000000bb";
            publish(&self.conn, &reply, named.then_some(own), &header.replace("ID", &id), body).await;
        }
    }
}

fn line(header: &'static str, body: &'static str) -> Line {
    (header, Bytes::from_static(body.as_bytes()), true)
}

async fn answered(script: Vec<Line>) -> Result<Bytes, CallError> {
    let server = server().await;
    let mut hand = ByHand::new(&server).await;
    let calls = caller(&server).await;
    let (answer, ()) = tokio::join!(ask(&calls, CallTo::Anyone, "x"), hand.say(script));
    assert_eq!(calls.counts().open, 0);
    answer
}

#[tokio::test]
async fn pieces_twice_count_once_and_what_comes_after_the_end_does_not() {
    let script = vec![
        line("1 reply ID", "ab"),
        line("1 reply ID", "ab"),
        line("1 more ID o2", "cd"),
        line("1 more ID o0", "ab"),
        line("1 alive ID o4 c10", ""),
        line("1 more ID o4 f", "e"),
        line("1 more ID o4 f", "e"),
        line("1 more ID o5", "late"),
        line("1 error ID etrap", "late"),
    ];
    assert_eq!(answered(script).await.unwrap(), "abcde");
}

#[tokio::test]
async fn pieces_that_do_not_fit_end_the_call() {
    let gap = answered(vec![line("1 reply ID", "ab"), line("1 more ID o3 f", "d")]).await.unwrap_err();
    assert_eq!((gap.code, gap.not_run), (ErrorCode::Unreachable, false), "{gap}");
    assert!(gap.reason.contains("lost"), "{gap}");
    let first = answered(vec![line("1 more ID o2 f", "cd")]).await.unwrap_err();
    assert_eq!(first.code, ErrorCode::Unreachable, "{first}");
    let told = answered(vec![line("1 reply ID", "ab"), line("1 alive ID o5", "")]).await.unwrap_err();
    assert_eq!(told.code, ErrorCode::Unreachable, "{told}");
    let half = answered(vec![line("1 reply ID", "ab"), line("1 more ID o1", "bc")]).await.unwrap_err();
    assert_eq!(half.code, ErrorCode::Protocol, "{half}");
    let large = vec![("1 reply ID f", pattern(0, 256 * 1024 + 1), true)];
    let large = answered(large).await.unwrap_err();
    assert_eq!(large.code, ErrorCode::Protocol, "{large}");
    let many: Vec<Line> = vec![
        ("1 reply ID", pattern(0, 200_000), true),
        // Beyond what was granted, since nobody reads so fast.
        ("1 more ID o200000", pattern(0, 400_000), true),
    ];
    assert_eq!(answered(many).await.unwrap_err().code, ErrorCode::Protocol);
}

#[tokio::test]
async fn what_does_not_read_and_what_is_not_of_this_call_is_passed_over() {
    let script = vec![
        line("", "no header"),
        line("7 reply ID f", "another version"),
        line("1 sing ID f", "unknown"),
        line("1 reply ID oX", "no number"),
        line("1 reply 00000000000000000000000000000bad f", "another call"),
        line("1 call ID f", "no answer"),
        line("1 cancel ID", ""),
        line("1 reply ID f zfuture", "fine"),
    ];
    assert_eq!(answered(script).await.unwrap(), "fine");
}

#[tokio::test]
async fn errors_of_another_version_read() {
    let error = answered(vec![line("1 error ID etired pmoon:x n", "asleep")]).await.unwrap_err();
    assert_eq!((error.code, error.not_run), (ErrorCode::Protocol, true));
    assert_eq!(error.to_string(), "actor greeter: protocol: tired: asleep");
}

#[tokio::test]
async fn a_stranger_is_not_heard_and_who_works_for_nobody_is_told() {
    let server = server().await;
    let mut hand = ByHand::new(&server).await;
    let calls = caller(&server).await;
    let own = "wasmbus.back.default.web.hand.00000000000000aa.00000000000000bb";
    let mut told = hand.conn.subscribe_in_force([(own.to_owned(), None)], LONG).await.unwrap();
    let answering = async {
        let (call, id) = hand.take().await;
        let reply = call.reply.unwrap();
        let strange = reply.replace(".greeter.", ".mallory.");
        publish(&hand.conn, &strange, None, &format!("1 reply {id} f"), "strange").await;
        publish(&hand.conn, &reply, None, &format!("1 reply {id} f"), "fine").await;
        (reply, id)
    };
    let (answer, (reply, id)) = tokio::join!(ask(&calls, CallTo::Anyone, "x"), answering);
    assert_eq!(answer.unwrap(), "fine");
    // The call is over; what comes with a subject to answer to is told so, and only within the lattice.
    publish(&hand.conn, &reply, Some("wasmbus.ctl.v1.default.host.ping"), &format!("1 alive {id}"), "").await;
    publish(&hand.conn, &reply, Some(own), &format!("1 alive {id}"), "").await;
    let cancel = tokio::time::timeout(LONG, told.next()).await.unwrap().unwrap();
    assert_eq!(w(&cancel), format!("1 cancel {id}"));
}

const ID: &str = "5f0e4a8d3c2b19070000000000000001";
const CALL: &str = "wasmbus.call.default.web.greeter.demo:text/greet.hello";
const BACK: &str = "wasmbus.back.default.greeter.web.00000000000000aa.00000000000000bb";

/// A caller by hand, with all that comes back.
async fn by_hand(server: &NatsServer) -> (Connection, Subscription) {
    let conn = join(server).await;
    let back = conn.subscribe_in_force([(BACK.to_owned(), None)], LONG).await.unwrap();
    (conn, back)
}

async fn next(back: &mut Subscription) -> (String, Bytes) {
    let message = tokio::time::timeout(LONG, back.next()).await.unwrap().unwrap();
    (w(&message), message.payload)
}

async fn header_of(back: &mut Subscription) -> String {
    next(back).await.0
}

#[tokio::test]
async fn a_caller_that_says_next_to_nothing_is_served() {
    let server = server().await;
    let _callee = serving(&server, 'A', echo).await;
    let (conn, mut back) = by_hand(&server).await;
    publish(&conn, CALL, Some(BACK), &format!("1 call {ID} f"), "hello").await;
    assert_eq!(next(&mut back).await, (format!("1 reply {ID} f"), "hello".into()));
}

#[tokio::test]
async fn callers_whose_calls_make_no_sense_are_told() {
    let server = server().await;
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let _callee = serving(&server, 'A', move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        echo(request)
    })
    .await;
    let (conn, mut back) = by_hand(&server).await;
    for (header, code) in [
        (format!("2 call {ID} f"), "protocol"),
        (format!("1 call {ID} f o7"), "protocol"),
        (format!("1 call {ID} f cmany"), "protocol"),
        (format!("1 call {ID} f l."), "protocol"),
        (format!("1 call {ID} f d17"), "denied"),
    ] {
        publish(&conn, CALL, Some(BACK), &header, "hello").await;
        let (answer, _) = next(&mut back).await;
        assert!(
            answer.starts_with(&format!("1 error {ID} e{code} ")) && answer.ends_with(" n"),
            "{header}: {answer}"
        );
    }
    // Nobody makes the host publish where the target may not write.
    let elsewhere = [
        "wasmbus.ctl.v1.default.host.ping".to_owned(),
        BACK.replace(".default.", ".other."),
        BACK.replace(".greeter.", ".other."),
    ];
    let all = elsewhere.clone().map(|subject| (subject, None));
    let mut misled = conn.subscribe_in_force(all, LONG).await.unwrap();
    for subject in &elsewhere {
        publish(&conn, CALL, Some(subject), &format!("1 call {ID} f"), "hello").await;
    }
    publish(&conn, CALL, None, &format!("1 call {ID} f"), "hello").await;
    publish(&conn, CALL, Some(BACK), &format!("1 call {ID} f"), "last").await;
    assert_eq!(next(&mut back).await.1, "last");
    assert!(futures::FutureExt::now_or_never(misled.next()).is_none());
    assert_eq!(served.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_call_that_comes_twice_is_run_once() {
    let server = server().await;
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let callee = serving(&server, 'A', move |_: Received| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::pending()
    })
    .await;
    let (conn, _back) = by_hand(&server).await;
    for source in ["web", "web", "other"] {
        let subject = CALL.replace(".web.", &format!(".{source}."));
        publish(&conn, &subject, Some(BACK), &format!("1 call {ID} f"), "hello").await;
    }
    let two = async || (served.load(Ordering::Relaxed) == 2).then_some(());
    until("one of each source", LONG, two).await.unwrap();
    assert_eq!(callee.calls.counts().served, 2);
}

#[tokio::test]
async fn a_caller_that_never_grants_credit_is_left() {
    let server = server().await;
    let callee = serving(&server, 'A', async |_: Received| Ok(parts(1000, Arc::default()))).await;
    let (conn, mut back) = by_hand(&server).await;
    for credit in [0, 10] {
        publish(&conn, CALL, Some(BACK), &format!("1 call {ID} f t60000 c{credit}"), "hello").await;
        let (header, body) = next(&mut back).await;
        assert_eq!((header, body.len()), (format!("1 reply {ID}"), credit));
        // Silent besides, it is left before its deadline.
        let mut last = header_of(&mut back).await;
        while last.contains(" alive ") {
            last = header_of(&mut back).await;
        }
        assert!(last.contains(" error ") && last.contains(" eunreachable "), "{last}");
        let left = async || (callee.calls.counts().served == 0).then_some(());
        until("the callee has let the call go", LONG, left).await.unwrap();
    }
    // One that lives, and says so, is waited for as long as it has said.
    publish(&conn, CALL, Some(BACK), &format!("1 call {ID} f t5000 c10"), "hello").await;
    let begun = tokio::time::Instant::now();
    let message = tokio::time::timeout(LONG, back.next()).await.unwrap().unwrap();
    let to = message.reply.unwrap();
    let error = loop {
        publish(&conn, &to, None, &format!("1 alive {ID} f o5"), "").await;
        let (header, _) = next(&mut back).await;
        if header.contains(" error ") {
            break header;
        }
        assert!(header.contains(" alive "), "{header}");
    };
    assert!(error.contains(" edeadline "), "{error}");
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_callee_that_never_grants_credit_is_left() {
    let server = server().await;
    let mut hand = ByHand::new(&server).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let asked = super::call_within(Duration::from_secs(4));
    let request = Outbound::Whole(pattern(0, 1_000_000));
    let asking = calls.call(&asked, CallTo::Anyone, super::greet(), request);
    let granting = async {
        let (call, id) = hand.take().await;
        let own = "wasmbus.back.default.web.hand.00000000000000aa.00000000000000bb";
        let reply = call.reply.unwrap();
        // It lives, and lets nothing pass; the caller's own signs of life set the pace.
        publish(&hand.conn, &reply, Some(own), &format!("1 alive {id}"), "").await;
        loop {
            monitor.next("alive").await;
            publish(&hand.conn, &reply, Some(own), &format!("1 alive {id}"), "").await;
        }
    };
    let error = tokio::select! {
        answer = asking => answer.unwrap_err(),
        () = granting => unreachable!("it never ends"),
    };
    assert_eq!(error.code, ErrorCode::Deadline, "{error}");
}

#[tokio::test]
async fn a_place_is_used_again_once_its_call_is_answered_and_what_is_late_for_that_is_not_taken() {
    let server = server().await;
    let mut hand = ByHand::new(&server).await;
    let calls = caller(&server).await;
    let mut asking = JoinSet::new();
    let ask_for = |asking: &mut JoinSet<_>, body: &'static str| {
        let calls = calls.clone();
        asking.spawn(async move { ask(&calls, CallTo::Anyone, body).await });
    };
    ask_for(&mut asking, "first");
    let (call, first_id) = hand.take().await;
    let first_reply = call.reply.unwrap();
    publish(&hand.conn, &first_reply, None, &format!("1 reply {first_id} f"), "one").await;
    assert_eq!(asking.join_next().await.unwrap().unwrap().unwrap(), "one");

    ask_for(&mut asking, "second");
    let (call, second_id) = hand.take().await;
    let reply = call.reply.unwrap();
    assert_eq!(reply, first_reply, "the same place");
    assert_ne!(first_id, second_id);
    publish(&hand.conn, &reply, None, &format!("1 reply {first_id} f"), "late").await;
    publish(&hand.conn, &reply, None, &format!("1 error {second_id} ebackend"), "broken").await;
    assert_eq!(asking.join_next().await.unwrap().unwrap().unwrap_err().code, ErrorCode::Backend);

    // A call that failed may still get something.
    ask_for(&mut asking, "third");
    let (call, third_id) = hand.take().await;
    let reply = call.reply.unwrap();
    assert_ne!(reply, first_reply, "another place");
    publish(&hand.conn, &reply, None, &format!("1 reply {third_id} f"), "three").await;
    assert_eq!(asking.join_next().await.unwrap().unwrap().unwrap(), "three");
}
