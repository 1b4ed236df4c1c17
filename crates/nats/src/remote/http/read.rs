//! An HTTP message on its way in: its head as soon as that is there, its body as it is pulled.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;
use lattice_contracts::http::{Body, BodyError, PolledFrame, full};
use lattice_core::{CallError, ErrorCode, Hop, encoding::DecodeError};

use super::{
    head::{Carried, HEAD_BYTES_MAX, HeadError, TRAILERS_BYTES_MAX, decode_trailers},
    write::{BODY_PATH, TRAILERS_PATH},
};
use crate::remote::{
    Pieces, envelope,
    frames::{Chunk, Chunks, Frames, Part},
};

/// The largest frame that is read: what follows a head is cut smaller by everybody who sends.
const FRAME_BYTES_MAX: u64 = 1 << 32;

/// Reads a message from pieces.
pub(super) struct Reading {
    pieces: Pieces,
    frames: Frames,
    hop: Hop,
}

impl Reading {
    /// `hop` is who says so when the bytes are none.
    pub(super) fn new(pieces: Pieces, hop: Hop) -> Self {
        Self { pieces, frames: Frames::new(FRAME_BYTES_MAX), hop }
    }

    /// Skips the names that stand before a request's frames.
    pub(super) async fn open_request(&mut self) -> Result<(), CallError> {
        let mut begun = Bytes::new();
        loop {
            let piece = self.piece().await?;
            begun = if begun.is_empty() { piece } else { [begun, piece].concat().into() };
            match envelope::open_request(&mut begun) {
                Ok(Some(())) => break,
                Ok(None) => {}
                Err(error) => return Err(self.broken(error.into())),
            }
        }
        self.frames.push(begun);
        Ok(())
    }

    /// The values of the first frame: the head of the message.
    pub(super) async fn root(&mut self) -> Result<Bytes, CallError> {
        let (mut expected, mut whole) = (None, BytesMut::new());
        loop {
            let part = self.frames.next().map_err(|error| self.broken(error.into()))?;
            match (part, expected) {
                (None, _) => {
                    let piece = self.piece().await?;
                    self.frames.push(piece);
                }
                (Some(Part::Frame(head)), None) if head.path.is_empty() => {
                    let limit = HEAD_BYTES_MAX as u64;
                    if head.bytes > limit {
                        let error = DecodeError::TooLarge { bytes: head.bytes, limit };
                        return Err(self.broken(error.into()));
                    }
                    expected = Some(usize::try_from(head.bytes).unwrap_or(HEAD_BYTES_MAX));
                }
                (Some(Part::Data(data)), Some(bytes)) => {
                    if whole.is_empty() && data.len() == bytes {
                        return Ok(data);
                    }
                    whole.extend_from_slice(&data);
                    if whole.len() == bytes {
                        return Ok(whole.freeze());
                    }
                }
                _ => return Err(self.broken(HeadError::Stray)),
            }
        }
    }

    /// The body that the head speaks of.
    pub(super) fn body(self, carried: Carried) -> Body {
        if !carried.has_more() {
            let body = carried.body.unwrap_or_default();
            return match carried.trailers.flatten() {
                None => full(body),
                Some(trailers) => {
                    full(body).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed_unsync()
                }
            };
        }
        let Carried { body, trailers } = carried;
        let following = Following {
            reading: self,
            chunks: Chunks::default(),
            at: At::Between,
            body_ended: body.is_some(),
            inline: body.filter(|body| !body.is_empty()),
            trailers_read: trailers.is_some(),
            trailers: trailers.flatten(),
            done: false,
        };
        following.boxed_unsync()
    }

    async fn piece(&mut self) -> Result<Bytes, CallError> {
        match self.pieces.next().await {
            Some(piece) => piece,
            None => Err(self.broken(DecodeError::Truncated.into())),
        }
    }

    pub(super) fn broken(&self, error: HeadError) -> CallError {
        CallError::new(self.hop.clone(), ErrorCode::Protocol, error.to_string())
    }
}

/// Which frame is being read.
enum At {
    Between,
    Body,
    Trailers { left: usize, read: BytesMut },
}

/// A body, parts of which follow the head.
struct Following {
    reading: Reading,
    chunks: Chunks,
    at: At,
    inline: Option<Bytes>,
    body_ended: bool,
    trailers_read: bool,
    trailers: Option<HeaderMap>,
    done: bool,
}

impl http_body::Body for Following {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        if let Some(body) = this.inline.take() {
            return Poll::Ready(Some(Ok(Frame::data(body))));
        }
        loop {
            match this.read_on() {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(None) if this.body_ended && this.trailers_read => {
                    this.done = true;
                    return Poll::Ready(this.trailers.take().map(|fields| Ok(Frame::trailers(fields))));
                }
                Ok(None) => {}
                Err(error) => return this.fail(this.reading.broken(error)),
            }
            match ready!(this.reading.pieces.poll_next_unpin(cx)) {
                Some(Ok(piece)) => this.reading.frames.push(piece),
                Some(Err(error)) => return this.fail(error),
                None => {
                    let error = this.reading.broken(DecodeError::Truncated.into());
                    return this.fail(error);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }
}

impl Following {
    fn fail(&mut self, error: CallError) -> PolledFrame {
        self.done = true;
        Poll::Ready(Some(Err(BodyError::Call(error))))
    }

    /// Reads what there is up to the next data of the body; `None` where another piece is needed or all is read.
    fn read_on(&mut self) -> Result<Option<Bytes>, HeadError> {
        loop {
            match self.chunks.next()? {
                Some(Chunk::Data(data)) => return Ok(Some(data)),
                Some(Chunk::End) => {
                    self.body_ended = true;
                    continue;
                }
                None => {}
            }
            let Some(part) = self.reading.frames.next()? else { return Ok(None) };
            match part {
                Part::Frame(head) => self.begin(&head.path, head.bytes)?,
                Part::Data(data) => self.take(data)?,
            }
        }
    }

    fn begin(&mut self, path: &[u32], bytes: u64) -> Result<(), HeadError> {
        self.at = match path {
            _ if path == BODY_PATH && !self.body_ended => At::Body,
            _ if path == TRAILERS_PATH && !self.trailers_read => {
                let limit = TRAILERS_BYTES_MAX as u64;
                if bytes > limit {
                    return Err(DecodeError::TooLarge { bytes, limit }.into());
                }
                At::Trailers { left: usize::try_from(bytes).unwrap_or(0), read: BytesMut::new() }
            }
            _ => return Err(HeadError::Stray),
        };
        Ok(())
    }

    fn take(&mut self, data: Bytes) -> Result<(), HeadError> {
        match &mut self.at {
            At::Between => Err(HeadError::Stray),
            // A frame may be left of a body that has ended in it.
            At::Body if self.body_ended => Err(HeadError::Stray),
            At::Body => {
                self.chunks.push(data);
                Ok(())
            }
            At::Trailers { left, read } => {
                read.extend_from_slice(&data);
                *left -= data.len();
                if *left == 0 {
                    self.trailers = decode_trailers(&read.split().freeze())?;
                    (self.trailers_read, self.at) = (true, At::Between);
                }
                Ok(())
            }
        }
    }
}
