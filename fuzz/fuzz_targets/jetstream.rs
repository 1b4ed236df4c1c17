//! Answers of JetStream, as the state of the lattice and the key-value provider read them.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bounded(data, 128, |data| {
        lattice_nats::fuzzing::jetstream(data);
        lattice_provider_keyvalue_nats::fuzzing::jetstream(data);
    });
});
