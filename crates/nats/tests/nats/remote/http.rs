//! HTTP messages over the wire: how many messages, bodies of any size, refusals, cancels.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use lattice_contracts::http::{Body, Request, Response, full};
use lattice_core::{CallError, CallTo, ErrorCode, Hop};
use lattice_nats::{
    Calls, Outbound, Received,
    remote::{Function, http::incoming},
};
use tokio::sync::Notify;

use super::called;
use crate::{
    LONG, host,
    invocation::{Monitor, PART, call, caller, pattern, serving},
    server,
};

fn hop() -> Hop {
    Hop::Actor("greeter".parse().unwrap())
}

fn handle() -> lattice_nats::Called {
    called(Function { interface: incoming::INTERFACE, function: incoming::FUNCTION })
}

/// Answers with the request's body, as it comes.
async fn mirror(request: Received) -> Result<Outbound, CallError> {
    let request = incoming::request(request.body, hop()).await?;
    let response = http::Response::builder().status(201).header("x-path", request.uri().path());
    incoming::reply(response.body(request.into_body()).unwrap(), hop()).await
}

async fn ask(calls: &Calls, to: CallTo, request: Request) -> Result<Response, CallError> {
    let offer = incoming::offer(request, hop()).await?;
    incoming::response(calls.call(&call(), to, handle(), offer.outbound()).await?, hop()).await
}

/// A body of `count` parts of the pattern; `made` tells how many were taken.
fn long_body(count: u64, made: Arc<AtomicU64>) -> Body {
    let frames = (0..count).map(move |n| {
        made.fetch_add(1, Ordering::Relaxed);
        Ok(Frame::data(pattern(n * PART as u64, PART)))
    });
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[tokio::test]
async fn what_fits_is_one_message_there_and_one_back() {
    let server = server().await;
    let _callee = serving(&server, 'A', mirror).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let request = http::Request::put("/a/b").header("host", "x").body(full("hi")).unwrap();
    let answer = ask(&calls, CallTo::Host(host('A')), request).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-path"]), (201, &"/a/b".parse().unwrap()));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hi");
    assert_eq!(monitor.messages().await.len(), 2);
}

#[tokio::test]
async fn long_bodies_pass_through_both_ways_at_once() {
    const PARTS: u64 = 1024;
    let server = server().await;
    let _callee = serving(&server, 'A', mirror).await;
    let calls = caller(&server).await;
    let made = Arc::new(AtomicU64::new(0));
    let request = Request::new(long_body(PARTS, made.clone()));
    let mut body = ask(&calls, CallTo::Anyone, request).await.unwrap().into_body();
    let (mut seen, mut most) = (0, 0);
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data == pattern(seen, data.len()), "the bytes at {seen}");
        seen += data.len() as u64;
        most = most.max(made.load(Ordering::Relaxed) * PART as u64 - seen);
    }
    assert_eq!(seen, PARTS * PART as u64);
    // Windows, first pieces and frames of both directions; not the 32 MiB.
    assert!(most < 3 << 20, "{most} bytes were under way");
}

#[tokio::test]
async fn a_host_that_refuses_has_used_up_nothing() {
    let server = server().await;
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let _full = serving(&server, 'A', move |_request| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Err(CallError::new(hop(), ErrorCode::Overloaded, "full").not_run()) }
    })
    .await;
    let _free = serving(&server, 'B', mirror).await;
    let calls = caller(&server).await;
    let offer = incoming::offer(Request::new(long_body(64, Arc::default())), hop()).await.unwrap();
    let error = calls.call(&call(), CallTo::Host(host('A')), handle(), offer.outbound()).await.unwrap_err();
    assert_eq!(
        (error.code, error.not_run, refused.load(Ordering::Relaxed)),
        (ErrorCode::Overloaded, true, 1)
    );
    let reply = calls.call(&call(), CallTo::Host(host('B')), handle(), offer.outbound()).await.unwrap();
    drop(offer);
    let body = incoming::response(reply, hop()).await.unwrap().into_body().collect().await.unwrap();
    assert!(body.to_bytes() == pattern(0, 64 * PART));
}

#[tokio::test]
async fn who_reads_no_more_ends_the_work_on_the_other_side() {
    let server = server().await;
    let ended = Arc::new(Notify::new());
    let tell = ended.clone();
    let _callee = serving(&server, 'A', move |request: Received| {
        let tell = tell.clone();
        async move {
            incoming::request(request.body, hop()).await?;
            // Ends when it is dropped.
            let guard = TellWhenDropped(tell);
            let endless = stream::repeat_with(move || {
                let _held = &guard;
                Ok(Frame::data(Bytes::from(vec![0; PART])))
            });
            incoming::reply(Response::new(StreamBody::new(endless).boxed_unsync()), hop()).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let mut body = ask(&calls, CallTo::Anyone, Request::new(full(""))).await.unwrap().into_body();
    for _ in 0..100 {
        body.frame().await.unwrap().unwrap();
    }
    // A reader that stalls stalls its own call only.
    for _ in 0..3 {
        let other = ask(&calls, CallTo::Anyone, Request::new(full(""))).await.unwrap();
        assert_eq!(other.status(), 200);
    }
    drop(body);
    tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.expect("the body is dropped there");
    tokio::time::timeout(LONG, async {
        while calls.counts().open > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("no call is left in the table");
}

struct TellWhenDropped(Arc<Notify>);

impl Drop for TellWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
