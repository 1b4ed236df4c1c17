//! Configurations of the built-in providers and of their links; hosts that a link allows, keys of a store.
#![no_main]

use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bounded(data, 256, |data| {
        lattice_provider_http_server::fuzzing::config(data);
        lattice_provider_http_client::fuzzing::config(data);
        lattice_provider_keyvalue_nats::fuzzing::config(data);
    });
});
