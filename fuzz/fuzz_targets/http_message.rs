//! HTTP messages over the lattice, in both directions: heads, trailers, bodies in frames.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_nats::fuzzing::http_message));
