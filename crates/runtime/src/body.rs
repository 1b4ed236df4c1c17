//! The response body of a guest: what the client reads, and how guest and client learn of each other's end.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use lattice_contracts::http::{Body, BodyError, empty, full};
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

/// Says that the client has what it wanted, so that its going away breaks nothing off.
pub(crate) struct Satisfied;

/// The guest's side of a body: where it tells of a failure, and learns that nobody reads on.
pub(crate) struct GuestSide {
    pub(crate) failure: oneshot::Sender<CallError>,
    pub(crate) client: oneshot::Receiver<Satisfied>,
}

/// A body that a guest is still making.
struct Streamed {
    // Dropped first: the guest's task hears that nobody reads on before the guest does.
    client: Option<oneshot::Sender<Satisfied>>,
    inner: HyperOutgoingBody,
    actor: ActorId,
    failure: oneshot::Receiver<CallError>,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
    ended: bool,
}

/// A body for the client, whose guest is still running.
///
/// `head` and `method` tell whether a client reads a body at all; one that reads none is not gone.
pub(crate) fn streamed(
    actor: &ActorId,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    inner: HyperOutgoingBody,
) -> (Body, GuestSide) {
    let (failed, failure) = oneshot::channel();
    let (client, gone) = oneshot::channel();
    let left = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body =
        Streamed { inner, actor: actor.clone(), failure, client: Some(client), left, ended: false };
    let bodiless = *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT);
    if bodiless || left == Some(0) {
        body.satisfied();
    }
    (body.boxed_unsync(), GuestSide { failure: failed, client: gone })
}

impl Streamed {
    fn satisfied(&mut self) {
        if let Some(client) = self.client.take() {
            // The guest may have ended meanwhile; then nobody waits for this.
            let _ = client.send(Satisfied);
        }
    }

    fn fail(&mut self, error: CallError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.ended = true;
        Poll::Ready(Some(Err(BodyError::Call(error))))
    }

    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.ended = true;
        self.satisfied();
        Poll::Ready(None)
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
                    *left = left.saturating_sub(data.remaining() as u64);
                }
                // A server drops a body of known length as soon as it has all of it, without asking for its end.
                if self.left == Some(0) || frame.is_trailers() {
                    self.satisfied();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = self.failure.try_recv().unwrap_or_else(|_| gave_up(&self.actor, &error));
                self.fail(error)
            }
            // A store that is dropped ends its bodies as if they were complete. Whoever drops one because of a failure
            // tells of it first, so it is known here by now.
            Poll::Ready(None) => match self.failure.try_recv() {
                Ok(failure) if self.left != Some(0) => self.fail(failure),
                _ => self.end(),
            },
            Poll::Pending => match std::task::ready!(Pin::new(&mut self.failure).poll(cx)) {
                Ok(failure) => self.fail(failure),
                // The guest has ended well. An instance that is kept may hold a body open that it forgot to finish.
                Err(_ended) => match Pin::new(&mut self.inner).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                    Poll::Ready(Some(Err(error))) => {
                        let error = gave_up(&self.actor, &error);
                        self.fail(error)
                    }
                    Poll::Ready(None) | Poll::Pending => self.end(),
                },
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// The body of a guest that has ended well. What it left is at hand, so a short one gets a known length.
pub(crate) fn finished(actor: &ActorId, mut inner: HyperOutgoingBody) -> Body {
    let mut cx = Context::from_waker(Waker::noop());
    let mut front = VecDeque::new();
    // The channel between guest and body holds two chunks, the end and trailers come after.
    while front.len() < 4 {
        match Pin::new(&mut inner).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => front.push_back(frame),
            // Pending: it forgot to finish the body, which ends with it.
            Poll::Ready(None) | Poll::Pending if front.is_empty() => return empty(),
            Poll::Ready(None) | Poll::Pending if front.len() == 1 && front[0].is_data() => {
                let frame = front.pop_front().and_then(|frame| frame.into_data().ok());
                return full(frame.unwrap_or_default());
            }
            Poll::Ready(None) | Poll::Pending => break,
            Poll::Ready(Some(Err(error))) => {
                return Left { front, failure: Some(gave_up(actor, &error)) }.boxed_unsync();
            }
        }
    }
    Left { front, failure: None }.boxed_unsync()
}

fn gave_up(actor: &ActorId, error: &Error) -> CallError {
    let reason = format!("the actor gave its response body up before the end: {error}");
    CallError::new(Hop::Actor(actor.clone()), ErrorCode::Protocol, reason)
}

/// What a guest left in its body.
struct Left {
    front: VecDeque<Frame<Bytes>>,
    failure: Option<CallError>,
}

impl http_body::Body for Left {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.front.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        Poll::Ready(self.failure.take().map(|failure| Err(BodyError::Call(failure))))
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_empty() && self.failure.is_none()
    }
}
