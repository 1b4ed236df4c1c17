//! Cuts what is to be sent into pieces: as large as may be of what is there, without waiting for more than that.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use lattice_core::CallError;

use super::Outbound;

/// A piece to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) body: Bytes,
    /// Nothing follows.
    pub(crate) fin: bool,
}

type Source = Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>;

/// What is to be sent, in parts that have come and in such that will.
pub(crate) struct Pieces {
    held: VecDeque<Bytes>,
    bytes: usize,
    source: Option<Source>,
    done: bool,
}

impl Pieces {
    pub(crate) fn new(outbound: Outbound) -> Self {
        match outbound {
            Outbound::Whole(body) => {
                let bytes = body.len();
                let held = if bytes == 0 { VecDeque::new() } else { VecDeque::from([body]) };
                Self { held, bytes, source: None, done: false }
            }
            Outbound::Stream(source) => {
                Self { held: VecDeque::new(), bytes: 0, source: Some(source), done: false }
            }
        }
    }

    /// True when the last piece was given out.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The next piece, of at most `max` bytes; with a `max` of 0 only the end alone.
    ///
    /// # Errors
    /// Whatever makes the stream failed; nothing more comes.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Piece, CallError>> {
        // One look further than `max`, to know whether this is the last piece.
        while self.bytes <= max
            && let Some(source) = &mut self.source
        {
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(part))) if part.is_empty() => {}
                Poll::Ready(Some(Ok(part))) => {
                    self.bytes += part.len();
                    self.held.push_back(part);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.source = None;
                    self.done = true;
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(None) => self.source = None,
                Poll::Pending => break,
            }
        }
        if self.bytes == 0 && self.source.is_some() || self.bytes > 0 && max == 0 {
            return Poll::Pending;
        }
        let body = self.cut(max);
        self.done = self.bytes == 0 && self.source.is_none();
        Poll::Ready(Ok(Piece { body, fin: self.done }))
    }

    fn cut(&mut self, max: usize) -> Bytes {
        let len = self.bytes.min(max);
        self.bytes -= len;
        match self.held.front_mut() {
            None => Bytes::new(),
            Some(first) if first.len() > len => first.split_to(len),
            Some(first) if first.len() == len => self.held.pop_front().unwrap_or_default(),
            Some(_) => {
                let mut together = BytesMut::with_capacity(len);
                while together.len() < len
                    && let Some(part) = self.held.front_mut()
                {
                    let some = part.split_to(part.len().min(len - together.len()));
                    together.extend_from_slice(&some);
                    if part.is_empty() {
                        self.held.pop_front();
                    }
                }
                together.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use lattice_core::{ErrorCode, Hop, ProviderId};
    use proptest::prelude::*;

    use super::*;

    fn next(pieces: &mut Pieces, max: usize) -> Poll<Result<Piece, CallError>> {
        pieces.poll_piece(&mut Context::from_waker(futures::task::noop_waker_ref()), max)
    }

    fn piece(body: &'static str, fin: bool) -> Poll<Result<Piece, CallError>> {
        Poll::Ready(Ok(Piece { body: Bytes::from_static(body.as_bytes()), fin }))
    }

    fn streamed(parts: &[&'static str]) -> stream::Iter<std::vec::IntoIter<Result<Bytes, CallError>>> {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
        stream::iter(parts)
    }

    #[test]
    fn what_is_there_goes_together_and_the_last_piece_knows_it() {
        let mut nothing = Pieces::new(Outbound::Whole(Bytes::new()));
        assert_eq!(next(&mut nothing, 10), piece("", true));
        let mut whole = Pieces::new(Outbound::Whole(Bytes::from_static(b"abcd")));
        assert_eq!(next(&mut whole, 0), Poll::Pending);
        assert_eq!(next(&mut whole, 3), piece("abc", false));
        assert_eq!(next(&mut whole, 3), piece("d", true));
        let mut ready = Pieces::new(Outbound::Stream(Box::pin(streamed(&["a", "", "bc", "def"]))));
        assert_eq!(next(&mut ready, 4), piece("abcd", false));
        assert_eq!(next(&mut ready, 4), piece("ef", true));
        let mut fitting = Pieces::new(Outbound::Stream(Box::pin(streamed(&["ab", "cd"]))));
        assert_eq!(next(&mut fitting, 4), piece("abcd", true));
        let slow = streamed(&["ab"]).chain(stream::pending());
        let mut slow = Pieces::new(Outbound::Stream(Box::pin(slow)));
        assert_eq!(next(&mut slow, 4), piece("ab", false));
        assert_eq!(next(&mut slow, 4), Poll::Pending);
    }

    #[test]
    fn a_stream_that_fails_ends() {
        let error = CallError::new(Hop::Provider(ProviderId::new("p").unwrap()), ErrorCode::Backend, "gone");
        let failing = streamed(&["ab"]).chain(stream::iter([Err(error.clone())]));
        let mut failing = Pieces::new(Outbound::Stream(Box::pin(failing)));
        assert_eq!(next(&mut failing, 4), Poll::Ready(Err(error)));
        assert!(failing.is_done());
    }

    proptest! {
        #[test]
        fn cutting_loses_nothing(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..20),
            max in 1usize..50,
        ) {
            let all: Vec<u8> = parts.concat();
            let source = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part))).collect::<Vec<_>>());
            let mut pieces = Pieces::new(Outbound::Stream(Box::pin(source)));
            let mut seen = Vec::new();
            while !pieces.is_done() {
                let Poll::Ready(Ok(piece)) = next(&mut pieces, max) else { panic!("all is there") };
                prop_assert!(piece.body.len() <= max);
                prop_assert!(piece.fin || piece.body.len() == max, "full but for the last");
                seen.extend_from_slice(&piece.body);
            }
            prop_assert_eq!(seen, all);
        }
    }
}
