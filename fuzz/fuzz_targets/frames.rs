//! What stands around the values of a call: names, frames, chunks, cut anywhere.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_nats::fuzzing::frames));
