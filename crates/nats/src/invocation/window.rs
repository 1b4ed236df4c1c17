//! Streams of bytes cut into pieces: absolute offsets and credit.
//!
//! Pure: what comes in is data, what is decided comes out.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// What may be on the way in one direction of one call, in bytes.
pub(crate) const WINDOW: u64 = 256 * 1024;
/// From so many pieces in a queue on small ones are put together.
const PIECES_APART: usize = 64;
/// What is put together grows to at most this, in bytes.
const TOGETHER_MAX: usize = 4096;

/// A stream that is being sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outgoing {
    sent: u64,
    credit: u64,
    ended: bool,
}

impl Outgoing {
    /// A stream whose first `credit` bytes may be sent.
    pub(crate) fn new(credit: u64) -> Self {
        Self { sent: 0, credit, ended: false }
    }

    /// How many bytes were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// True when its end was sent.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes may be sent now.
    pub(crate) fn room(&self) -> u64 {
        self.credit.saturating_sub(self.sent)
    }

    /// Takes a credit; one that is repeated or late changes nothing. True if there is more room than before.
    pub(crate) fn grant(&mut self, credit: u64) -> bool {
        let more = credit > self.credit;
        self.credit = self.credit.max(credit);
        more
    }

    /// Notes a piece as sent; its offset.
    pub(crate) fn send(&mut self, bytes: u64, fin: bool) -> u64 {
        let offset = self.sent;
        self.sent += bytes;
        self.ended |= fin;
        offset
    }
}

/// How a piece does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Breach {
    /// Something before it was lost.
    #[error("a piece is missing: byte {expected} was due, and {found} came")]
    Gap {
        /// The offset that was due.
        expected: u64,
        /// The offset that came.
        found: u64,
    },
    /// It is more than was granted.
    #[error("a piece ends at byte {end}, and only {credit} were granted")]
    BeyondCredit {
        /// Where the piece ends.
        end: u64,
        /// What was granted.
        credit: u64,
    },
    /// The stream had ended.
    #[error("a piece ends at byte {end}, and the stream ends at {at}")]
    BeyondEnd {
        /// Where the piece ends.
        end: u64,
        /// Where the stream ends.
        at: u64,
    },
    /// It repeats some of what was there, and goes on.
    #[error("a piece starts at byte {found} and goes past {expected}, where the next one was due")]
    HalfRepeated {
        /// The offset that was due.
        expected: u64,
        /// The offset that came.
        found: u64,
    },
}

/// A stream that is being received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Incoming {
    received: u64,
    taken: u64,
    granted: u64,
    window: u64,
    ended: bool,
    abandoned: bool,
    queue: VecDeque<Bytes>,
}

impl Incoming {
    /// A stream of which `bytes` came, and no more will; they are not in here.
    pub(crate) fn whole(bytes: u64) -> Self {
        Self { received: bytes, taken: bytes, granted: bytes, ended: true, ..Self::default() }
    }

    /// A stream whose first `granted` bytes may come at once, and whose reader grants `window` beyond what it has taken.
    pub(crate) fn new(granted: u64, window: u64) -> Self {
        Self { granted, window, ..Self::default() }
    }

    /// True when everything has come.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// True when everything has come and was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.queue.is_empty()
    }

    /// True where something can be taken.
    pub(crate) fn is_ready(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Up to where the other side may send.
    pub(crate) fn granted(&self) -> u64 {
        self.granted
    }

    /// The present window, in bytes.
    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    /// Makes the window wider from the next credit on.
    pub(crate) fn widen(&mut self, bytes: u64) {
        self.window += bytes;
    }

    /// Takes a piece. True if it brought anything new; a repeated one does not.
    ///
    /// # Errors
    /// [`Breach`] when it does not fit; nothing is taken then.
    pub(crate) fn accept(&mut self, offset: u64, body: Bytes, fin: bool) -> Result<bool, Breach> {
        let (expected, end) = (self.received, offset.saturating_add(body.len() as u64));
        if end <= expected {
            return self.accept_end(end, fin);
        }
        if self.ended {
            return Err(Breach::BeyondEnd { end, at: expected });
        }
        if offset > expected {
            return Err(Breach::Gap { expected, found: offset });
        }
        if offset < expected {
            return Err(Breach::HalfRepeated { expected, found: offset });
        }
        if end > self.granted {
            return Err(Breach::BeyondCredit { end, credit: self.granted });
        }
        self.received = end;
        self.ended = fin;
        if self.abandoned {
            self.taken = end;
        } else {
            self.push(body);
        }
        Ok(true)
    }

    /// The other side says how much it has sent, and whether that was all.
    ///
    /// # Errors
    /// [`Breach::Gap`] when something did not arrive.
    pub(crate) fn told(&mut self, sent: u64, fin: bool) -> Result<bool, Breach> {
        if sent > self.received {
            return Err(Breach::Gap { expected: self.received, found: sent });
        }
        if sent == self.received { self.accept_end(sent, fin) } else { Ok(false) }
    }

    /// What needs no bytes: a repeated piece, or the end alone.
    fn accept_end(&mut self, end: u64, fin: bool) -> Result<bool, Breach> {
        if !fin || (self.ended && end == self.received) {
            return Ok(false);
        }
        if end < self.received {
            return Err(Breach::BeyondEnd { end: self.received, at: end });
        }
        self.ended = true;
        Ok(true)
    }

    fn push(&mut self, body: Bytes) {
        let crowded = self.queue.len() >= PIECES_APART;
        match self.queue.back_mut() {
            Some(last) if crowded && last.len() + body.len() <= TOGETHER_MAX => {
                let mut together = BytesMut::with_capacity(last.len() + body.len());
                together.extend_from_slice(last);
                together.extend_from_slice(&body);
                *last = together.freeze();
            }
            _ => self.queue.push_back(body),
        }
    }

    /// Takes what has come next.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let body = self.queue.pop_front()?;
        self.taken += body.len() as u64;
        Some(body)
    }

    /// Puts back what was just taken.
    pub(crate) fn put_back(&mut self, body: Bytes) {
        self.taken -= body.len() as u64;
        self.queue.push_front(body);
    }

    /// Nobody will take any more: what comes is dropped, and nothing further is granted.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
        self.queue.clear();
        self.taken = self.received;
    }

    /// The credit that is due: when half of the window was taken, or when the reader waits and the other side may not
    /// send. It counts as granted.
    pub(crate) fn credit_due(&mut self, reader_waits: bool) -> Option<u64> {
        let want = self.taken + self.window;
        if self.ended || self.abandoned || want <= self.granted {
            return None;
        }
        let half = want - self.granted >= self.window.div_ceil(2);
        let stopped = reader_waits && self.received == self.granted;
        (half || stopped).then(|| {
            self.granted = want;
            want
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    #[test]
    fn pieces_that_fit_and_that_do_not() {
        let mut stream = Incoming::new(10, 10);
        assert_eq!(stream.accept(0, bytes(4), false), Ok(true));
        assert_eq!(stream.accept(0, bytes(4), false), Ok(false), "repeated");
        assert_eq!(stream.accept(5, bytes(1), false), Err(Breach::Gap { expected: 4, found: 5 }));
        assert_eq!(stream.accept(3, bytes(2), false), Err(Breach::HalfRepeated { expected: 4, found: 3 }));
        assert_eq!(stream.accept(4, bytes(7), false), Err(Breach::BeyondCredit { end: 11, credit: 10 }));
        assert_eq!(
            stream.accept(u64::MAX, bytes(7), false),
            Err(Breach::Gap { expected: 4, found: u64::MAX })
        );
        assert_eq!(stream.accept(2, bytes(1), true), Err(Breach::BeyondEnd { end: 4, at: 3 }));
        assert_eq!(stream.accept(4, bytes(2), true), Ok(true));
        assert_eq!(stream.accept(4, bytes(2), true), Ok(false), "repeated");
        assert_eq!(stream.accept(6, bytes(1), false), Err(Breach::BeyondEnd { end: 7, at: 6 }));
        assert_eq!((stream.take(), stream.take(), stream.take()), (Some(bytes(4)), Some(bytes(2)), None));
        assert!(stream.is_done());
    }

    #[test]
    fn what_a_sign_of_life_tells() {
        let mut stream = Incoming::new(10, 10);
        stream.accept(0, bytes(4), false).unwrap();
        assert_eq!(stream.told(3, false), Ok(false), "older than the last piece");
        assert_eq!(stream.told(5, false), Err(Breach::Gap { expected: 4, found: 5 }));
        assert_eq!(stream.told(4, true), Ok(true), "only the end was lost, and that is mended");
        assert!(stream.ended());
    }

    #[test]
    fn credit_comes_by_halves_or_when_somebody_waits() {
        let mut stream = Incoming::new(10, 10);
        assert_eq!(stream.credit_due(true), None, "the other side may still send");
        stream.accept(0, bytes(10), false).unwrap();
        assert_eq!(stream.credit_due(true), None, "nothing was taken");
        stream.take();
        assert_eq!(stream.credit_due(false), Some(20));
        assert_eq!(stream.credit_due(true), None, "once");
        let mut first = Incoming::new(4, 10);
        first.accept(0, bytes(4), false).unwrap();
        assert_eq!(first.credit_due(false), Some(10));
        stream.abandon();
        stream.accept(10, bytes(10), false).unwrap();
        assert_eq!((stream.credit_due(true), stream.take()), (None, None), "nobody reads");
    }

    #[test]
    fn many_small_pieces_take_little_room() {
        let mut stream = Incoming::new(WINDOW, WINDOW);
        for offset in 0..WINDOW {
            stream.accept(offset, bytes(1), false).unwrap();
        }
        assert!(stream.queue.len() <= PIECES_APART + 1 + WINDOW as usize / (TOGETHER_MAX / 2));
        let all: usize = std::iter::from_fn(|| stream.take()).map(|b| b.len()).sum();
        assert_eq!(all as u64, WINDOW);
    }

    proptest! {
        /// However pieces are lost, repeated and swapped: what was taken is a beginning of what was sent.
        #[test]
        fn bytes_come_once_and_in_order(
            cuts in proptest::collection::vec(1usize..40, 1..20),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 1..60),
        ) {
            let all: Vec<u8> = (0..cuts.iter().sum()).map(|n: usize| n as u8).collect();
            let mut pieces = Vec::new();
            let mut outgoing = Outgoing::new(all.len() as u64);
            for (n, len) in cuts.iter().enumerate() {
                let fin = n + 1 == cuts.len();
                let offset = outgoing.send(*len as u64, fin) as usize;
                pieces.push((offset, Bytes::copy_from_slice(&all[offset..offset + len]), fin));
            }
            let mut incoming = Incoming::new(all.len() as u64, WINDOW);
            let mut taken = Vec::new();
            for index in order {
                let (offset, body, fin) = index.get(&pieces).clone();
                let _ = incoming.accept(offset as u64, body, fin);
                taken.extend(incoming.take().into_iter().flatten());
            }
            prop_assert!(all.starts_with(&taken));
            prop_assert_eq!(incoming.is_done(), taken.len() == all.len());
        }
    }
}
