//! Both sides of a call, to each of which anything is said, in any order and at any time.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

// A few bytes of input stand for a message with a body of up to 16 KiB, so the bound is that of the windows.
fuzz_target!(|data: &[u8]| bounded(data, 2048, lattice_nats::fuzzing::call));
