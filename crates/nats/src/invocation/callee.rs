//! The callee's side of a call, as a pure state machine: docs/protocol.md has its table.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    exchange::{Exchange, Note, SILENCE},
    failure::Failure,
    header::{Header, Kind},
    window::{Incoming, Outgoing},
};

/// How long past its deadline a call is left to whoever serves it, who can say more about it.
const GRACE: Duration = Duration::from_millis(100);

/// A call that is being served.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) exchange: Exchange,
    deadline: Instant,
    /// The caller was told this side's subject.
    named: bool,
    /// The reply has begun.
    begun: bool,
    /// Somebody else is being asked to take it.
    handing_on: bool,
}

impl Callee {
    /// A call that came now, with its request, and credit for the reply.
    pub(crate) fn new(now: Instant, deadline: Instant, request: Incoming, credit: u64) -> Self {
        let exchange = Exchange::new(now, Outgoing::new(credit), request);
        Self { exchange, deadline, named: false, begun: false, handing_on: false }
    }

    /// Something came from the caller.
    pub(crate) fn message(&mut self, now: Instant, header: &Header<'_>, body: Bytes) -> Option<Note> {
        if self.exchange.end().is_some() {
            return None;
        }
        self.exchange.heard = now;
        if let Some(credit) = header.credit {
            self.exchange.outgoing.grant(credit);
        }
        let fits = match header.kind {
            Kind::More => self.exchange.piece(header, body),
            Kind::Alive => self.exchange.told(header),
            Kind::Cancel | Kind::Error => {
                self.exchange.finish(Err(Failure::Cancelled));
                Ok(())
            }
            Kind::Credit | Kind::Reply | Kind::Call => Ok(()),
        };
        match fits {
            Ok(()) => None,
            Err(breach) => self.fail(Failure::Pieces(breach)),
        }
    }

    /// Time passes. `deaf`: this process did not listen until now.
    pub(crate) fn tick(&mut self, now: Instant, deaf: bool) -> Option<Note> {
        if self.handing_on || self.exchange.end().is_some() {
            return None;
        }
        if deaf {
            self.exchange.heard = now;
        }
        if now >= self.deadline + GRACE {
            return self.fail(Failure::Deadline);
        }
        if self.is_open() && self.exchange.is_silent(now) {
            return self.fail(Failure::Silent(SILENCE));
        }
        self.exchange.is_quiet(now).then(|| {
            self.name(now);
            self.exchange.alive(now)
        })
    }

    /// A piece of the reply leaves.
    pub(crate) fn wrote(&mut self, now: Instant, bytes: u64, fin: bool) {
        if !std::mem::replace(&mut self.begun, true) {
            // From now on the caller has to be heard, so the wait for it begins here.
            self.exchange.heard = now;
        }
        self.named = true;
        self.exchange.said = now;
        self.exchange.outgoing.send(bytes, fin);
        if fin {
            self.exchange.finish(Ok(()));
        }
    }

    /// Ends it from this side; the caller is told.
    pub(crate) fn fail(&mut self, failure: Failure) -> Option<Note> {
        self.exchange.finish(Err(failure.clone())).then_some(Note::Error(failure))
    }

    /// The credit that is due; it names this side's subject.
    pub(crate) fn credit(&mut self, now: Instant, reader_waits: bool) -> Option<Note> {
        let note = self.exchange.credit(now, reader_waits)?;
        self.name(now);
        Some(note)
    }

    /// Somebody else is about to take it. False if the caller knows of this side already.
    pub(crate) fn hand_on(&mut self) -> bool {
        self.handing_on = !self.named && !self.begun && self.exchange.end().is_none();
        self.handing_on
    }

    /// Somebody else was asked, and this side is done; or that could not be.
    pub(crate) fn handed_on(&mut self, done: bool) {
        self.handing_on = false;
        if done {
            self.exchange.finish(Ok(()));
        }
    }

    /// The caller has to be heard while either stream is open and it knows where to.
    fn is_open(&self) -> bool {
        self.named && (self.begun || !self.exchange.incoming.ended())
    }

    fn name(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.named, true) {
            self.exchange.heard = now;
        }
    }
}
