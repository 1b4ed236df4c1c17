//! The names outside a component, which are read before anything of it is compiled.
#![no_main]

use lattice_fuzz::bounded;
use lattice_runtime::fuzzing::outside;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bounded(data, 512, |data| {
        outside(data);
    });
});
