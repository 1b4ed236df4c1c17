//! What a component or module asks for and offers, as `wash inspect` shows it of a file from anywhere.
#![no_main]

// wash is a program, not a library; this file of it stands alone.
#[path = "../../crates/wash/src/wit.rs"]
mod wit;

use lattice_fuzz::{bounded_beside, told};
use libfuzzer_sys::fuzz_target;

/// The parser makes room for as many types as a section promises: at most a million, of 20 bytes.
const PROMISED: usize = 32 << 20;

// A type that is named often is written as often.
fuzz_target!(|data: &[u8]| bounded_beside(PROMISED, data, 1 << 17, read));

fn read(wasm: &[u8]) {
    match wit::surface(wasm) {
        Ok(surface) => {
            surface.imports.iter().chain(&surface.exports).for_each(told);
            assert_eq!(surface.wit.is_some(), surface.format == "component");
        }
        Err(why) => told(&why),
    }
}
