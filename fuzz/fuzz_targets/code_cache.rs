//! Entries of the cache of compiled code, up to where the engine would take them.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 64, lattice_code_cache::fuzzing::entry));
