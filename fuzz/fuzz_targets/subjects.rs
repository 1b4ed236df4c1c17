//! Subjects of control, calls, what comes back, beats, and what a host says to a provider process; one in each line.
#![no_main]

use std::fmt::Display;

use lattice_core::{
    BackSubject, BeatSubject, CallSubject, CtlSubject, LatticeName, ProviderId, ProviderSubject, is_inbox,
    may_provider_answer,
};
use lattice_fuzz::{bounded, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 128, read));

fn read(data: &[u8]) {
    for line in text(data).into_iter().flat_map(|text| text.split('\n')) {
        if let Ok(call) = CallSubject::parse(line) {
            assert_eq!(CallSubject::parse(&sound(&call)), Ok(call));
        }
        if let Ok(ctl) = CtlSubject::parse(line) {
            assert_eq!(CtlSubject::parse(&sound(&ctl)), Ok(ctl));
        }
        // These have one spelling: permissions and tables are made of them.
        if let Some(back) = BackSubject::parse(line) {
            assert_eq!(sound(&back), line);
        }
        if let Some(beat) = BeatSubject::parse(line) {
            assert_eq!(sound(&beat), line);
        }
        if let Ok(said) = ProviderSubject::parse(line) {
            assert_eq!(sound(&said), line);
        }
        answered(line);
    }
}

/// Whoever asks says where the answer goes; never where anybody is commanded, told or called, nor to what NATS keeps.
fn answered(subject: &str) {
    let lattice = LatticeName::default();
    let provider = ProviderId::new("kv").expect("it is a name");
    let may = [is_inbox(&lattice, subject), may_provider_answer(&lattice, &provider, subject)];
    let is_ours = ["wasmbus.ctl.", "wasmbus.evt.", "wasmbus.call.", "wasmbus.host.", "wasmbus.rpc.", "$"]
        .iter()
        .any(|prefix| subject.starts_with(prefix));
    assert!(!is_ours || may == [false, false], "{subject:?}");
}

/// The subject as text, which NATS takes as one that names one place.
fn sound(subject: &impl Display) -> String {
    let text = subject.to_string();
    assert!(!text.contains(['*', '>', ' ', '\t', '\r', '\n', '\0']), "{text:?}");
    assert!(text.split('.').all(|token| !token.is_empty()), "{text:?}");
    text
}
