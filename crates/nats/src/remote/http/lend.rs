//! A body that is given away, and can be had back for as long as nobody has read from it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::SizeHint;
use http_body_util::BodyExt as _;
use lattice_contracts::http::{Body, BodyError, PolledFrame};

struct State {
    /// None once it was taken back.
    body: Option<Body>,
    is_read: bool,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The owner's side.
pub(super) struct Lender(Arc<Mutex<State>>);

/// What somebody else reads.
struct Lent(Arc<Mutex<State>>);

/// Gives `body` away.
pub(super) fn lend(body: Body) -> (Body, Lender) {
    let state = Arc::new(Mutex::new(State { body: Some(body), is_read: false }));
    (Lent(state.clone()).boxed_unsync(), Lender(state))
}

impl Lender {
    /// The body, whole; none if anybody has read from it. Whoever it was lent to then reads an empty one.
    pub(super) fn take_back(self) -> Option<Body> {
        let mut state = lock(&self.0);
        if state.is_read { None } else { state.body.take() }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let mut state = lock(&self.0);
        state.is_read = true;
        match &mut state.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use http_body::Body as _;
    use lattice_contracts::http::full;

    use super::*;

    #[test]
    fn it_comes_back_unless_somebody_read_from_it() {
        let (lent, lender) = lend(full("abc"));
        assert_eq!((lent.is_end_stream(), lent.size_hint().exact()), (false, Some(3)));
        let back = lender.take_back().unwrap();
        assert!(
            lent.is_end_stream() && lent.collect().now_or_never().unwrap().unwrap().to_bytes().is_empty()
        );
        assert_eq!(back.collect().now_or_never().unwrap().unwrap().to_bytes(), "abc");

        let (mut lent, lender) = lend(full("abc"));
        let read = lent.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(read.into_data().unwrap(), "abc");
        assert!(lender.take_back().is_none());
    }
}
