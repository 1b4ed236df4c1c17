//! Values to bytes.

use super::{frame::FrameHead, leb128};

/// Why values cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// They take more bytes than they may.
    #[error("the values take more than {limit} bytes")]
    TooLarge {
        /// The encoder's limit.
        limit: usize,
    },
}

/// Writes values one after the other, as [`super`] describes.
///
/// It is bounded: once the limit is passed nothing more is written, and [`Encoder::finish`] says so; until then no call
/// needs to be checked.
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    limit: usize,
    over: bool,
}

impl Encoder {
    /// An encoder of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, over: false }
    }

    /// As [`Encoder::new`], with room for `bytes` at once.
    #[must_use]
    pub fn with_capacity(limit: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes.min(limit)), limit, over: false }
    }

    /// How many bytes are written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// True once the limit was passed: whoever writes much may stop.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The bytes.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] where the limit was passed.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        if self.over { Err(EncodeError::TooLarge { limit: self.limit }) } else { Ok(self.bytes) }
    }

    /// True if `more` bytes still fit.
    fn fits(&mut self, more: usize) -> bool {
        // What is longer than a `u32` can say fits nowhere.
        let fits = u32::try_from(more).is_ok() && more <= self.limit - self.bytes.len();
        self.over |= !fits;
        !self.over
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.fits(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn unsigned(&mut self, value: u64) {
        let bytes = (64 - value.leading_zeros()).max(1).div_ceil(7) as usize;
        if self.fits(bytes) {
            leb128::put_unsigned(&mut self.bytes, value);
        }
    }

    fn signed(&mut self, value: i64) {
        // One bit more than the magnitude, for the sign.
        let magnitude = if value < 0 { !value } else { value };
        let bytes = (65 - magnitude.leading_zeros()).div_ceil(7) as usize;
        if self.fits(bytes) {
            leb128::put_signed(&mut self.bytes, value);
        }
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.raw(&[u8::from(value)]);
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.raw(&[value]);
    }

    /// A signed byte.
    pub fn s8(&mut self, value: i8) {
        self.raw(&value.to_le_bytes());
    }

    /// An unsigned integer of 16 bits.
    pub fn u16(&mut self, value: u16) {
        self.unsigned(value.into());
    }

    /// An unsigned integer of 32 bits.
    pub fn u32(&mut self, value: u32) {
        self.unsigned(value.into());
    }

    /// An unsigned integer of 64 bits.
    pub fn u64(&mut self, value: u64) {
        self.unsigned(value);
    }

    /// A signed integer of 16 bits.
    pub fn s16(&mut self, value: i16) {
        self.signed(value.into());
    }

    /// A signed integer of 32 bits.
    pub fn s32(&mut self, value: i32) {
        self.signed(value.into());
    }

    /// A signed integer of 64 bits.
    pub fn s64(&mut self, value: i64) {
        self.signed(value);
    }

    /// A float of 32 bits; NaN is written as the canonical one.
    pub fn f32(&mut self, value: f32) {
        let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
        self.raw(&bits.to_le_bytes());
    }

    /// A float of 64 bits; NaN is written as the canonical one.
    pub fn f64(&mut self, value: f64) {
        let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
        self.raw(&bits.to_le_bytes());
    }

    /// A character.
    pub fn char(&mut self, value: char) {
        self.raw(value.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// A string.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A `list<u8>`.
    pub fn bytes(&mut self, value: &[u8]) {
        self.list(value.len());
        self.raw(value);
    }

    /// The head of a list; its elements follow.
    pub fn list(&mut self, count: usize) {
        match u32::try_from(count) {
            Ok(count) => self.unsigned(count.into()),
            Err(_) => self.over = true,
        }
    }

    /// The head of an option; the value follows if there is one.
    pub fn option(&mut self, is_some: bool) {
        self.bool(is_some);
    }

    /// The head of a result; value or error follows, where its type has one.
    pub fn result(&mut self, is_ok: bool) {
        self.bool(!is_ok);
    }

    /// Which case of a variant or enum it is; its value follows where it has one.
    pub fn case(&mut self, index: u32) {
        self.unsigned(index.into());
    }

    /// Flags: one bit for each, the first the lowest of the first byte, in as few bytes as hold them.
    pub fn flags(&mut self, bits: &[u8]) {
        self.raw(bits);
    }

    /// The head of a stream or future: true if all of it follows here (a stream as a list), false if it comes in frames.
    pub fn is_ready(&mut self, ready: bool) {
        self.bool(ready);
    }

    /// A frame of the stream or future at `path`.
    pub fn frame(&mut self, path: &[u32], data: &[u8]) {
        self.frame_head(path, data.len());
        self.raw(data);
    }

    /// The head of a frame whose `bytes` of data the caller appends by itself, to save a copy.
    pub fn frame_head(&mut self, path: &[u32], bytes: usize) {
        let head = FrameHead::encode(path, bytes as u64);
        self.raw(&head);
    }
}
