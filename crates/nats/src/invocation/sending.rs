//! Sends a stream, or what is left of it, under the other side's credit.

use std::{future::poll_fn, task::Poll};

use async_nats::{Subject, message::OutboundMessage};
use bytes::Bytes;
use lattice_core::CallError;
use tokio::time::Instant;

use super::{
    Outbound,
    failure::Failure,
    header::{Header, Kind},
    pieces::{Piece, Pieces},
    post::{Post, message_with},
    slot::Slot,
};

/// The largest first piece of either stream, in bytes.
pub(crate) const FIRST_MAX: usize = 256 * 1024;
/// The largest further piece: large messages delay the small ones on the same socket, and a leaf may take less than the
/// server one is connected to.
const PIECE_MAX: usize = 64 * 1024;
/// What the mark of the end adds to a header.
pub(crate) const FIN: &str = " f";

/// The one message of a reply that is there as a whole and fits, already counted as sent; the reply itself where it needs more
/// than that.
pub(crate) fn whole_reply(post: &Post, slot: &Slot, reply: Outbound) -> Result<OutboundMessage, Outbound> {
    let body = match reply {
        Outbound::Whole(body) => body,
        reply @ Outbound::Stream(_) => return Err(reply),
    };
    let header = Header { fin: true, ..Header::new(Kind::Reply, slot.about.id) }.encode();
    if body.len() > FIRST_MAX.min(post.room_beside(header.len())) {
        return Err(Outbound::Whole(body));
    }
    match slot.wrote_whole(Instant::now(), body.len()) {
        Some(to) => Ok(message_with(to, None, header, body)),
        None => Err(Outbound::Whole(body)),
    }
}

/// Sends pieces until the last, or until the call has ended otherwise; then what is left is dropped.
///
/// # Errors
/// Why the rest cannot be sent; the call does not know it yet.
pub(crate) async fn send(post: &Post, slot: &Slot, first: Kind, mut pieces: Pieces) -> Result<(), Failure> {
    let (mut kind, mut max) = match first {
        Kind::Reply => (Kind::Reply, FIRST_MAX),
        _ => (Kind::More, PIECE_MAX),
    };
    if first == Kind::Reply && slot.has_no_room() {
        // The caller learns that the reply begins, and has to be heard from now on, though it lets nothing pass.
        let Some(to) = slot.wrote(Instant::now(), 0, false) else { return Ok(()) };
        let header = Header::new(Kind::Reply, slot.about.id).encode();
        post.publish(message_with(to, back(post, slot), header, Bytes::new())).await?;
        kind = Kind::More;
    }
    while !pieces.is_done() {
        let mut header = Header { offset: slot.sent(), ..Header::new(kind, slot.about.id) }.encode();
        max = max.min(post.room_beside(header.len() + FIN.len()));
        if max == 0 {
            return Err(Failure::NoRoom(post.conn.max_payload()));
        }
        let Some(piece) = next_piece(slot, &mut pieces, max).await else { return Ok(()) };
        let Piece { body, fin } = piece.map_err(Failure::Told)?;
        // It leaves right after it is counted, and a sign of life is due a second later, so none overtakes what it counts.
        let Some(to) = slot.wrote(Instant::now(), body.len(), fin) else { return Ok(()) };
        if fin {
            header.push_str(FIN);
        }
        // The last piece of a reply needs no answer, so it names no subject.
        let reply = if fin { None } else { back(post, slot) };
        post.publish(message_with(to, reply, header, body)).await?;
        (kind, max) = (Kind::More, PIECE_MAX);
    }
    Ok(())
}

/// A callee's own subject; a caller names none.
fn back(post: &Post, slot: &Slot) -> Option<Subject> {
    slot.about.names.map(|token| post.back(&slot.about.writer, token))
}

/// The next piece when there is credit for it; none when the call has ended.
async fn next_piece(slot: &Slot, pieces: &mut Pieces, max: usize) -> Option<Result<Piece, CallError>> {
    poll_fn(|cx| {
        let Some(room) = slot.room(cx) else { return Poll::Ready(None) };
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        pieces.poll_piece(cx, max.min(room)).map(Some)
    })
    .await
}
