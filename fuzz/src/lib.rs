//! What all fuzz targets share: the bound on memory, and what may be said of a stranger's bytes.

use std::fmt::Display;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What may be taken whatever the input: tables that are made once, buffers that have a size of their own, in bytes.
const FREE: usize = 2 << 20;

/// Hands `data` to `read`, which may take `times` as much memory as there are bytes, beside 2 MiB.
///
/// # Panics
/// If it takes more. Whoever promises much in few bytes gets that much otherwise.
pub fn bounded(data: &[u8], times: usize, read: impl FnOnce(&[u8])) {
    bounded_beside(FREE, data, times, read);
}

/// The same beside `free` bytes instead of 2 MiB, for a library that makes room for what is promised up to a limit of its own.
///
/// # Panics
/// If it takes more.
pub fn bounded_beside(free: usize, data: &[u8], times: usize, read: impl FnOnce(&[u8])) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    read(data);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let may = free + times * data.len();
    assert!(taken <= may, "{} bytes of input took {taken} bytes of memory, and {may} are much", data.len());
}

/// What a refusal says.
///
/// # Panics
/// If it holds a character that does something to a terminal, or begins another line of a log.
pub fn told(refusal: impl Display) {
    let words = refusal.to_string();
    assert!(!words.contains(char::is_control), "{words:?}");
}

/// The text, or nothing.
#[must_use]
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
