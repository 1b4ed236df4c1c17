//! The parts of a call's byte stream, taken out of pieces that are cut anywhere. No I/O.
//!
//! Data is handed on as slices of the pieces; only what stands before it is ever put together, a few bytes at a time.

use bytes::{Buf as _, Bytes};
use lattice_core::encoding::{DecodeError, DecodeLimits, Decoder, FRAME_PATH_MAX, FrameHead};

/// The longest head of a frame: an integer of 64 bits, and one of 32 bits for the path's length and each part of it.
const FRAME_HEAD_MAX: usize = 10 + 5 * (1 + FRAME_PATH_MAX);
/// The longest head of a chunk: an integer of 32 bits.
const CHUNK_HEAD_MAX: usize = 5;

/// What comes next in a stream of frames.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A frame begins; its data follows, unless it has none.
    Frame(FrameHead),
    /// Data of the frame that began last.
    Data(Bytes),
}

/// Cuts pieces into frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    piece: Bytes,
    /// The start of a head that goes on in the next piece.
    head: Vec<u8>,
    /// What is still to come of the frame that began last, in bytes.
    left: u64,
    bytes_max: u64,
}

impl Frames {
    /// Frames with at most `bytes_max` bytes of data each.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Takes the next piece; the one before has been read to its end.
    pub(super) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.piece.is_empty(), "a piece is read before the next one comes");
        self.piece = piece;
    }

    /// The next part; `None` where the next piece is needed.
    pub(super) fn next(&mut self) -> Result<Option<Part>, DecodeError> {
        if self.piece.is_empty() {
            return Ok(None);
        }
        if self.left == 0 {
            return Ok(self.frame_head()?.map(Part::Frame));
        }
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.piece.len());
        self.left -= here as u64;
        Ok(Some(Part::Data(self.piece.split_to(here))))
    }

    fn frame_head(&mut self) -> Result<Option<FrameHead>, DecodeError> {
        let bytes_max = self.bytes_max;
        let decode = |read: &[u8]| FrameHead::decode(read, bytes_max);
        let head = across_pieces(&mut self.head, &mut self.piece, FRAME_HEAD_MAX, decode)?;
        self.left = head.as_ref().map_or(0, |head| head.bytes);
        Ok(head)
    }
}

/// What comes next in a `stream<u8>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    End,
}

/// Cuts the data of frames into the chunks of a `stream<u8>`.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    data: Bytes,
    head: Vec<u8>,
    left: usize,
}

impl Chunks {
    /// Takes more data; what came before has been read.
    pub(super) fn push(&mut self, data: Bytes) {
        debug_assert!(self.data.is_empty(), "data is read before more of it comes");
        self.data = data;
    }

    /// The next chunk or part of one; `None` where more data is needed.
    ///
    /// After [`Chunk::End`] there may be nothing more.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, DecodeError> {
        if self.data.is_empty() {
            return Ok(None);
        }
        if self.left == 0 {
            match across_pieces(&mut self.head, &mut self.data, CHUNK_HEAD_MAX, chunk_head)? {
                None => return Ok(None),
                Some(0) if self.data.is_empty() => return Ok(Some(Chunk::End)),
                Some(0) => return Err(DecodeError::Trailing { bytes: self.data.len() }),
                Some(bytes) => self.left = bytes,
            }
        }
        if self.data.is_empty() {
            return Ok(None);
        }
        let here = self.left.min(self.data.len());
        self.left -= here;
        Ok(Some(Chunk::Data(self.data.split_to(here))))
    }
}

fn chunk_head(read: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut decoder = Decoder::new(read, DecodeLimits::default())?;
    match decoder.u32() {
        Ok(bytes) => {
            Ok(Some((usize::try_from(bytes).unwrap_or(usize::MAX), read.len() - decoder.rest().len())))
        }
        Err(DecodeError::Truncated) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Decodes a head of at most `most` bytes that may have begun in earlier pieces, of which `begun` has the bytes.
fn across_pieces<T>(
    begun: &mut Vec<u8>,
    piece: &mut Bytes,
    most: usize,
    decode: impl Fn(&[u8]) -> Result<Option<(T, usize)>, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if begun.is_empty()
        && let Some((head, used)) = decode(piece)?
    {
        piece.advance(used);
        return Ok(Some(head));
    }
    let before = begun.len();
    let more = piece.len().min(most - before);
    begun.extend_from_slice(&piece[..more]);
    match decode(begun)? {
        Some((head, used)) => {
            piece.advance(used - before);
            begun.clear();
            Ok(Some(head))
        }
        // A head that long is none; `decode` has refused it, or it would be one.
        None if begun.len() >= most => Err(DecodeError::Truncated),
        None => {
            piece.advance(more);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use lattice_core::encoding::Encoder;
    use proptest::prelude::*;

    use super::*;

    /// Cuts bytes where `cuts` say, in turn.
    fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Bytes> {
        let mut rest = Bytes::copy_from_slice(bytes);
        let mut pieces = Vec::new();
        for at in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            pieces.push(rest.split_to((*at).clamp(1, rest.len())));
        }
        pieces
    }

    proptest! {
        /// However the bytes are cut, the same frames come out.
        #[test]
        fn frames_survive_any_cut(
            frames in proptest::collection::vec((proptest::collection::vec(any::<u32>(), 0..4), proptest::collection::vec(any::<u8>(), 0..300)), 0..12),
            cuts in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            let mut encoder = Encoder::new(1 << 20);
            for (path, data) in &frames {
                encoder.frame(path, data);
            }
            let mut found: Vec<(Vec<u32>, Vec<u8>)> = Vec::new();
            let mut reader = Frames::new(1 << 20);
            for piece in cut(&encoder.finish().unwrap(), &cuts) {
                reader.push(piece);
                while let Some(part) = reader.next().unwrap() {
                    match part {
                        Part::Frame(head) => found.push((head.path, Vec::new())),
                        Part::Data(data) => found.last_mut().unwrap().1.extend_from_slice(&data),
                    }
                }
            }
            prop_assert!(reader.left == 0 && reader.head.is_empty() && reader.piece.is_empty());
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn chunks_survive_any_cut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..12),
            cuts in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            let mut encoder = Encoder::new(1 << 20);
            for chunk in &chunks {
                encoder.bytes(chunk);
            }
            encoder.bytes(b"");
            let (mut found, mut ended, mut reader) = (Vec::new(), 0, Chunks::default());
            for data in cut(&encoder.finish().unwrap(), &cuts) {
                reader.push(data);
                while let Some(chunk) = reader.next().unwrap() {
                    match chunk {
                        Chunk::Data(data) => found.extend_from_slice(&data),
                        Chunk::End => ended += 1,
                    }
                }
            }
            prop_assert_eq!(ended, 1);
            prop_assert_eq!(found, chunks.concat());
        }

        /// Bytes of strangers end in an error or in nothing, never in a panic or in a loop.
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..400), cuts in proptest::collection::vec(1_usize..9, 1..9)) {
            let (mut frames, mut chunks) = (Frames::new(1 << 16), Chunks::default());
            let (mut frames_fail, mut chunks_fail) = (false, false);
            for piece in cut(&bytes, &cuts) {
                if !frames_fail {
                    frames.push(piece.clone());
                    loop {
                        match frames.next() { Ok(Some(_)) => {}, Ok(None) => break, Err(_) => { frames_fail = true; break } }
                    }
                }
                if !chunks_fail {
                    chunks.push(piece);
                    loop {
                        match chunks.next() { Ok(Some(_)) => {}, Ok(None) => break, Err(_) => { chunks_fail = true; break } }
                    }
                }
            }
        }
    }
}
