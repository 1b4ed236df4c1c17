//! What both sides of a call have: a stream each way, when the other was heard last, and how it ended.
//!
//! Pure, as are [`Caller`](super::caller::Caller) and [`Callee`](super::callee::Callee), which hold one each: events and
//! the time come in, notes to send come out.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    failure::Failure,
    header::Header,
    window::{Breach, Incoming, Outgoing},
};

/// After so long without having sent anything a side says that it lives.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// After so long without anything the other side counts as gone.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A message without a body of the call's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// The other side may send up to there.
    Credit(u64),
    /// A sign of life, with all that the other side should know.
    Alive {
        /// Bytes sent so far.
        sent: u64,
        /// The end was sent.
        fin: bool,
        /// Up to where the other side may send.
        credit: u64,
    },
    /// The caller gives up.
    Cancel,
    /// The callee failed.
    Error(Failure),
}

/// One side's view of a call.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// What this side sends.
    pub(crate) outgoing: Outgoing,
    /// What it receives.
    pub(crate) incoming: Incoming,
    /// When anything came from the other side, or waiting for it began.
    pub(crate) heard: Instant,
    /// When anything was sent to it.
    pub(crate) said: Instant,
    end: Option<Result<(), Failure>>,
}

impl Exchange {
    pub(crate) fn new(now: Instant, outgoing: Outgoing, incoming: Incoming) -> Self {
        Self { outgoing, incoming, heard: now, said: now, end: None }
    }

    /// How it ended, if it has; what came before can still be taken.
    pub(crate) fn end(&self) -> Option<&Result<(), Failure>> {
        self.end.as_ref()
    }

    /// Ends it; the first end counts. True if this was it.
    pub(crate) fn finish(&mut self, end: Result<(), Failure>) -> bool {
        let first = self.end.is_none();
        self.end.get_or_insert(end);
        first
    }

    /// Takes what any message may carry, and its piece.
    pub(crate) fn piece(&mut self, header: &Header<'_>, body: Bytes) -> Result<(), Breach> {
        self.incoming.accept(header.offset, body, header.fin).map(drop)
    }

    /// Takes a sign of life.
    pub(crate) fn told(&mut self, header: &Header<'_>) -> Result<(), Breach> {
        self.incoming.told(header.offset, header.fin).map(drop)
    }

    /// True if nothing was sent for so long that a sign of life is due.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.said) >= ALIVE_EVERY
    }

    /// True if nothing came for so long that the other side counts as gone.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= SILENCE
    }

    /// The sign of life of now.
    pub(crate) fn alive(&mut self, now: Instant) -> Note {
        self.said = now;
        let (sent, fin) = (self.outgoing.sent(), self.outgoing.ended());
        Note::Alive { sent, fin, credit: self.incoming.granted() }
    }

    /// The credit that is due; see [`Incoming::credit_due`].
    pub(crate) fn credit(&mut self, now: Instant, reader_waits: bool) -> Option<Note> {
        if self.end.is_some() {
            return None;
        }
        let credit = self.incoming.credit_due(reader_waits)?;
        self.said = now;
        Some(Note::Credit(credit))
    }
}
