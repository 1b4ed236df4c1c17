//! Facts as they stand in the bucket, under their keys.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_nats::fuzzing::fact));
