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
use lattice_contracts::http::{Body, BodyError, PolledFrame, empty, full};
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

use crate::engine::EngineKind;

/// Says that the client has what it wanted, so that its going away breaks nothing off.
pub(crate) struct Satisfied;

/// The guest's side of a body: where it tells how it ended, and learns that nobody reads on.
pub(crate) struct GuestSide {
    /// Dropped without a word, it tells of a failure of the runtime's own.
    pub(crate) end: oneshot::Sender<Result<(), CallError>>,
    pub(crate) client: oneshot::Receiver<Satisfied>,
}

/// A body that a guest is still making.
struct Streamed {
    // Dropped first: the guest's task hears that nobody reads on before the guest does.
    client: Option<oneshot::Sender<Satisfied>>,
    inner: HyperOutgoingBody,
    actor: ActorId,
    kind: EngineKind,
    guest: oneshot::Receiver<Result<(), CallError>>,
    /// The guest has ended, and well.
    guest_ended: bool,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
    ended: bool,
}

/// A body for the client, whose guest is still running.
///
/// `head` and `method` tell whether a client reads a body at all; one that reads none is not gone.
pub(crate) fn streamed(
    actor: &ActorId,
    kind: EngineKind,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    inner: HyperOutgoingBody,
) -> (Body, GuestSide) {
    let (end, guest) = oneshot::channel();
    let (client, gone) = oneshot::channel();
    let left = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Streamed {
        inner,
        actor: actor.clone(),
        kind,
        guest,
        guest_ended: false,
        client: Some(client),
        left,
        ended: false,
    };
    let bodiless = *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT);
    if bodiless || left == Some(0) {
        body.satisfied();
    }
    (body.boxed_unsync(), GuestSide { end, client: gone })
}

impl Streamed {
    fn satisfied(&mut self) {
        if let Some(client) = self.client.take() {
            // The guest may have ended meanwhile; then nobody waits for this.
            let _ = client.send(Satisfied);
        }
    }

    /// What the guest has told of its end so far; nothing is well.
    fn told(&mut self) -> Result<(), CallError> {
        if self.guest_ended {
            return Ok(());
        }
        match self.guest.try_recv() {
            Ok(end) => end,
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Closed) => Err(self.runtime_failed()),
        }
    }

    /// Looks whether the guest has ended, when there is nothing to read.
    fn poll_guest(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if !self.guest_ended {
            match std::task::ready!(Pin::new(&mut self.guest).poll(cx)) {
                Ok(Ok(())) => self.guest_ended = true,
                Ok(Err(failure)) => return self.fail(failure),
                Err(_closed) => {
                    let failure = self.runtime_failed();
                    return self.fail(failure);
                }
            }
        }
        // It may have written more just before.
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(error))) => {
                let error = gave_up(&self.actor, &error);
                self.fail(error)
            }
            Poll::Ready(None) => self.end(),
            // An instance of WASI 0.2 that is kept may hold a body open that it forgot to finish. One of 0.3 is gone by
            // now, so its body comes to an end of its own.
            Poll::Pending if self.kind == EngineKind::Main => self.end(),
            Poll::Pending => Poll::Pending,
        }
    }

    fn runtime_failed(&self) -> CallError {
        let reason =
            "the runtime failed while the actor made its response body; the host's log has the cause";
        CallError::new(Hop::Actor(self.actor.clone()), ErrorCode::Trap, reason)
    }

    fn fail(&mut self, error: CallError) -> PolledFrame {
        self.ended = true;
        Poll::Ready(Some(Err(BodyError::Call(error))))
    }

    fn end(&mut self) -> PolledFrame {
        self.ended = true;
        self.satisfied();
        Poll::Ready(None)
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
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
                let error = self.told().err().unwrap_or_else(|| gave_up(&self.actor, &error));
                self.fail(error)
            }
            // A store that is dropped ends its bodies as if they were complete. Whoever drops one because of a failure
            // tells of it first, so it is known here by now.
            Poll::Ready(None) => match self.told() {
                Err(failure) if self.left != Some(0) => self.fail(failure),
                _ => self.end(),
            },
            Poll::Pending => self.poll_guest(cx),
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
pub(crate) fn finished(actor: &ActorId, kind: EngineKind, mut inner: HyperOutgoingBody) -> Body {
    let mut cx = Context::from_waker(Waker::noop());
    let mut front = VecDeque::new();
    let mut failure = None;
    // The channel between guest and body holds two chunks; trailers and the end come after.
    while front.len() < 4 {
        match Pin::new(&mut inner).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => front.push_back(frame),
            Poll::Ready(Some(Err(error))) => {
                failure = Some(gave_up(actor, &error));
                break;
            }
            Poll::Pending if kind == EngineKind::Wasip3 => {
                return Left { front, failure: None, rest: Some((inner, actor.clone())) }.boxed_unsync();
            }
            // Pending: it forgot to finish the body, which ends with it.
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    if failure.is_none() && front.is_empty() {
        return empty();
    }
    if failure.is_none() && front.len() == 1 && front[0].is_data() {
        let data = front.pop_front().and_then(|frame| frame.into_data().ok());
        return full(data.unwrap_or_default());
    }
    Left { front, failure, rest: None }.boxed_unsync()
}

fn gave_up(actor: &ActorId, error: &Error) -> CallError {
    let reason = format!("the actor gave its response body up before the end: {error}");
    CallError::new(Hop::Actor(actor.clone()), ErrorCode::Protocol, reason)
}

/// What a guest left in its body.
struct Left {
    front: VecDeque<Frame<Bytes>>,
    failure: Option<CallError>,
    /// What is still on its way, and from whom.
    rest: Option<(HyperOutgoingBody, ActorId)>,
}

impl http_body::Body for Left {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        if let Some(frame) = self.front.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some((rest, actor)) = &mut self.rest {
            let frame = std::task::ready!(Pin::new(rest).poll_frame(cx));
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| BodyError::Call(gave_up(actor, &error)))),
            );
        }
        Poll::Ready(self.failure.take().map(|failure| Err(BodyError::Call(failure))))
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_empty() && self.failure.is_none() && self.rest.is_none()
    }
}
