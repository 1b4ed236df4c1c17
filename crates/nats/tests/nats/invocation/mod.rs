//! Calls over real servers.

mod child;
mod errors;
mod flow;
mod full;
mod golden;
mod limits;
mod loss;
mod permissions;
mod simple;
mod strangers;
mod trace;

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use lattice_contracts::CallContext;
use lattice_core::{CallError, CallTo, EntityId, InvocationId, LinkName};
use lattice_nats::{
    Announced, Called, Calls, Connection, HeaderMap, Inbound, Outbound, Received, Serve, Serving,
    Subscription,
};
use lattice_testkit::NatsServer;
use tokio::time::Instant;

use crate::{LONG, host, join, lattice};

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

/// A call of `web` to `greeter` with `time` left.
pub(crate) fn call_within(time: Duration) -> CallContext {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    CallContext {
        id: InvocationId::from_bits(u128::from(COUNT.fetch_add(1, Ordering::Relaxed))),
        source: id("web"),
        target: id("greeter"),
        link: LinkName::default(),
        deadline: Instant::now() + time,
        depth: 0,
        trace: None,
    }
}

pub(crate) fn call() -> CallContext {
    call_within(LONG)
}

pub(crate) fn greet() -> Called {
    Called { interface: "demo:text/greet".to_owned(), function: "hello".to_owned(), ..Called::default() }
}

type Answer = Pin<Box<dyn Future<Output = Result<Outbound, CallError>> + Send>>;

/// Serves by a closure.
struct By<F>(F);

#[async_trait]
impl<F: Fn(Received) -> Answer + Send + Sync + 'static> Serve for By<F> {
    async fn serve(&self, request: Box<Received>) -> Result<Outbound, CallError> {
        (self.0)(*request).await
    }
}

/// A host that serves `greeter`.
pub(crate) struct Callee {
    pub(crate) calls: Calls,
    pub(crate) serving: Serving,
    _announced: Announced,
}

pub(crate) async fn serving<F, A>(server: &NatsServer, letter: char, serve: F) -> Callee
where
    F: Fn(Received) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Outbound, CallError>> + Send + 'static,
{
    serving_on(join(server).await, letter, serve).await
}

pub(crate) async fn serving_on<F, A>(conn: Connection, letter: char, serve: F) -> Callee
where
    F: Fn(Received) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Outbound, CallError>> + Send + 'static,
{
    let calls = Calls::open(&conn, &lattice(), &id(host(letter).as_str())).await.unwrap();
    let serve = By(move |request| -> Answer { Box::pin(serve(request)) });
    let serving = calls.serve(&host(letter), Arc::new(serve)).await.unwrap();
    let announced = serving.announce(&id("greeter")).await.unwrap();
    Callee { calls, serving, _announced: announced }
}

/// Answers with what it was sent, as one.
pub(crate) async fn echo(request: Received) -> Result<Outbound, CallError> {
    request.body.whole(usize::MAX).await.map(Outbound::Whole)
}

/// Answers with what it is sent, as it comes.
pub(crate) async fn echo_stream(request: Received) -> Result<Outbound, CallError> {
    Ok(Outbound::Stream(streamed(request.body)))
}

pub(crate) fn streamed(body: Inbound) -> Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>> {
    Box::pin(stream::unfold(body, async |mut body| body.next().await.map(|part| (part, body))))
}

pub(crate) async fn caller(server: &NatsServer) -> Calls {
    caller_on(&join(server).await).await
}

pub(crate) async fn caller_on(conn: &Connection) -> Calls {
    Calls::open(conn, &lattice(), &id("web")).await.unwrap()
}

/// Calls and gathers the whole reply.
pub(crate) async fn ask(calls: &Calls, to: CallTo, body: impl Into<Bytes>) -> Result<Bytes, CallError> {
    ask_as(calls, &call(), to, body).await
}

pub(crate) async fn ask_as(
    calls: &Calls,
    call: &CallContext,
    to: CallTo,
    body: impl Into<Bytes>,
) -> Result<Bytes, CallError> {
    calls.call(call, to, greet(), Outbound::Whole(body.into())).await?.whole(usize::MAX).await
}

/// After so many bytes the pattern starts again; a prime, so that no piece is like the next.
const PERIOD: usize = 65_521;

/// `len` bytes that tell where in a stream they stand.
pub(crate) fn pattern(from: u64, len: usize) -> Bytes {
    static ONCE: OnceLock<Vec<u8>> = OnceLock::new();
    let once = ONCE
        .get_or_init(|| (0..PERIOD as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect());
    let mut made = BytesMut::with_capacity(len);
    let mut at = (from % PERIOD as u64) as usize;
    while made.len() < len {
        let some = (len - made.len()).min(PERIOD - at);
        made.extend_from_slice(&once[at..at + some]);
        at = (at + some) % PERIOD;
    }
    made.freeze()
}

/// Hears all messages of calls.
pub(crate) struct Monitor {
    conn: Connection,
    heard: Subscription,
}

impl Monitor {
    pub(crate) async fn new(server: &NatsServer) -> Self {
        let conn = join(server).await;
        let all = ["wasmbus.call.>", "wasmbus.host.>", "wasmbus.back.>"];
        let all = all.map(|subject| (subject.to_owned(), None));
        let heard = conn.subscribe_in_force(all, LONG).await.unwrap();
        Self { conn, heard }
    }

    /// What was said since the last time, up to now.
    pub(crate) async fn messages(&mut self) -> Vec<lattice_nats::Message> {
        self.conn.round_trip(LONG).await.unwrap();
        let mut messages = Vec::new();
        while let Some(Some(message)) = futures::FutureExt::now_or_never(self.heard.next()) {
            messages.push(message);
        }
        messages
    }

    /// The next message of a kind.
    pub(crate) async fn next(&mut self, kind: &str) -> lattice_nats::Message {
        let next = async {
            loop {
                let message = self.heard.next().await.unwrap();
                if w(&message).split(' ').nth(1) == Some(kind) {
                    return message;
                }
            }
        };
        tokio::time::timeout(LONG, next).await.expect("such a message comes")
    }
}

/// The header of a message.
pub(crate) fn w(message: &lattice_nats::Message) -> String {
    w_of(&message.headers)
}

pub(crate) fn w_of(headers: &Option<HeaderMap>) -> String {
    let value = headers.as_ref().and_then(|headers| headers.get("W"));
    value.map(|value| value.as_str().to_owned()).unwrap_or_default()
}

/// Publishes by hand.
pub(crate) async fn publish(
    conn: &Connection,
    subject: &str,
    reply: Option<&str>,
    header: &str,
    body: impl Into<Bytes>,
) {
    let mut headers = HeaderMap::new();
    headers.insert("W", header);
    let (subject, body) = (subject.to_owned(), body.into());
    let sent = match reply {
        Some(reply) => {
            conn.client().publish_with_reply_and_headers(subject, reply.to_owned(), headers, body).await
        }
        None => conn.client().publish_with_headers(subject, headers, body).await,
    };
    sent.unwrap();
}

/// Parts of `PART` bytes, `count` of them; `made` tells how many were taken.
pub(crate) const PART: usize = 32 * 1024;

pub(crate) fn parts(count: u64, made: Arc<AtomicU64>) -> Outbound {
    let parts = stream::iter(0..count).map(move |n| {
        made.fetch_add(1, Ordering::Relaxed);
        Ok(pattern(n * PART as u64, PART))
    });
    Outbound::Stream(Box::pin(parts))
}

/// Reads to the end, and holds each byte to the pattern; how many there were.
pub(crate) async fn read_pattern(body: &mut Inbound) -> Result<u64, CallError> {
    let mut seen = 0;
    while let Some(part) = body.next().await.transpose()? {
        assert!(part == pattern(seen, part.len()), "the bytes at {seen}");
        seen += part.len() as u64;
    }
    Ok(seen)
}
