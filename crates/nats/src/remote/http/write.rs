//! An HTTP message on its way out: the head at once, with the body in it where that is complete and small, else what
//! follows as it is pulled.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use lattice_contracts::http::{Body, BodyError};
use lattice_core::{
    CallError, ErrorCode, Hop,
    encoding::{EncodeError, Encoder, FrameHead},
};

use super::head::{Carried, TRAILERS_BYTES_MAX, encode_trailers};
use crate::Outbound;

/// A body of at most so many bytes travels in the head, so that the message is one piece.
pub(super) const INLINE_BYTES_MAX: usize = 64 * 1024;
/// How long a small body may take to be complete before the head goes ahead of it.
const INLINE_WITHIN: Duration = Duration::from_millis(2);

/// The place of the body in the values of a message: field 0 of the first parameter or result.
pub(super) const BODY_PATH: [u32; 2] = [0, 0];
/// The place of the trailers.
pub(super) const TRAILERS_PATH: [u32; 2] = [0, 1];

/// The beginning of a body, and the rest where there is one.
pub(super) struct Gathered {
    pub(super) carried: Carried,
    /// What was read and does not travel in the head.
    read: VecDeque<Frame<Bytes>>,
    rest: Option<Body>,
}

/// Reads a body as far as it is there or comes within a moment; to the end, if it is small.
///
/// # Errors
/// Whatever the body ends with.
pub(super) async fn gather(mut body: Body) -> Result<Gathered, BodyError> {
    if body.is_end_stream() {
        return Ok(Gathered { carried: Carried::whole(Bytes::new()), read: VecDeque::new(), rest: None });
    }
    let mut read = VecDeque::new();
    if body.size_hint().lower() > INLINE_BYTES_MAX as u64 {
        return Ok(Gathered { carried: Carried::default(), read, rest: Some(body) });
    }
    let (mut bytes, until) = (0, tokio::time::Instant::now() + INLINE_WITHIN);
    while bytes <= INLINE_BYTES_MAX {
        // What is there already is read without a timer; most bodies are.
        let frame = match futures::FutureExt::now_or_never(body.frame()) {
            Some(frame) => frame,
            None => match tokio::time::timeout_at(until, body.frame()).await {
                Ok(frame) => frame,
                Err(_) => break,
            },
        };
        match frame {
            None => return Ok(whole(read)),
            Some(frame) => {
                let frame = frame?;
                bytes += frame.data_ref().map_or(0, Bytes::len);
                read.push_back(frame);
            }
        }
    }
    Ok(Gathered { carried: Carried::default(), read, rest: Some(body) })
}

/// A body that was read to its end.
fn whole(frames: VecDeque<Frame<Bytes>>) -> Gathered {
    let (mut data, mut trailers) = (Vec::new(), None);
    for frame in frames {
        match frame.into_data() {
            Ok(bytes) => data.push(bytes),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let body = match data.len() {
        1 => data.remove(0),
        _ => {
            let mut joined = BytesMut::with_capacity(data.iter().map(Bytes::len).sum());
            data.iter().for_each(|bytes| joined.extend_from_slice(bytes));
            joined.freeze()
        }
    };
    let carried = Carried { body: Some(body), trailers: Some(trailers) };
    Gathered { carried, read: VecDeque::new(), rest: None }
}

impl Gathered {
    /// What is sent back: `head`, which ends with the frame of the head itself, and what follows it.
    pub(super) fn reply(self, head: Bytes, hop: Hop) -> Outbound {
        match self.carried.has_more() {
            true => Outbound::Stream(Box::pin(self.follow(head, hop))),
            false => Outbound::Whole(head),
        }
    }

    /// `head`, and the bytes after it.
    pub(super) fn follow(self, head: Bytes, hop: Hop) -> Writing {
        Writing { ready: VecDeque::from([head]), read: self.read, rest: self.rest, ended: false, hop }
    }
}

/// The bytes of a message whose body follows its head.
pub(super) struct Writing {
    ready: VecDeque<Bytes>,
    read: VecDeque<Frame<Bytes>>,
    rest: Option<Body>,
    ended: bool,
    hop: Hop,
}

impl Stream for Writing {
    type Item = Result<Bytes, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let frame = match this.read.pop_front() {
                Some(frame) => Some(Ok(frame)),
                None => match &mut this.rest {
                    Some(body) => ready!(Pin::new(body).poll_frame(cx)),
                    None => None,
                },
            };
            match frame {
                Some(Ok(frame)) => this.write(frame),
                Some(Err(error)) => {
                    this.end();
                    return Poll::Ready(Some(Err(told(error, &this.hop))));
                }
                None => this.finish(None),
            }
        }
    }
}

impl Writing {
    fn write(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            // An empty chunk would end the stream.
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                let mut chunk = Encoder::new(8);
                chunk.list(data.len());
                let chunk = chunk.finish().unwrap_or_default();
                let mut head = FrameHead::encode(&BODY_PATH, (chunk.len() + data.len()) as u64);
                head.extend_from_slice(&chunk);
                self.ready.extend([Bytes::from(head), data]);
            }
            Err(frame) => self.finish(frame.into_trailers().ok()),
        }
    }

    /// The last chunk, and the trailers: what follows them, in HTTP, is nothing.
    fn finish(&mut self, trailers: Option<HeaderMap>) {
        // Trailers beyond the bound are left out, as a proxy may: the body is whole without them.
        let fields =
            encode_trailers(trailers.as_ref()).or_else(|_| encode_trailers(None)).unwrap_or_default();
        let mut end = Encoder::new(TRAILERS_BYTES_MAX + 64);
        end.frame(&BODY_PATH, &[0]);
        end.frame(&TRAILERS_PATH, &fields);
        self.ready.extend(end.finish().map(Bytes::from).ok());
        self.end();
    }

    fn end(&mut self) {
        (self.ended, self.rest) = (true, None);
        self.read.clear();
    }
}

/// What the other side is told of a body that breaks off.
pub(super) fn told(error: BodyError, hop: &Hop) -> CallError {
    match error {
        BodyError::Call(error) => error,
        BodyError::TooLarge { .. } => CallError::new(hop.clone(), ErrorCode::TooLarge, error.to_string()),
        other => CallError::new(hop.clone(), ErrorCode::Cancelled, other.to_string()),
    }
}

/// What the other side is told of a head that is longer than any that is sent.
pub(super) fn too_large(what: &str, error: &EncodeError, hop: &Hop) -> CallError {
    CallError::new(hop.clone(), ErrorCode::TooLarge, format!("{what}: {error}"))
}
