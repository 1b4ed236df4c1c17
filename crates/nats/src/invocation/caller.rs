//! The caller's side of a call, as a pure state machine: docs/protocol.md has its table.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::EntityId;
use tokio::time::Instant;

use super::{
    exchange::{Exchange, Note, SILENCE},
    failure::{Failure, read_error, read_hop},
    header::{Header, Kind},
    window::{Incoming, Outgoing},
};

/// How long past its deadline a call is left to its callee, which can say more about it.
const GRACE: Duration = Duration::from_millis(250);

/// A call that was made.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) exchange: Exchange,
    deadline: Instant,
    /// The callee has named its subject.
    named: bool,
    /// The reply has begun.
    begun: bool,
    /// The broker says that nobody listens.
    unheard: bool,
}

impl Caller {
    /// A call to be sent now, whose reply may bring `window` bytes at first.
    pub(crate) fn new(now: Instant, deadline: Instant, window: u64) -> Self {
        // The first piece needs no credit, further ones need the callee's; see `called`.
        let exchange = Exchange::new(now, Outgoing::new(0), Incoming::new(window, window));
        Self { exchange, deadline, named: false, begun: false, unheard: false }
    }

    /// The first piece leaves, or leaves again because nobody listened.
    pub(crate) fn called(&mut self, now: Instant, bytes: u64, fin: bool) {
        let outgoing = &mut self.exchange.outgoing;
        if outgoing.sent() == 0 && !outgoing.ended() {
            outgoing.send(bytes, fin);
            outgoing.grant(bytes);
        }
        self.exchange.said = now;
        self.exchange.heard = now;
        self.unheard = false;
    }

    /// Another piece leaves.
    pub(crate) fn wrote(&mut self, now: Instant, bytes: u64, fin: bool) {
        self.exchange.said = now;
        self.exchange.outgoing.send(bytes, fin);
    }

    /// The broker says that nobody listens on the call's subject.
    pub(crate) fn no_responders(&mut self) {
        // Once anything has come from somebody this can only be late.
        self.unheard = !self.named && !self.begun && self.exchange.end().is_none();
    }

    /// True while the broker's last word is that nobody listens.
    pub(crate) fn is_unheard(&self) -> bool {
        self.unheard
    }

    /// True when the first bytes of the reply, or its end, are there.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Something came from the callee. `named`: with a subject of its own in the reply field.
    pub(crate) fn message(
        &mut self,
        now: Instant,
        header: &Header<'_>,
        body: Bytes,
        named: bool,
        target: &EntityId,
    ) -> Option<Note> {
        if self.exchange.end().is_some() {
            return None;
        }
        self.exchange.heard = now;
        self.named |= named;
        self.unheard = false;
        if let Some(credit) = header.credit {
            self.exchange.outgoing.grant(credit);
        }
        let fits = match header.kind {
            Kind::Reply | Kind::More => {
                self.begun = true;
                self.exchange.piece(header, body)
            }
            Kind::Alive => self.exchange.told(header),
            Kind::Error => {
                let hop = read_hop(header.hop, target);
                let error = read_error(hop, header.code, &body, header.not_run);
                self.exchange.finish(Err(Failure::Told(error)));
                return None;
            }
            Kind::Credit | Kind::Cancel | Kind::Call => Ok(()),
        };
        if let Err(breach) = fits {
            return self.fail(Failure::Pieces(breach));
        }
        if self.exchange.incoming.ended() {
            self.begun = true;
            self.exchange.finish(Ok(()));
        }
        None
    }

    /// Time passes. `deaf`: this process did not listen until now.
    pub(crate) fn tick(&mut self, now: Instant, deaf: bool) -> Option<Note> {
        if self.exchange.end().is_some() {
            return None;
        }
        if deaf {
            self.exchange.heard = now;
        }
        if now >= self.deadline + GRACE {
            return self.fail(Failure::Deadline);
        }
        if self.exchange.is_silent(now) {
            return self.fail(Failure::Silent(SILENCE));
        }
        let streams = !self.exchange.outgoing.ended() || self.begun;
        (self.named && streams && self.exchange.is_quiet(now)).then(|| self.exchange.alive(now))
    }

    /// Ends it from this side; the callee is told, if it can be.
    pub(crate) fn fail(&mut self, failure: Failure) -> Option<Note> {
        self.exchange.finish(Err(failure)).then_some(Note::Cancel)
    }

    /// The credit that is due, once there is somebody to send it to.
    pub(crate) fn credit(&mut self, now: Instant, reader_waits: bool) -> Option<Note> {
        if self.named { self.exchange.credit(now, reader_waits) } else { None }
    }
}
