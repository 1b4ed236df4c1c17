//! See [`crate::fuzzing`]: what stands around the values of a call.

use bytes::Bytes;
use lattice_core::encoding::{DecodeError, FrameHead};

use super::{
    envelope,
    frames::{Chunk, Chunks, Frames, Part},
};
use crate::fuzzing::Input;

/// Bytes of a call: its envelope, and the frames and chunks after it, which are the same however they are cut.
///
/// # Panics
/// If they are not, or what was read is not written as what reads the same.
pub fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts: Vec<usize> = (0..4).map(|_| usize::from(input.byte().unwrap_or(0)) + 1).collect();
    let bytes = Bytes::copy_from_slice(input.rest());
    if let Ok(params) = envelope::whole_request(bytes.clone()) {
        let written = envelope::request("wasi:keyvalue/store", "get", &params).expect("there is room");
        assert_eq!(envelope::whole_request(written), Ok(params));
    }
    if let Ok(results) = envelope::whole_reply(bytes.clone()) {
        assert_eq!(envelope::whole_reply(envelope::reply(&results)), Ok(results));
    }
    let whole = std::slice::from_ref(&bytes);
    let pieces = cut(&bytes, &cuts);
    assert_eq!(read_frames(whole), read_frames(&pieces));
    assert_eq!(read_chunks(whole), read_chunks(&pieces));
}

fn cut(bytes: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for at in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push(rest.split_to((*at).min(rest.len())));
    }
    pieces
}

/// The frames with as much of their data as there is, and whether it ended in an error.
type Read = (Vec<(FrameHead, Vec<u8>)>, Option<DecodeError>);

fn read_frames(pieces: &[Bytes]) -> Read {
    let (mut reader, mut found) = (Frames::new(1 << 16), Vec::new());
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        reader.push(piece.clone());
        loop {
            match reader.next() {
                Ok(Some(Part::Frame(head))) => found.push((head, Vec::new())),
                Ok(Some(Part::Data(data))) => {
                    let (head, all) = found.last_mut().expect("data belongs to a frame");
                    all.extend_from_slice(&data);
                    assert!(all.len() as u64 <= head.bytes, "no more than the head says");
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// The bytes of a stream up to its end, and whether it has ended; none where it does not read.
fn read_chunks(pieces: &[Bytes]) -> (Vec<u8>, bool) {
    let (mut reader, mut found) = (Chunks::default(), Vec::new());
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        reader.push(piece.clone());
        loop {
            match reader.next() {
                Ok(Some(Chunk::Data(data))) => found.extend_from_slice(&data),
                Ok(None) => break,
                // Bytes after the end are an error where they come in one piece with it, and else whoever reads says so.
                Ok(Some(Chunk::End)) | Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}
