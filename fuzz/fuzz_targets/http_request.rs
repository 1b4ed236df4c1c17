//! The head of a request from outside: which host it is for, what of it travels on, which route it takes.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 128, lattice_provider_http_server::fuzzing::request));
