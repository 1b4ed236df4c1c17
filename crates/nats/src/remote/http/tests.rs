use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use lattice_contracts::http::{Body, BodyError, Request, Response, full};
use lattice_core::{CallError, ErrorCode, Hop};
use proptest::prelude::*;

use super::incoming;
use crate::{Outbound, remote::Pieces};

fn hop() -> Hop {
    Hop::Actor("echo".parse().unwrap())
}

/// What was sent, cut anywhere.
fn received(outbound: Outbound, cuts: Vec<usize>) -> Pieces {
    let sent: Pieces = match outbound {
        Outbound::Whole(bytes) => Box::pin(stream::iter([Ok(bytes)])),
        Outbound::Stream(sent) => sent,
    };
    let mut cuts = cuts.into_iter().cycle();
    Box::pin(sent.flat_map(move |piece| {
        let mut parts = Vec::new();
        match piece {
            Err(error) => parts.push(Err(error)),
            Ok(mut rest) => {
                while !rest.is_empty() {
                    let at = cuts.next().unwrap_or(1).clamp(1, rest.len());
                    parts.push(Ok(rest.split_to(at)));
                }
            }
        }
        stream::iter(parts)
    }))
}

/// A body of these pieces, each of which takes a turn to come.
fn body_of(pieces: Vec<Bytes>, trailers: Option<HeaderMap>) -> Body {
    let data = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    let end = trailers.into_iter().map(|fields| Ok(Frame::trailers(fields)));
    let frames = stream::iter(data.chain(end)).then(|frame: Result<_, BodyError>| async {
        tokio::task::yield_now().await;
        frame
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn there(request: Request, cuts: Vec<usize>) -> Result<Request, CallError> {
    let offer = incoming::offer(request, hop()).await?;
    incoming::read_request(received(offer.outbound(), cuts), hop()).await
}

async fn back(response: Response, cuts: Vec<usize>) -> Result<Response, CallError> {
    let outbound = incoming::reply(response, hop()).await?;
    incoming::read_response(received(outbound, cuts), hop()).await
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the body, and however the bytes are cut: the same message comes out, at both ends.
    #[test]
    fn messages_come_out_as_they_went_in(
        sizes in proptest::collection::vec(0_usize..40_000, 0..8),
        cuts in proptest::collection::vec(1_usize..5000, 1..8),
        sum in proptest::option::of("[a-z]{1,8}"),
    ) {
        let pieces: Vec<Bytes> = (0_u8..).zip(&sizes).map(|(at, size)| vec![at; *size].into()).collect();
        let trailers = sum.map(|sum| HeaderMap::from_iter([(
            HeaderName::from_static("x-sum"), HeaderValue::from_str(&sum).unwrap(),
        )]));
        let whole = pieces.concat();
        run(async {
            let request = http::Request::put("/a").header("host", "x").body(body_of(pieces.clone(), trailers.clone()));
            let read = there(request.unwrap(), cuts.clone()).await.unwrap();
            assert_eq!((read.method().as_str(), read.uri().path()), ("PUT", "/a"));
            let read = read.into_body().collect().await.unwrap();
            assert_eq!(read.trailers(), trailers.as_ref());
            assert_eq!(read.to_bytes(), whole);
            let response = http::Response::builder().status(418).body(body_of(pieces, trailers.clone())).unwrap();
            let read = back(response, cuts).await.unwrap();
            assert_eq!(read.status(), 418);
            let read = read.into_body().collect().await.unwrap();
            assert_eq!(read.trailers(), trailers.as_ref());
            assert_eq!(read.to_bytes(), whole);
        });
    }

    #[test]
    fn bytes_of_strangers_end(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in proptest::collection::vec(1_usize..50, 1..8)) {
        run(async {
            let outbound = || Outbound::Whole(Bytes::from(bytes.clone()));
            for prefix in [&b""[..], b"\x00\x01a\x01b", b"\x00\x01a\x01b\x00\x06\x00\x00\x00\x00\x00\x00"] {
                let bytes = Bytes::from([prefix, &bytes].concat());
                if let Ok(read) = incoming::read_request(received(Outbound::Whole(bytes), cuts.clone()), hop()).await {
                    let _ = read.into_body().collect().await;
                }
            }
            if let Ok(read) = incoming::read_response(received(outbound(), cuts.clone()), hop()).await {
                let _ = read.into_body().collect().await;
            }
        });
    }
}

#[test]
fn small_bodies_travel_with_their_head_and_others_follow() {
    run(async {
        let whole = |body| async {
            let offer = incoming::offer(Request::new(body), hop()).await.unwrap();
            matches!(offer.outbound(), Outbound::Whole(_))
        };
        assert!(whole(full("hi")).await);
        assert!(whole(body_of(vec!["a".into(), "b".into()], None)).await);
        assert!(whole(full(vec![0; super::write::INLINE_BYTES_MAX])).await);
        assert!(!whole(full(vec![0; super::write::INLINE_BYTES_MAX + 1])).await);
        let slow = stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Frame::data(Bytes::from_static(b"late")))
        });
        assert!(!whole(StreamBody::new(slow).boxed_unsync()).await);
    });
}

/// A body is pulled only as far as somebody reads it.
#[test]
fn nobody_reads_ahead() {
    run(async {
        let pulled = Arc::new(AtomicUsize::new(0));
        let counter = pulled.clone();
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(Frame::data(Bytes::from(vec![0; 16 * 1024])))
        });
        let response = Response::new(StreamBody::new(endless).boxed_unsync());
        let mut body = back(response, vec![4096]).await.unwrap().into_body();
        let before = pulled.load(Ordering::Relaxed);
        assert!(before <= 6, "{before}");
        for _ in 0..1000 {
            body.frame().await.unwrap().unwrap();
        }
        assert!(pulled.load(Ordering::Relaxed) <= 1000 / 4 + 8);
    });
}

#[test]
fn a_body_that_breaks_off_is_told_and_never_taken_for_whole() {
    run(async {
        let why = || CallError::new(hop(), ErrorCode::Trap, "unreachable executed");
        let frames =
            stream::iter([Ok(Frame::data(Bytes::from(vec![1; 100_000]))), Err(BodyError::Call(why()))]);
        let body = back(Response::new(StreamBody::new(frames).boxed_unsync()), vec![9999]).await.unwrap();
        let Err(BodyError::Call(error)) = body.into_body().collect().await else { panic!("whole") };
        assert_eq!(error, why());
        // The bytes end before the message does.
        let offer = incoming::offer(Request::new(full(vec![0; 100_000])), hop()).await.unwrap();
        let cut = received(offer.outbound(), vec![1000]).take(50);
        let read = incoming::read_request(Box::pin(cut), hop()).await.unwrap();
        let Err(BodyError::Call(error)) = read.into_body().collect().await else { panic!("whole") };
        assert_eq!(error.code, ErrorCode::Protocol);
    });
}

mod here_and_elsewhere {
    use async_trait::async_trait;
    use lattice_contracts::{
        CallContext,
        http::{Outgoing, OutgoingError, OutgoingLimits},
    };
    use lattice_core::{InvocationId, LinkName};
    use tokio::time::Instant;

    use super::*;
    use crate::{
        Inbound,
        remote::{
            Caller, Function, Offer, Taken,
            http::outgoing::{self, RemoteOutgoing},
        },
    };

    fn call() -> CallContext {
        CallContext {
            id: InvocationId::from_bits(1),
            source: "a".parse().unwrap(),
            target: "out".parse().unwrap(),
            link: LinkName::default(),
            deadline: Instant::now() + Duration::from_secs(5),
            depth: 0,
            trace: None,
        }
    }

    /// A client in this process that reads so many frames of a request, and then refuses it.
    struct Refuses {
        reads: usize,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Outgoing for Refuses {
        async fn request(
            &self,
            _: CallContext,
            request: Request,
            _: OutgoingLimits,
        ) -> Result<Response, OutgoingError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mut body = request.into_body();
            for _ in 0..self.reads {
                body.frame().await;
            }
            Err(CallError::new(hop(), ErrorCode::Unreachable, "stopping").not_run().into())
        }
    }

    /// Prefers the client here, or is told to say so first; others answer with the length of the request they read.
    struct Scripted {
        prefers: bool,
    }

    #[async_trait]
    impl Caller for Scripted {
        fn prefers_here(&self) -> bool {
            self.prefers
        }

        async fn call(
            &self,
            _: &CallContext,
            _: Function<'_>,
            offer: &Offer,
            refused_here: Option<CallError>,
        ) -> Result<Taken, CallError> {
            if refused_here.is_none() {
                return Ok(Taken::Here);
            }
            let (request, _) = outgoing::read_request(received(offer.outbound(), vec![1000]), hop()).await?;
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let reply = outgoing::reply(Ok(Response::new(full(body.len().to_string()))), hop()).await?;
            let Outbound::Whole(reply) = reply else { panic!("it is small") };
            Ok(Taken::Elsewhere(Inbound::complete(reply, hop())))
        }
    }

    async fn asked(prefers: bool, reads: usize, body: Body) -> (usize, Result<String, OutgoingError>) {
        let here = Arc::new(Refuses { reads, asked: AtomicUsize::new(0) });
        let client = RemoteOutgoing::new(Scripted { prefers }).beside(Some(here.clone()));
        let request = http::Request::post("http://there/").header("x-a", "1").body(body).unwrap();
        let answer = async {
            let response = client.request(call(), request, OutgoingLimits::default()).await?;
            let body = response.into_body().collect().await.unwrap().to_bytes();
            Ok(String::from_utf8(body.to_vec()).unwrap())
        };
        let answer = answer.await;
        (here.asked.load(Ordering::Relaxed), answer)
    }

    #[test]
    fn a_client_here_that_refuses_is_replaced_with_the_whole_request() {
        run(async {
            for size in [0, 10, 300_000] {
                let body = || body_of(vec![vec![7; size / 2].into(), vec![7; size - size / 2].into()], None);
                for prefers in [true, false] {
                    let (times, answer) = asked(prefers, 0, body()).await;
                    assert_eq!((times, answer.unwrap()), (1, size.to_string()), "{prefers}");
                }
            }
            // Chosen and not preferred it was offered the request, which is kept as far as it has read.
            let (_, answer) = asked(false, 1, body_of(vec![vec![7; 300_000].into()], None)).await;
            assert_eq!(answer.unwrap(), "300000");
            // Preferred, it was given the request itself: what it read is gone.
            let (times, answer) = asked(true, 1, full("abc")).await;
            assert!(matches!(answer, Err(OutgoingError::Call(error)) if error.reason == "stopping"));
            assert_eq!(times, 1);
        });
    }
}
