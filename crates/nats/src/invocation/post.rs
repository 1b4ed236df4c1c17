//! Publishing for calls: only while connected, and never longer than the socket may take.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use async_nats::{
    HeaderMap, HeaderName, Subject, client::traits::Publisher as _, connection::State,
    message::OutboundMessage,
};
use bytes::Bytes;
use lattice_core::{
    BackSubject, CallError, EntityId, Hop, InvocationId, LatticeName, TRACEPARENT, TraceParent,
};

use super::{
    exchange::Note,
    failure::{Failure, cut_reason, hop_of, write_hop},
    header::{Header, Kind},
    outbox::{Outbox, Parcel, Waiting, Whose, outbox},
    slot::{About, Slot},
};
use crate::Connection;

/// The header of every message.
pub(crate) const W: HeaderName = HeaderName::from_static("W");
/// The header of a `call` whose trace is sampled.
const TRACE: HeaderName = HeaderName::from_static(TRACEPARENT);
/// What that one takes: `traceparent: …␍␊`.
const TRACE_FRAME: usize = TRACEPARENT.len() + TraceParent::LEN + 4;
/// How long the socket may take nothing.
pub(crate) const PUBLISH_WITHIN: Duration = Duration::from_secs(3);
/// What a message with one header needs beside header text and body: `NATS/1.0␍␊W: ␍␊␍␊`.
const FRAME: usize = 17;

/// A connection as calls see it: who we are, and how to send.
pub(crate) struct Post {
    pub(crate) conn: Connection,
    pub(crate) lattice: LatticeName,
    pub(crate) me: EntityId,
    pub(crate) hop: Hop,
    /// Which connection of `me` this is.
    pub(crate) connection: u64,
    outbox: Outbox,
}

impl Post {
    /// With what waits to be sent, which somebody has to [send](Waiting::send).
    pub(crate) fn new(
        conn: &Connection,
        lattice: &LatticeName,
        me: &EntityId,
        connection: u64,
    ) -> (Arc<Self>, Waiting) {
        let (outbox, waiting) = outbox();
        let (conn, lattice, me) = (conn.clone(), lattice.clone(), me.clone());
        let hop = hop_of(&me);
        (Arc::new(Self { conn, lattice, me, hop, connection, outbox }), waiting)
    }

    /// Where to write to this connection about a call.
    pub(crate) fn back(&self, writer: &EntityId, token: u64) -> Subject {
        let back = BackSubject {
            lattice: self.lattice.as_str(),
            writer: writer.as_str(),
            reader: self.me.as_str(),
            connection: self.connection,
            call: token,
        };
        Subject::from(back.to_string())
    }

    /// How large a body may be now beside a header of `header` bytes.
    pub(crate) fn room_beside(&self, header: usize) -> usize {
        self.conn.max_payload().saturating_sub(FRAME + header)
    }

    /// The same in a message that tells its trace.
    pub(crate) fn room_beside_traced(&self, header: usize, trace: Option<TraceParent>) -> usize {
        self.room_beside(header + trace.map_or(0, |_| TRACE_FRAME))
    }

    /// Publishes, or says why that cannot be.
    pub(crate) async fn publish(&self, message: OutboundMessage) -> Result<(), Failure> {
        self.publish_within(message, PUBLISH_WITHIN).await
    }

    /// The same for what has waited, and may wait `within` for a full socket.
    pub(crate) async fn publish_within(
        &self,
        message: OutboundMessage,
        within: Duration,
    ) -> Result<(), Failure> {
        if !self.is_connected() {
            return Err(Failure::Disconnected);
        }
        let mut publishing = pin!(self.conn.client().publish_message(message));
        // Nearly always there is room at once, and no clock is needed.
        let at_once = poll_fn(|cx| Poll::Ready(publishing.as_mut().poll(cx))).await;
        let published = match at_once {
            Poll::Ready(published) => Ok(published),
            Poll::Pending => tokio::time::timeout(within, publishing).await,
        };
        match published {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::Unsendable(error.to_string())),
            Err(_) => Err(Failure::Stuck(PUBLISH_WITHIN)),
        }
    }

    /// Lets a small message leave together with those of other calls; only what cannot overtake others, as it is its call's only one
    /// in this direction. What fails then is told as [`Whose`] says. Gives back one that had better [leave](Parcel::leave) alone.
    pub(crate) fn send_together(&self, parcel: Parcel) -> Option<Parcel> {
        if self.is_connected() { self.outbox.put(parcel) } else { Some(parcel) }
    }

    /// What is given to the client without a connection would leave after the reconnect, late.
    fn is_connected(&self) -> bool {
        match self.conn.client().connection_state() {
            State::Connected => true,
            State::Disconnected | State::Pending => false,
        }
    }

    /// Hands a note to the task that sends them. Never waits: beyond the bound it is dropped, and the other side meets
    /// silence.
    pub(crate) fn note(&self, message: OutboundMessage) {
        if self.outbox.put(Parcel::new(message, Whose::Note)).is_some() {
            tracing::debug!(
                "a message about a call was dropped: too many wait to be sent, or no more are sent"
            );
        }
    }

    /// As [`Post::note`], for a call in the table.
    pub(crate) fn note_of(&self, slot: &Slot, note: Option<(Subject, Note)>) {
        if let Some((to, note)) = note {
            self.note(self.message_of(slot, to, note));
        }
    }

    /// The message that says `note` of a call.
    pub(crate) fn message_of(&self, slot: &Slot, to: Subject, note: Note) -> OutboundMessage {
        let About { id, target, writer, names, .. } = &slot.about;
        let reply = names.map(|token| self.back(writer, token));
        let (header, reply) = match note {
            Note::Credit(credit) => {
                (Header { credit: Some(credit), ..Header::new(Kind::Credit, *id) }, reply)
            }
            Note::Alive { sent, fin, credit } => {
                let alive = Header::new(Kind::Alive, *id);
                (Header { offset: sent, fin, credit: Some(credit), ..alive }, reply)
            }
            Note::Cancel => (Header::new(Kind::Cancel, *id), None),
            Note::Error(failure) => {
                return self.error(to, *id, &failure.into_error(&self.hop, target));
            }
        };
        message(to, reply, &header, Bytes::new())
    }

    /// An `error` to be sent.
    pub(crate) fn error(&self, to: Subject, id: InvocationId, error: &CallError) -> OutboundMessage {
        let hop = write_hop(&error.hop);
        let header = Header {
            code: Some(error.code.as_str()),
            hop: Some(&hop),
            not_run: error.not_run,
            ..Header::new(Kind::Error, id)
        };
        let header = header.encode();
        let reason = cut_reason(&error.reason, self.room_beside(header.len()));
        message_with(to, None, header, Bytes::copy_from_slice(reason.as_bytes()))
    }
}

/// A message to be sent.
pub(crate) fn message(
    subject: Subject,
    reply: Option<Subject>,
    header: &Header<'_>,
    body: Bytes,
) -> OutboundMessage {
    message_with(subject, reply, header.encode(), body)
}

/// The same with a header that is encoded already.
pub(crate) fn message_with(
    subject: Subject,
    reply: Option<Subject>,
    header: String,
    body: Bytes,
) -> OutboundMessage {
    let mut headers = HeaderMap::new();
    headers.insert(W, header);
    OutboundMessage { subject, reply, payload: body, headers: Some(headers) }
}

/// The same message, telling the trace that its call belongs to.
pub(crate) fn traced(mut message: OutboundMessage, trace: Option<TraceParent>) -> OutboundMessage {
    if let (Some(trace), Some(headers)) = (trace, &mut message.headers) {
        headers.insert(TRACE, trace.to_string());
    }
    message
}

/// The trace that a message tells, where it is sampled. One told twice, or that does not read, is none.
pub(crate) fn trace_of(headers: &HeaderMap) -> Option<TraceParent> {
    let mut all = headers.get_all(TRACE);
    match (all.next(), all.next()) {
        (Some(one), None) => TraceParent::sampled(one.as_str()),
        _ => None,
    }
}
