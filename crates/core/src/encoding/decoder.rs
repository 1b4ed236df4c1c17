//! Bytes to values.

use super::leb128;

/// Why bytes are no values of the types asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They end in the middle of a value.
    #[error("the bytes end in the middle of a value")]
    Truncated,
    /// There are bytes after the last value.
    #[error("{bytes} bytes follow the last value")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// An integer has no room in its type.
    #[error("an integer does not fit {bits} bits")]
    Integer {
        /// The bits of the type.
        bits: u32,
    },
    /// A byte that can be 0 or 1 is neither.
    #[error("{byte} stands where 0 or 1 must: a {what}")]
    Tag {
        /// What it is the head of.
        what: &'static str,
        /// The byte.
        byte: u8,
    },
    /// A string or char is not UTF-8.
    #[error("a {what} is not UTF-8")]
    Utf8 {
        /// Which of the two.
        what: &'static str,
    },
    /// A variant or enum has no such case.
    #[error("case {case} of a type that has {cases}")]
    Case {
        /// The case asked for.
        case: u32,
        /// How many there are.
        cases: usize,
    },
    /// A flag is set that the type does not have.
    #[error("a flag is set that the type does not have: it has {flags}")]
    Flag {
        /// How many there are.
        flags: usize,
    },
    /// More bytes than are read.
    #[error("{bytes} bytes, and at most {limit} are read")]
    TooLarge {
        /// How many there are.
        bytes: u64,
        /// How many may be.
        limit: u64,
    },
    /// Lists have more elements, all together, than are read.
    #[error("lists of more than {limit} elements in all")]
    TooMany {
        /// How many may be.
        limit: usize,
    },
    /// Values nest deeper than is read.
    #[error("values nest deeper than {limit}")]
    TooDeep {
        /// How deep they may.
        limit: usize,
    },
}

/// What is read at most: a value in memory is many times larger than its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes in all.
    pub bytes: usize,
    /// Elements of all lists together; `list<u8>` read as bytes, and strings, do not count.
    pub elements: usize,
    /// How deep values nest, for those who say [`Decoder::enter`].
    pub depth: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024 * 1024, elements: 1024 * 1024, depth: 64 }
    }
}

/// Reads values one after the other, as [`super`] describes, without copying strings and byte lists.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    elements: usize,
    depth: usize,
    limits: DecodeLimits,
}

impl<'a> Decoder<'a> {
    /// A decoder of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] where there are more than `limits` allow.
    pub fn new(bytes: &'a [u8], limits: DecodeLimits) -> Result<Self, DecodeError> {
        if bytes.len() > limits.bytes {
            let (bytes, limit) = (bytes.len() as u64, limits.bytes as u64);
            return Err(DecodeError::TooLarge { bytes, limit });
        }
        Ok(Self { rest: bytes, elements: 0, depth: 0, limits })
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] where something is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing { bytes: self.rest.len() }) }
    }

    /// Goes one level deeper, into a value that holds others.
    ///
    /// # Errors
    /// [`DecodeError::TooDeep`] at the limit.
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth >= self.limits.depth {
            return Err(DecodeError::TooDeep { limit: self.limits.depth });
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back up.
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn raw(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn unsigned(&mut self, bits: u32) -> Result<u64, DecodeError> {
        let (value, used) = leb128::unsigned(self.rest, bits)?.ok_or(DecodeError::Truncated)?;
        self.rest = &self.rest[used..];
        Ok(value)
    }

    fn signed(&mut self, bits: u32) -> Result<i64, DecodeError> {
        let (value, used) = leb128::signed(self.rest, bits)?.ok_or(DecodeError::Truncated)?;
        self.rest = &self.rest[used..];
        Ok(value)
    }

    fn tag(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(DecodeError::Tag { what, byte }),
        }
    }

    /// A truth value.
    ///
    /// # Errors
    /// If the byte is neither 0 nor 1, or there is none. Every method's errors are those of [`DecodeError`].
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.tag("bool")
    }

    /// A byte.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.fixed().map(u8::from_le_bytes)
    }

    /// A signed byte.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn s8(&mut self) -> Result<i8, DecodeError> {
        self.fixed().map(i8::from_le_bytes)
    }

    /// An unsigned integer of 16 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.unsigned(16).map(|value| value as u16)
    }

    /// An unsigned integer of 32 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.unsigned(32).map(|value| value as u32)
    }

    /// An unsigned integer of 64 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.unsigned(64)
    }

    /// A signed integer of 16 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn s16(&mut self) -> Result<i16, DecodeError> {
        self.signed(16).map(|value| value as i16)
    }

    /// A signed integer of 32 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn s32(&mut self) -> Result<i32, DecodeError> {
        self.signed(32).map(|value| value as i32)
    }

    /// A signed integer of 64 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn s64(&mut self) -> Result<i64, DecodeError> {
        self.signed(64)
    }

    /// A float of 32 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        self.fixed().map(f32::from_le_bytes)
    }

    /// A float of 64 bits.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.fixed().map(f64::from_le_bytes)
    }

    /// A character.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn char(&mut self) -> Result<char, DecodeError> {
        let first = *self.rest.first().ok_or(DecodeError::Truncated)?;
        let bytes = match first {
            0xf0.. => 4,
            0xe0.. => 3,
            0xc0.. => 2,
            _ => 1,
        };
        let no = DecodeError::Utf8 { what: "char" };
        let text = std::str::from_utf8(self.raw(bytes)?).map_err(|_| no.clone())?;
        text.chars().next().ok_or(no)
    }

    /// A string.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn str(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Utf8 { what: "string" })
    }

    /// A `list<u8>`, as bytes.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let count = self.unsigned(32)?;
        self.raw(usize::try_from(count).map_err(|_| DecodeError::Truncated)?)
    }

    /// The head of a list: how many elements follow. That many can be there, so room for them may be made: each takes a
    /// byte at least.
    ///
    /// # Errors
    /// As [`Decoder::bool`]; [`DecodeError::TooMany`] at the limit of all lists together.
    pub fn list(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.unsigned(32)?).map_err(|_| DecodeError::Truncated)?;
        if count > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > self.limits.elements {
            return Err(DecodeError::TooMany { limit: self.limits.elements });
        }
        Ok(count)
    }

    /// The head of an option: true if a value follows.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn option(&mut self) -> Result<bool, DecodeError> {
        self.tag("option")
    }

    /// The head of a result: true if its value follows, false if its error does, where the type has one.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn result(&mut self) -> Result<bool, DecodeError> {
        self.tag("result").map(|is_err| !is_err)
    }

    /// Which of the `cases` of a variant or enum it is.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn case(&mut self, cases: usize) -> Result<u32, DecodeError> {
        let case = self.u32()?;
        if case as usize >= cases { Err(DecodeError::Case { case, cases }) } else { Ok(case) }
    }

    /// The bits of `count` flags, the first the lowest of the first byte.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn flags(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let bits = self.raw(count.div_ceil(8))?;
        match bits.last() {
            Some(last) if !count.is_multiple_of(8) && last >> (count % 8) != 0 => {
                Err(DecodeError::Flag { flags: count })
            }
            _ => Ok(bits),
        }
    }

    /// The head of a stream or future: true if all of it follows here, false if it comes in frames.
    ///
    /// # Errors
    /// As [`Decoder::bool`].
    pub fn is_ready(&mut self) -> Result<bool, DecodeError> {
        self.tag("stream")
    }
}
