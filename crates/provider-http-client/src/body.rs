//! The response's body on its way to the guest: held to its size and to its times.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::SizeHint;
use hyper::body::Incoming;
use lattice_contracts::http::{Allowance, BodyError, PolledFrame};
use lattice_core::{CallError, ErrorCode, Hop};
use tokio::time::{Instant, Sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A response's body.
pub(crate) struct Received {
    pub(crate) body: Incoming,
    pub(crate) allowance: Allowance,
    /// Longest silence.
    pub(crate) between: Duration,
    /// When the whole call ends.
    pub(crate) deadline: Instant,
    pub(crate) hop: Hop,
    /// Made when the body first keeps the guest waiting.
    pub(crate) silence: Option<Pin<Box<Sleep>>>,
    pub(crate) over: bool,
    /// Keeps the provider from ending while a body is read.
    pub(crate) _counted: TaskTrackerToken,
}

impl Received {
    fn silent(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        let until = || self.deadline.min(Instant::now() + self.between);
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until())));
        std::task::ready!(silence.as_mut().poll(cx));
        let reason = match Instant::now() >= self.deadline {
            true => "the response body was not complete within the call's deadline".to_owned(),
            false => format!("nothing more of the response body came for {} ms", self.between.as_millis()),
        };
        Poll::Ready(CallError::new(self.hop.clone(), ErrorCode::Deadline, reason))
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let polled = match this.allowance.allows(this.body.size_hint().lower()) {
            Err(error) => Poll::Ready(Some(Err(error))),
            Ok(()) => Pin::new(&mut this.body)
                .poll_frame(cx)
                .map_err(|error| BodyError::Connection(error.to_string())),
        };
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => Some(Err(std::task::ready!(this.silent(cx)).into())),
        };
        this.silence = None;
        let frame = frame.map(|frame| {
            let frame = frame?;
            this.allowance.take(&frame)?;
            Ok(frame)
        });
        this.over = matches!(frame, None | Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
