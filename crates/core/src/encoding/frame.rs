//! Frames: the parts of streams and futures that follow the values.

use super::{DecodeError, leb128};

/// The longest path of a frame that is read. A call's streams stand in its parameters or its result, seldom deeper.
pub const FRAME_PATH_MAX: usize = 16;

/// What stands before a frame's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHead {
    /// Which stream or future of the values it is.
    pub path: Vec<u32>,
    /// How many bytes of data follow.
    pub bytes: u64,
}

impl FrameHead {
    /// The head of a frame with `bytes` of data.
    #[must_use]
    pub fn encode(path: &[u32], bytes: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(12 + path.len());
        leb128::put_unsigned(&mut head, path.len() as u64);
        path.iter().for_each(|&index| leb128::put_unsigned(&mut head, index.into()));
        leb128::put_unsigned(&mut head, bytes);
        head
    }

    /// The head at the start of `read`, and how many bytes it takes; `None` where more has to be read first. A head has at
    /// most `10 + 5 * (1 + FRAME_PATH_MAX)` bytes.
    ///
    /// # Errors
    /// If it is none, its path has more than [`FRAME_PATH_MAX`] parts, or its data more than `bytes_max` bytes.
    pub fn decode(read: &[u8], bytes_max: u64) -> Result<Option<(Self, usize)>, DecodeError> {
        let mut used = 0;
        let mut next = |bits| {
            let Some((value, bytes)) = leb128::unsigned(&read[used..], bits)? else { return Ok(None) };
            used += bytes;
            Ok(Some(value))
        };
        let Some(depth) = next(32)? else { return Ok(None) };
        if depth > FRAME_PATH_MAX as u64 {
            return Err(DecodeError::TooDeep { limit: FRAME_PATH_MAX });
        }
        let mut path = Vec::with_capacity(depth as usize);
        for _ in 0..depth {
            let Some(index) = next(32)? else { return Ok(None) };
            path.push(index as u32);
        }
        let Some(bytes) = next(64)? else { return Ok(None) };
        if bytes > bytes_max {
            return Err(DecodeError::TooLarge { bytes, limit: bytes_max });
        }
        Ok(Some((Self { path, bytes }, used)))
    }
}
