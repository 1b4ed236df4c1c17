//! Bodies on their way: the request's, held to its limit, and the response's, which keeps its exchange counted.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lattice_contracts::http::{Allowance, Body, BodyError, PolledFrame, empty};

use crate::connection::Exchange;

/// Set when a request's body turned out longer than allowed.
pub(crate) type Overrun = Arc<AtomicBool>;

/// The body as an actor reads it. `None` beside it where its length is known to keep to the limit.
pub(crate) fn of_request(body: Incoming, limit: u64) -> (Body, Option<Overrun>) {
    if body.is_end_stream() {
        return (empty(), None);
    }
    if body.size_hint().exact().is_some() {
        // hyper lets no more through than was announced, and what was announced has been compared with the limit.
        return (body.map_err(broken).boxed_unsync(), None);
    }
    let overrun = Overrun::default();
    let held = Held { body, allowance: Allowance::new(limit), overrun: overrun.clone() };
    (held.boxed_unsync(), Some(overrun))
}

fn broken(error: hyper::Error) -> BodyError {
    BodyError::Connection(error.to_string())
}

struct Held {
    body: Incoming,
    allowance: Allowance,
    overrun: Overrun,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = self.get_mut();
        if this.overrun.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(broken)?;
        if let Err(error) = this.allowance.take(&frame) {
            this.overrun.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The body as the client gets it; the exchange counts as served until it is dropped.
pub(crate) struct Answer {
    body: Body,
    _exchange: Exchange,
}

impl Answer {
    pub(crate) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let frame = ready!(Pin::new(&mut self.get_mut().body).poll_frame(cx));
        if let Some(Err(error)) = &frame {
            tracing::debug!(%error, "a response broke off");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
