//! A request that may be offered to several hosts, one after the other, until one takes it.
//!
//! A host that refuses has read no more than the first piece; so that much is kept, and no more: bodies of any size pass
//! through without being held.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use lattice_core::{CallError, ErrorCode, Hop};

use super::Pieces;
use crate::Outbound;

/// How much is kept to be offered again: more than a first piece and its window hold.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// A request's bytes.
pub struct Offer(Kind);

enum Kind {
    Whole(Bytes),
    Stream(Arc<Mutex<Shared>>),
}

/// What all who were offered the request share.
struct Shared {
    rest: Pieces,
    /// What has been read already, and how much of it is no longer kept.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    forgotten: usize,
    keeps: bool,
    /// How far the last one has read.
    read: usize,
    hop: Hop,
}

impl Offer {
    /// A request that is there as a whole.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// A request that comes as it is pulled. `hop` is who says so where it cannot be offered again.
    pub(super) fn stream(rest: Pieces, hop: Hop) -> Self {
        let kept = VecDeque::new();
        let shared = Shared { rest, kept, kept_bytes: 0, forgotten: 0, keeps: true, read: 0, hop };
        Self(Kind::Stream(Arc::new(Mutex::new(shared))))
    }

    /// The request from its beginning, for this process itself; as [`Offer::outbound`].
    pub(super) fn pieces(&self) -> Pieces {
        match self.outbound() {
            Outbound::Whole(bytes) => Box::pin(stream::iter([Ok(bytes)])),
            Outbound::Stream(pieces) => pieces,
        }
    }

    /// The request from its beginning. Of several that were given out only the last may be read.
    #[must_use]
    pub fn outbound(&self) -> Outbound {
        match &self.0 {
            Kind::Whole(bytes) => Outbound::Whole(bytes.clone()),
            Kind::Stream(shared) => {
                shared.lock().unwrap_or_else(PoisonError::into_inner).read = 0;
                Outbound::Stream(Box::pin(Offered { shared: shared.clone(), at: 0 }))
            }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // Somebody took it, or nobody will: there is no other offer.
        if let Kind::Stream(shared) = &self.0 {
            shared.lock().unwrap_or_else(PoisonError::into_inner).settle();
        }
    }
}

impl Shared {
    /// Nobody else will read from the beginning: what the last one has read is kept no longer, nor what he reads from now on.
    fn settle(&mut self) {
        self.keeps = false;
        self.trim();
    }

    fn trim(&mut self) {
        while self.forgotten < self.read && self.kept.pop_front().is_some() {
            self.forgotten += 1;
        }
        if self.kept.is_empty() {
            self.forgotten = self.forgotten.max(self.read);
        }
    }

    fn keep(&mut self, bytes: &Bytes) {
        self.kept_bytes += bytes.len();
        if self.keeps && self.kept_bytes <= KEPT_BYTES_MAX {
            self.kept.push_back(bytes.clone());
        } else {
            self.keeps = false;
            self.kept.clear();
        }
    }
}

/// The request, as one of those it was offered to reads it.
struct Offered {
    shared: Arc<Mutex<Shared>>,
    at: usize,
}

impl Stream for Offered {
    type Item = Result<Bytes, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut shared = this.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = this.at.checked_sub(shared.forgotten) else {
            let reason = "too much of the request was read to be offered to another host";
            let error = CallError::new(shared.hop.clone(), ErrorCode::Unreachable, reason);
            return Poll::Ready(Some(Err(error)));
        };
        let next = match shared.kept.get(at) {
            Some(bytes) => Some(Ok(bytes.clone())),
            None => {
                let next = ready!(shared.rest.poll_next_unpin(cx));
                if let Some(Ok(bytes)) = &next {
                    shared.keep(bytes);
                }
                next
            }
        };
        this.at += 1;
        shared.read = this.at;
        if !shared.keeps {
            shared.trim();
        }
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn read(outbound: Outbound, most: usize) -> Result<Vec<u8>, CallError> {
        let Outbound::Stream(stream) = outbound else { panic!("no stream") };
        let read = stream.take(most).collect::<Vec<_>>().now_or_never().unwrap();
        Ok(read.into_iter().collect::<Result<Vec<Bytes>, _>>()?.concat())
    }

    fn numbers(count: usize, bytes: usize) -> Offer {
        let hop = Hop::Actor("a".parse().unwrap());
        let pieces = (0..count).map(move |number| Ok(Bytes::from(vec![number as u8; bytes])));
        Offer::stream(Box::pin(stream::iter(pieces)), hop)
    }

    #[test]
    fn who_is_asked_second_reads_it_from_the_beginning() {
        let offer = numbers(4, 1);
        assert_eq!(read(offer.outbound(), 2).unwrap(), [0, 1]);
        assert_eq!(read(offer.outbound(), 3).unwrap(), [0, 1, 2]);
        assert_eq!(read(offer.outbound(), 9).unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn what_was_taken_is_not_kept() {
        let offer = numbers(8, 256 * 1024);
        let taken = offer.outbound();
        drop(offer);
        let Outbound::Stream(stream) = taken else { panic!("no stream") };
        assert_eq!(stream.count().now_or_never(), Some(8));
    }

    #[test]
    fn what_others_read_of_it_and_refused_is_there_for_this_process() {
        let offer = numbers(4, 1);
        assert_eq!(read(offer.outbound(), 3).unwrap(), [0, 1, 2]);
        let back = Outbound::Stream(offer.pieces());
        drop(offer);
        assert_eq!(read(back, 9).unwrap(), [0, 1, 2, 3]);

        // Settled in the middle of it.
        let offer = numbers(4, 1);
        assert_eq!(read(offer.outbound(), 3).unwrap(), [0, 1, 2]);
        let mut back = offer.pieces();
        assert_eq!(back.next().now_or_never().unwrap().unwrap().unwrap()[0], 0);
        drop(offer);
        assert_eq!(read(Outbound::Stream(back), 9).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_long_one_is_offered_no_second_time_rather_than_kept() {
        let offer = numbers(8, 256 * 1024);
        assert_eq!(read(offer.outbound(), 8).unwrap().len(), 2 << 20);
        let error = read(offer.outbound(), 1).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unreachable);
    }
}
