//! The snapshot of the facts on a host's disk.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_nats::fuzzing::snapshot));
