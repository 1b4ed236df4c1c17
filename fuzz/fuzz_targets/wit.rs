//! What a component or module asks for and offers, as `wash inspect` shows it of a file from anywhere.
#![no_main]

// wash is a program, not a library; this file of it stands alone.
#[path = "../../crates/wash/src/wit.rs"]
mod wit;

use lattice_fuzz::{bounded, told};
use libfuzzer_sys::fuzz_target;

// A type that is named often is written as often.
fuzz_target!(|data: &[u8]| bounded(data, 1 << 17, read));

fn read(wasm: &[u8]) {
    match wit::surface(wasm) {
        Ok(surface) => {
            surface.imports.iter().chain(&surface.exports).for_each(told);
            assert_eq!(surface.wit.is_some(), surface.format == "component");
        }
        Err(why) => told(&why),
    }
}
