//! One escaping for subject tokens and key parts: a byte that may not stand there becomes `=HH` (upper-case hex).
//!
//! `=` itself is always escaped, so escaping is reversible and two names never meet in one token.

use std::fmt::Write as _;

/// Escapes `text` for one token of a NATS subject. Letters, digits and `_ - : / @ [ ]` stay as they are.
#[must_use]
pub fn escape_token(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_token(&mut out, text);
    out
}

/// Appends what [`escape_token`] makes of `text`.
pub(crate) fn push_token(out: &mut String, text: &str) {
    escape(out, text, |b| matches!(b, b':' | b'/' | b'@' | b'[' | b']'));
}

/// Escapes `text` for one part of a JetStream key. Only letters, digits, `_` and `-` stay as they are.
#[must_use]
pub fn escape_key(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(&mut out, text, |_| false);
    out
}

fn escape(out: &mut String, text: &str, also: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || also(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "={byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

/// Reads back what [`escape_token`] or [`escape_key`] wrote; `None` if `text` is not of their making.
#[must_use]
pub fn unescape(text: &str) -> Option<String> {
    unescape_marked(text, b'=')
}

/// Reads a text in which `mark`, an ASCII character, and two hex digits stand for a byte, as `%` does in URLs; `None` where digits
/// are missing, or the bytes are no text.
#[must_use]
pub fn unescape_marked(text: &str, mark: u8) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != mark {
            out.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stays_and_what_changes() {
        assert_eq!(escape_token("wasi:keyvalue/store@0_2"), "wasi:keyvalue/store@0_2");
        assert_eq!(escape_key("wasi:keyvalue/store"), "wasi=3Akeyvalue=2Fstore");
        assert_eq!(escape_token("a.b*c>d e="), "a=2Eb=2Ac=3Ed=20e=3D");
        assert_eq!(unescape("=G0"), None);
        assert_eq!(unescape("=4"), None);
        assert_eq!(unescape_marked("p%40ss=40%3a1", b'%').as_deref(), Some("p@ss=40:1"));
        assert_eq!(unescape_marked("%ff", b'%'), None);
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(text in ".{0,64}") {
            prop_assert_eq!(unescape(&escape_token(&text)), Some(text.clone()));
            prop_assert_eq!(unescape(&escape_key(&text)), Some(text));
        }

        #[test]
        fn escaped_tokens_hold_nothing_that_splits_a_subject(text in any::<String>()) {
            let token = escape_token(&text);
            prop_assert!(!token.contains(['.', '*', '>', ' ', '\t', '\r', '\n']));
        }
    }
}
