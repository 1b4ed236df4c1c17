//! What stands before the values of a call: the invocation, as wRPC writes it, and the frame of the values themselves.
//!
//! There: 0 (the encoding's version), the interface, the function, then frames, the first of which has the empty path and
//! holds the parameters. Back: frames alone, the first with the empty path and the results.

use bytes::{Buf as _, Bytes, BytesMut};
use lattice_core::encoding::{DecodeError, DecodeLimits, Decoder, EncodeError, Encoder, FrameHead};

/// The version of wRPC's framing.
const VERSION: u8 = 0;
/// What the names of interface and function may take, in bytes.
const NAMES_BYTES_MAX: usize = 1024;

/// The bytes there of a call whose parameters are complete.
pub(super) fn request(interface: &str, function: &str, params: &[u8]) -> Result<Bytes, EncodeError> {
    let limit = params.len().saturating_add(NAMES_BYTES_MAX);
    let names = interface.len() + function.len();
    let mut encoder = Encoder::with_capacity(limit, params.len() + names + 16);
    encoder.u8(VERSION);
    encoder.str(interface);
    encoder.str(function);
    encoder.frame(&[], params);
    encoder.finish().map(Bytes::from)
}

/// The bytes back of a call whose results are complete.
pub(super) fn reply(results: &[u8]) -> Bytes {
    let mut bytes = BytesMut::from(&FrameHead::encode(&[], results.len() as u64)[..]);
    bytes.extend_from_slice(results);
    bytes.freeze()
}

/// Takes the names off the start of a call's bytes: what is left are frames. `None` where more bytes are needed.
///
/// What the names say is not looked at: who is called stands in the subject, which the broker has checked.
pub(super) fn open_request(bytes: &mut Bytes) -> Result<Option<()>, DecodeError> {
    let limits = DecodeLimits { bytes: usize::MAX, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(bytes, limits)?;
    let read = (|| {
        let version = decoder.u8()?;
        if version != VERSION {
            return Err(DecodeError::Tag { what: "version of wRPC", byte: version });
        }
        decoder.str()?;
        decoder.str()?;
        Ok(())
    })();
    let used = bytes.len() - decoder.rest().len();
    match read {
        Ok(()) => {
            bytes.advance(used);
            Ok(Some(()))
        }
        Err(DecodeError::Truncated) if bytes.len() <= NAMES_BYTES_MAX => Ok(None),
        Err(error) => Err(error),
    }
}

/// The values of a reply that is there as a whole.
pub(super) fn whole_reply(mut bytes: Bytes) -> Result<Bytes, DecodeError> {
    let (head, used) = FrameHead::decode(&bytes, bytes.len() as u64)?.ok_or(DecodeError::Truncated)?;
    bytes.advance(used);
    let more = bytes.len() as u64;
    match (head.path.is_empty(), more.cmp(&head.bytes)) {
        (true, std::cmp::Ordering::Equal) => Ok(bytes),
        (_, std::cmp::Ordering::Less) => Err(DecodeError::Truncated),
        _ => Err(DecodeError::Trailing { bytes: bytes.len() }),
    }
}

/// The parameters of a call that is there as a whole.
pub(super) fn whole_request(mut bytes: Bytes) -> Result<Bytes, DecodeError> {
    open_request(&mut bytes)?.ok_or(DecodeError::Truncated)?;
    whole_reply(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_as_wrpc_writes_it() {
        let bytes = request("wasi:keyvalue/store", "get", b"\x01a\x01b").unwrap();
        assert_eq!(&bytes[..], b"\x00\x13wasi:keyvalue/store\x03get\x00\x04\x01a\x01b");
        assert_eq!(&whole_request(bytes.clone()).unwrap()[..], b"\x01a\x01b");
        for end in 0..bytes.len() {
            assert!(whole_request(bytes.slice(..end)).is_err());
        }
        let longer: Bytes = bytes.iter().copied().chain([0]).collect();
        assert!(whole_request(longer).is_err());
        assert_eq!(whole_reply(reply(b"xyz")).unwrap(), "xyz");
        assert!(whole_reply(Bytes::from_static(b"\x01\x00\x01a")).is_err(), "a frame of a stream");
    }
}
