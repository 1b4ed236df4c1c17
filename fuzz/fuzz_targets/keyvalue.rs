//! Key-value operations over the lattice, and what comes of them.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 128, lattice_nats::fuzzing::keyvalue));
