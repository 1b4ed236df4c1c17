//! Integers in seven bits a byte, least significant first, the top bit set on all but the last.

use super::DecodeError;

/// Appends an unsigned integer.
pub(super) fn put_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value as u8) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a signed integer.
pub(super) fn put_signed(bytes: &mut Vec<u8>, mut value: i64) {
    loop {
        let low = (value as u8) & 0x7f;
        value >>= 7;
        // The last byte's second bit is the sign of all that is not written.
        let done = (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0);
        bytes.push(if done { low } else { low | 0x80 });
        if done {
            return;
        }
    }
}

/// An unsigned integer of at most `bits` bits, and how many bytes it takes; `None` where the bytes end before it does.
pub(super) fn unsigned(bytes: &[u8], bits: u32) -> Result<Option<(u64, usize)>, DecodeError> {
    let mut value = 0_u64;
    for (index, shift) in (0..bits).step_by(7).enumerate() {
        let Some(&byte) = bytes.get(index) else { return Ok(None) };
        let low = u64::from(byte & 0x7f);
        let last = shift + 7 >= bits;
        if last && (byte & 0x80 != 0 || low >> (bits - shift) != 0) {
            return Err(DecodeError::Integer { bits });
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    Err(DecodeError::Integer { bits })
}

/// As [`unsigned`], with a sign.
pub(super) fn signed(bytes: &[u8], bits: u32) -> Result<Option<(i64, usize)>, DecodeError> {
    let mut value = 0_i64;
    for (index, shift) in (0..bits).step_by(7).enumerate() {
        let Some(&byte) = bytes.get(index) else { return Ok(None) };
        let low = byte & 0x7f;
        let last = shift + 7 >= bits;
        if last {
            // What the integer has no room for must all be its sign.
            let sign_and_more = low >> (bits - shift - 1);
            let all_ones = 0x7f >> (bits - shift - 1);
            if byte & 0x80 != 0 || (sign_and_more != 0 && sign_and_more != all_ones) {
                return Err(DecodeError::Integer { bits });
            }
        }
        value |= i64::from(low) << shift;
        if byte & 0x80 == 0 {
            if low & 0x40 != 0 && shift + 7 < 64 {
                value |= -1 << (shift + 7);
            }
            return Ok(Some((value, index + 1)));
        }
    }
    Err(DecodeError::Integer { bits })
}
