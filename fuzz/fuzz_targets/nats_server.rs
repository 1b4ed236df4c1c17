//! What a NATS server says when it refuses, and addresses of servers.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_nats::fuzzing::server));
