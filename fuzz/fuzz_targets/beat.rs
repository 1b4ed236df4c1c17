//! Beats, by which hosts show each other that they live, and the answers of those that were asked.
#![no_main]

use lattice_core::{Beat, BeatAnswer};
use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 64, read));

fn read(data: &[u8]) {
    if let Some(beat) = Beat::from_bytes(data) {
        assert!(beat.load <= 1000 && !beat.is_after(&beat));
        assert_eq!(Beat::from_bytes(&beat.to_bytes()), Some(beat));
    }
    if let Some(answer) = BeatAnswer::from_bytes(data) {
        assert_eq!(BeatAnswer::from_bytes(&answer.to_bytes()), Some(answer));
    }
}
