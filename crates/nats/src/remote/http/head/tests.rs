use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn request_of(method: &str, uri: &str, headers: &[(&str, &[u8])]) -> request::Parts {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

/// The bytes of the wire are what other people's tools read: a change shows here.
#[test]
fn golden_bytes() {
    let parts = request_of("PUT", "/a?b=c", &[("host", b"x.example"), ("x-one", b"1"), ("x-one", b"2")]);
    let bytes = encode_request(&parts, &Carried::whole(Bytes::from_static(b"hi"))).unwrap();
    insta::assert_snapshot!(HEXLOWER.encode(&bytes), @"0102686901000301062f613f623d6300000204686f73740109782e6578616d706c6505782d6f6e650201310132");
    let parts = request_of("BREW", "https://x.example:1/p", &[]);
    let bytes = encode_request(&parts, &Carried::default()).unwrap();
    insta::assert_snapshot!(HEXLOWER.encode(&bytes), @"000009044252455701022f700101010b782e6578616d706c653a3100");
    let mut response = http::Response::new(()).into_parts().0;
    response.status = StatusCode::NOT_FOUND;
    response.headers.insert("x-one", HeaderValue::from_static("1"));
    let bytes = encode_response(&response, &Carried::whole(Bytes::from_static(b"no"))).unwrap();
    insta::assert_snapshot!(HEXLOWER.encode(&bytes), @"0001026e6f010094030105782d6f6e65010131");
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("9"))]);
    insta::assert_snapshot!(HEXLOWER.encode(&encode_trailers(Some(&trailers)).unwrap()), @"010105782d73756d010139");
    insta::assert_snapshot!(HEXLOWER.encode(&encode_trailers(None).unwrap()), @"00");
}

fn name() -> impl Strategy<Value = HeaderName> {
    "[a-z][a-z0-9-]{0,12}".prop_map(|name| name.parse().unwrap())
}

fn header_map() -> impl Strategy<Value = HeaderMap> {
    let value = proptest::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..20);
    proptest::collection::vec((name(), value), 0..12).prop_map(|rows| {
        rows.into_iter().map(|(name, value)| (name, HeaderValue::from_bytes(&value).unwrap())).collect()
    })
}

fn carries() -> impl Strategy<Value = Carried> {
    let body = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from));
    let trailers = proptest::option::of(proptest::option::of(header_map()));
    (body, trailers).prop_map(|(body, trailers)| Carried { body, trailers })
}

proptest! {
    #[test]
    fn requests_come_back_as_they_were(
        method in prop_oneof![Just("GET".to_owned()), Just("PATCH".to_owned()), "[A-Z]{1,10}"],
        uri in prop_oneof![Just("/".to_owned()), Just("*".to_owned()), "/[a-z]{0,8}(\\?[a-z=&]{0,8})?", "https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/[a-z]{0,9}"],
        headers in header_map(), carried in carries(),
    ) {
        let mut parts = request_of(&method, &uri, &[]);
        parts.headers = headers;
        let bytes = Bytes::from(encode_request(&parts, &carried).unwrap());
        let (read, also) = decode_request(&bytes).unwrap();
        prop_assert_eq!((&read.method, &read.uri, &read.headers), (&parts.method, &parts.uri, &parts.headers));
        prop_assert_eq!(also, carried);
        for end in 0..bytes.len() {
            prop_assert!(decode_request(&bytes.slice(..end)).is_err());
        }
    }

    #[test]
    fn responses_come_back_as_they_were(status in 100_u16..1000, headers in header_map(), carried in carries()) {
        let mut parts = http::Response::new(()).into_parts().0;
        parts.status = StatusCode::from_u16(status).unwrap();
        parts.headers = headers;
        let bytes = Bytes::from(encode_response(&parts, &carried).unwrap());
        let (read, also) = decode_response(&bytes).unwrap().unwrap();
        prop_assert_eq!((read.status, &read.headers), (parts.status, &parts.headers));
        prop_assert_eq!(also, carried);
    }

    #[test]
    fn bytes_of_strangers_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = decode_request(&bytes);
        let _ = decode_response(&bytes);
        let _ = decode_trailers(&bytes);
    }
}

/// Found by fuzzing: it read as a URI without a path, which no handler expects and no encoder writes.
#[test]
fn an_empty_path_is_the_root() {
    for authority in ["", "x.example"] {
        let mut encoder = Encoder::new(1024);
        put_carried(&mut encoder, &Carried::whole(Bytes::new()));
        put_method(&mut encoder, &Method::GET);
        put_text(&mut encoder, Some(""));
        put_scheme(&mut encoder, None);
        put_text(&mut encoder, Some(authority).filter(|authority| !authority.is_empty()));
        put_fields(&mut encoder, &HeaderMap::new());
        let (parts, _) = decode_request(&Bytes::from(encoder.finish().unwrap())).unwrap();
        assert_eq!(parts.uri.path(), "/", "{authority:?}");
        assert_eq!(parts.uri.authority().map_or("", |authority| authority.as_str()), authority);
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let parts = request_of("GET", "/", &[("x-one", b"1")]);
    let bytes = encode_request(&parts, &Carried::whole(Bytes::new())).unwrap();
    let spoilt = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = bytes.clone();
        bytes.splice(at..at + from.len(), to.iter().copied());
        decode_request(&Bytes::from(bytes)).unwrap_err()
    };
    assert_eq!(spoilt(b"x-one", b"x one"), HeadError::Illegal { what: "the name of a header field" });
    assert_eq!(spoilt(b"\x011", b"\x01\n"), HeadError::Illegal { what: "the value of a header field" });
    assert_eq!(spoilt(b"\x01/", b"\x01 "), HeadError::Illegal { what: "the URI" });
    assert!(matches!(spoilt(b"x-one", b"x-on"), HeadError::Values(_) | HeadError::Illegal { .. }));
}
