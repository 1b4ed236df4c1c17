//! Component-model values as bytes, in the encoding of wRPC: what calls carry between hosts.
//!
//! | type | bytes |
//! |---|---|
//! | `bool`, `u8`, `s8` | one byte |
//! | `u16` to `u64` | unsigned LEB128; `s16` to `s64` signed LEB128 |
//! | `f32`, `f64` | little endian; every NaN is written as the canonical one |
//! | `char` | its UTF-8 |
//! | `string`, `list<u8>` | length as `u32`, then the bytes |
//! | `list<t>` | count as `u32`, then the elements |
//! | `option<t>` | 0, or 1 and the value |
//! | `result<t, e>` | 0 and the value, or 1 and the error |
//! | record, tuple | the fields one after the other, nothing between them |
//! | variant, enum | which case as `u32`, then its value |
//! | flags | one bit for each, the first the lowest, in as few bytes as hold them |
//! | `stream<t>`, `future<t>` | 1 and the whole value (a stream's as a list), or 0: it follows in frames |
//!
//! A *frame* is a part of a stream or future that follows: path (count, then each index, as `u32`), length as `u64`, data.
//! A path names the part by its place in the values: `[2]` is the third parameter. The frames of `stream<u8>` carry chunks,
//! each a `list<u8>`; an empty chunk ends the stream.
//!
//! Nothing is aligned and nothing names its type: both sides know the types, or the bytes mean nothing.
//!
//! The decoder holds bytes of strangers: a length that is not there is an error before anything is allocated for it.

mod decoder;
mod encoder;
mod frame;
mod leb128;

pub use decoder::{DecodeError, DecodeLimits, Decoder};
pub use encoder::{EncodeError, Encoder};
pub use frame::{FRAME_PATH_MAX, FrameHead};

#[cfg(test)]
mod tests;
