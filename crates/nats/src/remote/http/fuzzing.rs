//! See [`crate::fuzzing`]: HTTP messages over the lattice.

use bytes::Bytes;
use futures::{FutureExt as _, stream};
use http_body_util::BodyExt as _;
use lattice_contracts::http::Body;
use lattice_core::{Hop, HostId, ProviderId};

use super::{
    head::{
        decode_request, decode_response, decode_trailers, encode_request, encode_response, encode_trailers,
    },
    incoming, outgoing,
};
use crate::{Inbound, fuzzing::Input, remote::Pieces};

/// Which message it is, four lengths at which it is cut, and its bytes.
///
/// # Panics
/// If a message that was read is not written as one that reads the same, or a body brings more bytes than came.
pub fn http_message(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.byte().unwrap_or(0);
    let cuts: Vec<usize> = (0..4).map(|_| usize::from(input.byte().unwrap_or(0)) + 1).collect();
    let bytes = Bytes::copy_from_slice(input.rest());
    match which % 7 {
        0 => request_head(&bytes),
        1 => response_head(&bytes),
        2 => trailers(&bytes),
        3 => {
            let read = incoming::read_request(cut(&bytes, &cuts), hop()).now_or_never();
            if let Ok(request) = read.expect("all pieces are there") {
                drain(request.into_body(), bytes.len());
            }
        }
        4 => {
            let read = incoming::read_response(cut(&bytes, &cuts), hop()).now_or_never();
            if let Ok(response) = read.expect("all pieces are there") {
                drain(response.into_body(), bytes.len());
            }
        }
        5 => {
            let read = outgoing::read_request(cut(&bytes, &cuts), hop()).now_or_never();
            if let Ok((request, _)) = read.expect("all pieces are there") {
                drain(request.into_body(), bytes.len());
            }
        }
        _ => {
            let read = outgoing::response(inbound(&bytes), "x.example:1", hop()).now_or_never();
            if let Ok(response) = read.expect("all is there") {
                drain(response.into_body(), bytes.len());
            }
        }
    }
}

fn hop() -> Hop {
    Hop::Provider(ProviderId::new("p").expect("one letter is an id"))
}

fn inbound(bytes: &Bytes) -> Inbound {
    let host = HostId::new(format!("N{}", "A".repeat(55))).expect("it has the form of one");
    Inbound::complete(bytes.clone(), Hop::Host(host))
}

fn cut(bytes: &Bytes, cuts: &[usize]) -> Pieces {
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for at in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push(Ok(rest.split_to((*at).min(rest.len()))));
    }
    Box::pin(stream::iter(pieces))
}

fn drain(body: Body, came: usize) {
    let read = body.collect().now_or_never().expect("all pieces are there");
    if let Ok(body) = read {
        assert!(body.to_bytes().len() <= came, "no more than came");
    }
}

fn request_head(bytes: &Bytes) {
    let Ok((parts, carried)) = decode_request(bytes) else { return };
    let written = Bytes::from(encode_request(&parts, &carried).expect("it has come in a message"));
    let (again, also) = decode_request(&written).expect("what is written reads");
    assert_eq!((&again.method, &again.uri, &again.headers), (&parts.method, &parts.uri, &parts.headers));
    assert_eq!(also, carried);
}

fn response_head(bytes: &Bytes) {
    let Ok(Ok((parts, carried))) = decode_response(bytes) else { return };
    let written = Bytes::from(encode_response(&parts, &carried).expect("it has come in a message"));
    let (again, also) = decode_response(&written).expect("what is written reads").expect("as a response");
    assert_eq!((again.status, &again.headers), (parts.status, &parts.headers));
    assert_eq!(also, carried);
}

fn trailers(bytes: &Bytes) {
    let Ok(read) = decode_trailers(bytes) else { return };
    let Ok(written) = encode_trailers(read.as_ref()) else { return };
    assert_eq!(decode_trailers(&Bytes::from(written)), Ok(read));
}
