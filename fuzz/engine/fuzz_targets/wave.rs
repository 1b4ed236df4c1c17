//! Arguments as text, and the name of a function, as whoever calls a component by hand sends them.
#![no_main]

use lattice_fuzz::bounded;
use lattice_runtime::fuzzing::{ready, wave};
use libfuzzer_sys::fuzz_target;

// Four letters may be a record of fields that are left out, each of which has its name.
fuzz_target!(|data: &[u8]| {
    ready();
    bounded(data, 2048, |data| {
        wave(data);
    });
});
