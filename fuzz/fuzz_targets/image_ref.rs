//! References to images, one in each line.
#![no_main]

use lattice_core::ImageRef;
use lattice_fuzz::{bounded, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 64, read));

fn read(data: &[u8]) {
    for line in text(data).into_iter().flat_map(|text| text.split('\n')) {
        match line.parse::<ImageRef>() {
            Ok(image) => assert_eq!(image.to_string().parse::<ImageRef>(), Ok(image), "from {line:?}"),
            Err(error) => drop(error.to_string()),
        }
    }
}
