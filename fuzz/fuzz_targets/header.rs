//! The header `W` of every message of a call.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 64, lattice_nats::fuzzing::header));
