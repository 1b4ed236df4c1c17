//! The bytes of a call, read by the types of a function of some component, or by types that are made of bytes, too.
#![no_main]

use lattice_fuzz::bounded;
use lattice_runtime::fuzzing::{ready, typed_values};
use libfuzzer_sys::fuzz_target;

// One byte may stand for records in records, eight deep, each with a name for its field; all of it is written and read again.
fuzz_target!(|data: &[u8]| {
    ready();
    bounded(data, 4096, |data| {
        typed_values(data);
    });
});
