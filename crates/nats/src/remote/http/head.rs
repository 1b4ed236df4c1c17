//! Heads of HTTP messages as component-model values: pure functions between `http`'s types and bytes.
//!
//! The types are those of `wasi:http` as wRPC shapes them, in this order of fields:
//!
//! ```wit
//! type fields = list<tuple<string, list<list<u8>>>>;
//! record request { body: stream<u8>, trailers: future<option<fields>>, method: method, path-with-query: option<string>,
//!                  scheme: option<scheme>, authority: option<string>, headers: fields }
//! record response { body: stream<u8>, trailers: future<option<fields>>, status: u16, headers: fields }
//! handle: func(request: request) -> result<response, error-code>;
//! ```

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request, response,
    uri::{Authority, PathAndQuery, Scheme},
};
use lattice_core::encoding::{DecodeError, DecodeLimits, Decoder, EncodeError, Encoder};

/// What a head may take, a body that is inline included, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 512 * 1024;
/// What trailers may take, in bytes.
pub(super) const TRAILERS_BYTES_MAX: usize = 64 * 1024;
/// Header fields of one message, values of the same name each counted.
const FIELDS_MAX: usize = 4096;

/// Why bytes are no HTTP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// They are no values of these types.
    #[error("the message cannot be read: {0}")]
    Values(#[from] DecodeError),
    /// Something in it is not legal in HTTP.
    #[error("{what} of the message is not legal in HTTP")]
    Illegal {
        /// What.
        what: &'static str,
    },
    /// The message's head is longer than any that is sent.
    #[error("the head of the message takes too much: {0}")]
    TooLarge(#[from] EncodeError),
    /// Bytes where there should be none, or of a part that the message does not have.
    #[error("the message has a part that was not announced")]
    Stray,
}

/// What a head says of the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// The whole body; none where it follows.
    pub(super) body: Option<Bytes>,
    /// The trailers, or that there are none; `None` where that follows.
    pub(super) trailers: Option<Option<HeaderMap>>,
}

impl Carried {
    /// A whole body, and nothing after it.
    pub(super) fn whole(body: Bytes) -> Self {
        Self { body: Some(body), trailers: Some(None) }
    }

    /// True if anything follows the head.
    pub(super) fn has_more(&self) -> bool {
        self.body.is_none() || self.trailers.is_none()
    }
}

/// The parameters of `handle`.
pub(super) fn encode_request(parts: &request::Parts, carried: &Carried) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = encoder(carried);
    put_request(&mut encoder, parts, carried);
    encoder.finish()
}

/// A value of type `request`.
pub(super) fn put_request(encoder: &mut Encoder, parts: &request::Parts, carried: &Carried) {
    put_carried(encoder, carried);
    put_method(encoder, &parts.method);
    put_text(encoder, parts.uri.path_and_query().map(PathAndQuery::as_str));
    put_scheme(encoder, parts.uri.scheme());
    put_text(encoder, parts.uri.authority().map(Authority::as_str));
    put_fields(encoder, &parts.headers);
}

/// The results of `handle` where it went well.
pub(super) fn encode_response(parts: &response::Parts, carried: &Carried) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = encoder(carried);
    encoder.result(true);
    put_carried(&mut encoder, carried);
    encoder.u16(parts.status.as_u16());
    put_fields(&mut encoder, &parts.headers);
    encoder.finish()
}

/// The value of a `future<option<fields>>` that comes in a frame.
pub(super) fn encode_trailers(trailers: Option<&HeaderMap>) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new(TRAILERS_BYTES_MAX);
    put_trailers(&mut encoder, trailers);
    encoder.finish()
}

fn encoder(carried: &Carried) -> Encoder {
    let inline = carried.body.as_ref().map_or(0, Bytes::len);
    Encoder::with_capacity(HEAD_BYTES_MAX, inline + 512)
}

fn put_carried(encoder: &mut Encoder, carried: &Carried) {
    encoder.is_ready(carried.body.is_some());
    if let Some(body) = &carried.body {
        encoder.bytes(body);
    }
    encoder.is_ready(carried.trailers.is_some());
    if let Some(trailers) = &carried.trailers {
        put_trailers(encoder, trailers.as_ref());
    }
}

fn put_trailers(encoder: &mut Encoder, trailers: Option<&HeaderMap>) {
    encoder.option(trailers.is_some());
    if let Some(fields) = trailers {
        put_fields(encoder, fields);
    }
}

fn put_text(encoder: &mut Encoder, text: Option<&str>) {
    encoder.option(text.is_some());
    if let Some(text) = text {
        encoder.str(text);
    }
}

/// The cases of `method` that have a name; the next one has the name as its value.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

fn put_method(encoder: &mut Encoder, method: &Method) {
    match (0..).zip(&METHODS).find(|(_, known)| *known == method) {
        Some((case, _)) => encoder.case(case),
        None => {
            encoder.case(METHODS.len() as u32);
            encoder.str(method.as_str());
        }
    }
}

fn put_scheme(encoder: &mut Encoder, scheme: Option<&Scheme>) {
    encoder.option(scheme.is_some());
    match scheme.map(Scheme::as_str) {
        None => {}
        Some("http") => encoder.case(0),
        Some("https") => encoder.case(1),
        Some(other) => {
            encoder.case(2);
            encoder.str(other);
        }
    }
}

fn put_fields(encoder: &mut Encoder, fields: &HeaderMap) {
    encoder.list(fields.keys_len());
    for name in fields.keys() {
        encoder.str(name.as_str());
        let values = fields.get_all(name);
        encoder.list(values.iter().count());
        for value in values {
            encoder.bytes(value.as_bytes());
        }
    }
}

/// Reads the parameters of `handle`.
pub(super) fn decode_request(bytes: &Bytes) -> Result<(request::Parts, Carried), HeadError> {
    let mut decoder = limited_decoder(bytes)?;
    let read = take_request(&mut decoder, bytes)?;
    decoder.finish()?;
    Ok(read)
}

/// Reads a value of type `request` from the decoder of `bytes`.
pub(super) fn take_request(
    decoder: &mut Decoder<'_>,
    bytes: &Bytes,
) -> Result<(request::Parts, Carried), HeadError> {
    let carried = carried(decoder, bytes)?;
    let method = method(decoder)?;
    let path = text(decoder)?;
    let scheme = scheme(decoder)?;
    let authority = text(decoder)?;
    let headers = fields(decoder)?;
    // The parts of a request begin as those of an empty one: they cannot be made alone.
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method;
    parts.uri = uri(scheme, authority, path)?;
    parts.headers = headers;
    Ok((parts, carried))
}

/// Reads the results of `handle`; the inner error is the number of the contract's error code.
pub(super) fn decode_response(bytes: &Bytes) -> Result<Result<(response::Parts, Carried), u32>, HeadError> {
    decode_response_or(bytes, |decoder| decoder.case(usize::MAX))
}

/// As [`decode_response`], with an own reading of the error code.
pub(super) fn decode_response_or<E>(
    bytes: &Bytes,
    error: impl FnOnce(&mut Decoder<'_>) -> Result<E, DecodeError>,
) -> Result<Result<(response::Parts, Carried), E>, HeadError> {
    let mut decoder = limited_decoder(bytes)?;
    if !decoder.result()? {
        return Ok(Err(error(&mut decoder)?));
    }
    let carried = carried(&mut decoder, bytes)?;
    let status = decoder.u16()?;
    let headers = fields(&mut decoder)?;
    decoder.finish()?;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(status).map_err(|_| HeadError::Illegal { what: "the status" })?;
    parts.headers = headers;
    Ok(Ok((parts, carried)))
}

/// Reads the value of a `future<option<fields>>`.
pub(super) fn decode_trailers(bytes: &Bytes) -> Result<Option<HeaderMap>, HeadError> {
    let mut decoder = limited_decoder(bytes)?;
    let trailers = trailers(&mut decoder)?;
    decoder.finish()?;
    Ok(trailers)
}

/// A decoder of `bytes` that allows what a head may hold.
pub(super) fn limited_decoder(bytes: &Bytes) -> Result<Decoder<'_>, DecodeError> {
    // Each value of a field is an element of its own, as is each field.
    let limits = DecodeLimits { bytes: HEAD_BYTES_MAX, elements: 2 * FIELDS_MAX, depth: 8 };
    Decoder::new(bytes, limits)
}

fn carried(decoder: &mut Decoder<'_>, bytes: &Bytes) -> Result<Carried, DecodeError> {
    let body = if decoder.is_ready()? { Some(bytes.slice_ref(decoder.bytes()?)) } else { None };
    let trailers = if decoder.is_ready()? { Some(trailers(decoder).map_err(values_of)?) } else { None };
    Ok(Carried { body, trailers })
}

/// Trailers inside a head fail as the head does.
fn values_of(error: HeadError) -> DecodeError {
    match error {
        HeadError::Values(error) => error,
        _ => DecodeError::Utf8 { what: "trailer" },
    }
}

fn trailers(decoder: &mut Decoder<'_>) -> Result<Option<HeaderMap>, HeadError> {
    if decoder.option()? { Ok(Some(fields(decoder)?)) } else { Ok(None) }
}

fn text<'a>(decoder: &mut Decoder<'a>) -> Result<Option<&'a str>, DecodeError> {
    if decoder.option()? { Ok(Some(decoder.str()?)) } else { Ok(None) }
}

fn method(decoder: &mut Decoder<'_>) -> Result<Method, HeadError> {
    let case = decoder.case(METHODS.len() + 1)?;
    match METHODS.get(case as usize) {
        Some(known) => Ok(known.clone()),
        None => decoder.str()?.parse().map_err(|_| HeadError::Illegal { what: "the method" }),
    }
}

fn scheme<'a>(decoder: &mut Decoder<'a>) -> Result<Option<&'a str>, HeadError> {
    if !decoder.option()? {
        return Ok(None);
    }
    Ok(Some(match decoder.case(3)? {
        0 => "http",
        1 => "https",
        _ => decoder.str()?,
    }))
}

fn uri(scheme: Option<&str>, authority: Option<&str>, path: Option<&str>) -> Result<Uri, HeadError> {
    // An empty path is the root, as everywhere in HTTP; `Uri` takes it as it stands, and is then written as another.
    let path = path.map(|path| if path.is_empty() { "/" } else { path });
    let mut builder = Uri::builder();
    if let Some(authority) = authority {
        builder = builder.authority(authority);
        // A URI with an authority and a path has a scheme; who left it out means the usual one. `CONNECT` has no path.
        if let Some(scheme) = scheme.or(path.map(|_| "http")) {
            builder = builder.scheme(scheme);
        }
    }
    if let Some(path) = path.or(authority.and(scheme).map(|_| "/")) {
        builder = builder.path_and_query(path);
    }
    match (authority, path) {
        (None, None) => Ok(Uri::from_static("/")),
        _ => builder.build().map_err(|_| HeadError::Illegal { what: "the URI" }),
    }
}

fn fields(decoder: &mut Decoder<'_>) -> Result<HeaderMap, HeadError> {
    let count = decoder.list()?;
    let mut fields = HeaderMap::with_capacity(count.min(64));
    for _ in 0..count {
        let name: HeaderName = HeaderName::from_bytes(decoder.bytes()?)
            .map_err(|_| HeadError::Illegal { what: "the name of a header field" })?;
        for _ in 0..decoder.list()? {
            let value = HeaderValue::from_bytes(decoder.bytes()?)
                .map_err(|_| HeadError::Illegal { what: "the value of a header field" })?;
            // Beyond the map's own bound of 24,576 names it says so; ours is lower.
            fields
                .try_append(name.clone(), value)
                .map_err(|_| HeadError::Illegal { what: "the number of header fields" })?;
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
