//! The first message of a call.

use std::{future::poll_fn, time::Duration};

use async_nats::{Subject, message::OutboundMessage};
use futures::FutureExt as _;
use lattice_contracts::CallContext;
use lattice_core::{LinkName, escape_token};
use tokio::time::timeout_at;

use super::{
    Called,
    entry::Shared,
    failure::Failure,
    header::{Header, Kind},
    pieces::{Piece, Pieces},
    post::{message_with, traced},
    sending::{FIN, FIRST_MAX},
    slot::Slot,
};

/// The first message of a call, as often as it is sent.
pub(crate) struct Opening<'a> {
    call: &'a CallContext,
    operation: &'a Called,
    slot: &'a Slot,
    shared: &'a Shared,
    reply: Subject,
    /// Who wrote the link's version, as the header has it.
    writer: Option<String>,
}

impl<'a> Opening<'a> {
    pub(crate) fn new(
        call: &'a CallContext,
        operation: &'a Called,
        slot: &'a Slot,
        shared: &'a Shared,
        reply: Subject,
    ) -> Self {
        let writer = operation.link_version.as_ref().map(|version| escape_token(&version.writer));
        Self { call, operation, slot, shared, reply, writer }
    }

    /// The header but for the mark of the end.
    fn header(&self) -> String {
        let CallContext { id, link, depth, .. } = self.call;
        let number = self.operation.link_version.as_ref().map(|version| version.number);
        let header = Header {
            credit: Some(self.slot.window()),
            time_left_ms: Some(ms_left(self.call)),
            depth: *depth,
            link: Some(link.as_str()).filter(|_| *link != LinkName::default()),
            link_version: number.zip(self.writer.as_deref()),
            at_once: self.operation.at_once,
            wait_ms: self.operation.wait.map(millis),
            text: self.operation.text,
            ..Header::new(Kind::Call, *id)
        };
        header.encode()
    }

    /// The first piece of the request, and the message that brings it.
    pub(crate) async fn first(&self, pieces: &mut Pieces) -> Result<(Piece, OutboundMessage), Failure> {
        let header = self.header();
        let max =
            FIRST_MAX.min(self.shared.post.room_beside_traced(header.len() + FIN.len(), self.call.trace));
        if max == 0 {
            return Err(Failure::NoRoom(self.shared.post.conn.max_payload()));
        }
        let mut next = poll_fn(|cx| pieces.poll_piece(cx, max));
        // Most requests are there as a whole, and need no clock.
        let piece = match (&mut next).now_or_never() {
            Some(piece) => piece,
            None => match Box::pin(timeout_at(self.call.deadline, next)).await {
                Ok(piece) => piece,
                Err(_) => return Err(Failure::Deadline),
            },
        };
        let piece = piece.map_err(Failure::Told)?;
        let message = self.message(&piece, header);
        Ok((piece, message))
    }

    /// The message again, with the time that is left by now.
    pub(crate) fn again(&self, first: &Piece) -> OutboundMessage {
        self.message(first, self.header())
    }

    fn message(&self, first: &Piece, mut header: String) -> OutboundMessage {
        if first.fin {
            header.push_str(FIN);
        }
        let (subject, reply) = (self.slot.about.asked.clone(), Some(self.reply.clone()));
        traced(message_with(subject, reply, header, first.body.clone()), self.call.trace)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds left to a call; what is below one counts as one, so that 0 never means "no limit".
pub(crate) fn ms_left(call: &CallContext) -> u64 {
    millis(call.time_left()).max(1)
}
