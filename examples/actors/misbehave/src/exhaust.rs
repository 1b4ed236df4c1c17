//! Uses up one thing each: time, memory, stack, log space, handles.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use wasip2::http::types::Fields;

const MIB: usize = 1024 * 1024;

/// Computes for ever, without a call to the host.
pub(crate) fn spin() -> String {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Allocates and touches memory until the host refuses more, and tells how much it got.
pub(crate) fn memory() -> String {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        if held.try_reserve(1).is_err() || block.try_reserve_exact(MIB).is_err() {
            let mib = held.len();
            // Everything goes back first: the answer needs a little memory itself.
            drop(held);
            return format!("refused after {mib} MiB\n");
        }
        block.resize(MIB, 1);
        held.push(black_box(block));
    }
}

/// Recurses until the stack is full.
pub(crate) fn stack() -> String {
    format!("{}\n", descend(black_box(0)))
}

// The rotation keeps the compiler from making a loop of it.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 1 } else { (descend(depth + 1) ^ depth).rotate_left(7) }
}

/// Prints `bytes` bytes to standard output and as many to standard error, in lines of 64.
pub(crate) fn print(bytes: u64) -> String {
    let line = [&[b'x'; 63][..], b"\n"].concat();
    for _ in 0..bytes / line.len() as u64 {
        // A host that drops output is no reason to stop: that it is bounded is what is tested.
        let _ = std::io::stdout().write_all(&line);
        let _ = std::io::stderr().write_all(&line);
    }
    format!("printed {bytes} bytes twice\n")
}

/// Waits without using processor time.
pub(crate) fn sleep_ms(ms: u64) -> String {
    std::thread::sleep(Duration::from_millis(ms));
    format!("slept {ms} ms\n")
}

/// Makes `n` host handles and forgets them.
pub(crate) fn leak_handles(n: u64) -> String {
    for _ in 0..n {
        std::mem::forget(Fields::new());
    }
    format!("leaked {n} handles\n")
}
