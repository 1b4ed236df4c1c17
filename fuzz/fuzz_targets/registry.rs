//! What registries send: manifests, failures, challenges; and docker's configuration.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, lattice_registry::fuzzing::registry));
