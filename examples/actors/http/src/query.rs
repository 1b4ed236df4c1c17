//! Query strings: the value of one key, percent-decoded.

/// The value of `key` in the query string, decoded; `None` when the key is absent.
pub fn query_value(query: &str, key: &str) -> Option<String> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| decode(value.as_bytes()))
}

/// Undoes `%HH` and `+`. A `%` that starts no escape stays as it is; bytes that are no UTF-8 become `U+FFFD`.
fn decode(mut rest: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, used) = match first {
            b'+' => (b' ', 1),
            b'%' => tail.get(..2).and_then(hex_byte).map_or((b'%', 1), |byte| (byte, 3)),
            other => (other, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = value(digits[0])? * 16 + value(digits[1])?;
    u8::try_from(byte).ok()
}
