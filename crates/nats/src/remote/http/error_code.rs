//! The error codes of `wasi:http`, as far as calls meet them.

use lattice_contracts::http::OutgoingError;
use lattice_core::encoding::{DecodeError, Decoder, Encoder};

/// What follows the number of a code: its fields, each an option or a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Text,
    Unsigned,
    Byte,
}

/// Every code by its number: its name, and its fields. All fields are options; a code with `true` has the option of all its
/// fields.
const CODES: [(&str, bool, &[Field]); 39] = {
    use Field::{Byte, Text, Unsigned};
    const NONE: &[Field] = &[];
    const SIZE: &[Field] = &[Unsigned];
    const FIELD_SIZE: &[Field] = &[Text, Unsigned];
    [
        ("DNS-timeout", false, NONE),
        ("DNS-error", false, &[Text, Unsigned]),
        ("destination-not-found", false, NONE),
        ("destination-unavailable", false, NONE),
        ("destination-IP-prohibited", false, NONE),
        ("destination-IP-unroutable", false, NONE),
        ("connection-refused", false, NONE),
        ("connection-terminated", false, NONE),
        ("connection-timeout", false, NONE),
        ("connection-read-timeout", false, NONE),
        ("connection-write-timeout", false, NONE),
        ("connection-limit-reached", false, NONE),
        ("TLS-protocol-error", false, NONE),
        ("TLS-certificate-error", false, NONE),
        ("TLS-alert-received", false, &[Byte, Text]),
        ("HTTP-request-denied", false, NONE),
        ("HTTP-request-length-required", false, NONE),
        ("HTTP-request-body-size", false, SIZE),
        ("HTTP-request-method-invalid", false, NONE),
        ("HTTP-request-URI-invalid", false, NONE),
        ("HTTP-request-URI-too-long", false, NONE),
        ("HTTP-request-header-section-size", false, SIZE),
        ("HTTP-request-header-size", true, FIELD_SIZE),
        ("HTTP-request-trailer-section-size", false, SIZE),
        ("HTTP-request-trailer-size", false, FIELD_SIZE),
        ("HTTP-response-incomplete", false, NONE),
        ("HTTP-response-header-section-size", false, SIZE),
        ("HTTP-response-header-size", false, FIELD_SIZE),
        ("HTTP-response-body-size", false, SIZE),
        ("HTTP-response-trailer-section-size", false, SIZE),
        ("HTTP-response-trailer-size", false, FIELD_SIZE),
        ("HTTP-response-transfer-coding", false, &[Text]),
        ("HTTP-response-content-coding", false, &[Text]),
        ("HTTP-response-timeout", false, NONE),
        ("HTTP-upgrade-failed", false, NONE),
        ("HTTP-protocol-error", false, NONE),
        ("loop-detected", false, NONE),
        ("configuration-error", false, NONE),
        ("internal-error", false, &[Text]),
    ]
};

const DNS: u32 = 1;
const UNAVAILABLE: u32 = 3;
const REFUSED: u32 = 6;
const CONNECT_TIMEOUT: u32 = 8;
const READ_TIMEOUT: u32 = 9;
const TLS: u32 = 12;
const DENIED: u32 = 15;
const URI: u32 = 19;
const RESPONSE_TIMEOUT: u32 = 33;
const PROTOCOL: u32 = 35;
const INTERNAL: u32 = 38;

/// The name of a code.
pub(super) fn name(code: u32) -> &'static str {
    CODES.get(code as usize).map_or("unknown", |(name, ..)| name)
}

/// Writes the code that says what `error` does.
pub(super) fn encode(encoder: &mut Encoder, error: &OutgoingError) {
    let (code, text) = match error {
        OutgoingError::Denied { .. } => (DENIED, None),
        OutgoingError::Dns { why, .. } => (DNS, Some(why.clone())),
        OutgoingError::Refused { .. } => (REFUSED, None),
        OutgoingError::Timeout { phase: "connect", .. } => (CONNECT_TIMEOUT, None),
        OutgoingError::Timeout { phase: "between bytes", .. } => (READ_TIMEOUT, None),
        OutgoingError::Timeout { .. } => (RESPONSE_TIMEOUT, None),
        OutgoingError::Tls { .. } => (TLS, None),
        OutgoingError::Request { .. } => (URI, None),
        OutgoingError::Protocol { .. } => (PROTOCOL, None),
        other => (INTERNAL, Some(other.to_string())),
    };
    encoder.case(code);
    let (_, _, fields) = CODES[code as usize];
    for field in fields {
        let text = text.as_deref().filter(|_| *field == Field::Text);
        encoder.option(text.is_some());
        if let Some(text) = text {
            encoder.str(text);
        }
    }
}

/// Reads a code, as the error of a request to `authority`.
pub(super) fn decode(decoder: &mut Decoder<'_>, authority: &str) -> Result<OutgoingError, DecodeError> {
    let code = decoder.case(CODES.len())?;
    let (name, optional, fields) = CODES[code as usize];
    let mut text = None;
    if !optional || decoder.option()? {
        for field in fields.iter().copied() {
            if !decoder.option()? {
                continue;
            }
            match field {
                Field::Text => text = Some(decoder.str()?.to_owned()),
                Field::Unsigned => drop(decoder.u64()?),
                Field::Byte => drop(decoder.u8()?),
            }
        }
    }
    let authority = authority.to_owned();
    let why = text.unwrap_or_else(|| format!("{name}, as the HTTP client on another host says"));
    Ok(match code {
        DENIED => OutgoingError::Denied { authority, why },
        DNS => OutgoingError::Dns { authority, why },
        UNAVAILABLE | REFUSED => OutgoingError::Refused { authority },
        CONNECT_TIMEOUT => OutgoingError::Timeout { authority, phase: "connect" },
        READ_TIMEOUT => OutgoingError::Timeout { authority, phase: "between bytes" },
        RESPONSE_TIMEOUT => OutgoingError::Timeout { authority, phase: "first byte" },
        TLS => OutgoingError::Tls { authority, why },
        URI => OutgoingError::Request { why },
        _ => OutgoingError::Protocol { authority, why },
    })
}

#[cfg(test)]
mod tests {
    use lattice_core::encoding::DecodeLimits;

    use super::*;

    fn there_and_back(error: &OutgoingError) -> String {
        let mut encoder = Encoder::new(1024);
        encode(&mut encoder, error);
        let bytes = encoder.finish().unwrap();
        let mut decoder = Decoder::new(&bytes, DecodeLimits::default()).unwrap();
        let read = decode(&mut decoder, "x.example:1").unwrap();
        decoder.finish().unwrap();
        read.to_string()
    }

    #[test]
    fn what_an_actor_can_tell_apart_stays_apart() {
        let authority = || "x.example:1".to_owned();
        for (error, same) in [
            (OutgoingError::Refused { authority: authority() }, true),
            (OutgoingError::Dns { authority: authority(), why: "no such name".into() }, true),
            (OutgoingError::Timeout { authority: authority(), phase: "connect" }, true),
            (OutgoingError::Timeout { authority: authority(), phase: "first byte" }, true),
            (OutgoingError::Timeout { authority: authority(), phase: "between bytes" }, true),
            (OutgoingError::Denied { authority: authority(), why: "private".into() }, false),
            (OutgoingError::Tls { authority: authority(), why: "expired".into() }, false),
        ] {
            let read = there_and_back(&error);
            assert_eq!(read == error.to_string(), same, "{read}");
        }
        let denied = OutgoingError::Denied { authority: authority(), why: "private".into() };
        assert!(there_and_back(&denied).starts_with("request to x.example:1 denied: HTTP-request-denied"));
    }

    #[test]
    fn every_code_is_read_with_all_its_fields() {
        for (code, (_, optional, fields)) in (0..).zip(CODES) {
            let mut encoder = Encoder::new(1024);
            encoder.case(code);
            if optional {
                encoder.option(true);
            }
            for field in fields {
                encoder.option(true);
                match field {
                    Field::Text => encoder.str("x"),
                    Field::Unsigned => encoder.u64(300),
                    Field::Byte => encoder.u8(3),
                }
            }
            let bytes = encoder.finish().unwrap();
            let mut decoder = Decoder::new(&bytes, DecodeLimits::default()).unwrap();
            decode(&mut decoder, "x").unwrap();
            decoder.finish().unwrap();
        }
    }
}
