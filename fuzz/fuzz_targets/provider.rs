//! What a host and its provider processes write to each other: the line on standard input, which is encoded here since no fuzzer gets
//! through Base64, what the host says while the process runs, and what the process answers, which may be anybody's program.
#![no_main]

use std::{collections::BTreeMap, fmt::Debug};

use data_encoding::BASE64;
use lattice_core::SecretName;
use lattice_fuzz::{bounded, text, told};
use lattice_provider_sdk::wire::{
    Credentials, HealthAnswer, HostData, LINKS_TOLD_MAX, LinkAnswer, LinkDefinition, REFUSALS_MAX,
    RefusalAnswer, SERVES_MAX, SecretValue, Shutdown, TEXT_CHARS_MAX,
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| bounded(data, 512, read));

fn read(data: &[u8]) {
    if let Some(line) = text(data) {
        host_data(line);
    }
    host_data(&BASE64.encode(data));
    same_again::<Shutdown>(data);
    same_again::<BTreeMap<SecretName, SecretValue>>(data);
    if let Some(credentials) = same_again::<Credentials>(data) {
        assert!(format!("{credentials:?}").ends_with(", hidden)"));
    }
    if let Some(link) = same_again::<LinkDefinition>(data)
        && let Ok(key) = link.key()
    {
        let bare = LinkDefinition::of(&key, link.generation);
        assert_eq!(bare.key(), Ok(key), "who it is between stays");
    }
    if let Some(answer) = same_again::<HealthAnswer>(data) {
        health(answer);
    }
    if let Some(answer) = same_again::<LinkAnswer>(data) {
        let (read, over) = answer.bounded();
        over.iter().for_each(told);
        read.iter().for_each(link);
    }
}

/// What is read is written as a line that reads the same. A number in `otel_config` may come back as its neighbour.
fn host_data(line: &str) {
    match HostData::read(line) {
        Ok(data) => {
            let again = HostData::read(&data.line().expect("what was read is written")).expect("and reads");
            assert_eq!(again.otel_config.len(), data.otel_config.len());
            assert_eq!(HostData { otel_config: data.otel_config.clone(), ..again }, data);
            drop(format!("{data:?}"));
        }
        Err(error) => drop(error.to_string()),
    }
}

/// However much a process says, so much is read of it; once more read it is the same.
fn health(answer: HealthAnswer) {
    let (read, over) = answer.clone().bounded();
    over.iter().for_each(told);
    assert!(read.serves.len() <= SERVES_MAX && read.links.len() <= LINKS_TOLD_MAX);
    assert!(over.is_empty() || read != answer, "what is over its bounds is cut");
    for shown in [&read.message, &read.state.reason].into_iter().flatten() {
        line_of(shown);
    }
    read.serves.iter().for_each(|served| {
        let _ = served.known();
    });
    read.links.iter().for_each(link);
    assert!(read.refusals.len() <= REFUSALS_MAX);
    read.refusals.iter().for_each(refusal);
    drop(read.state.state());
}

fn link(answer: &LinkAnswer) {
    drop((answer.link.key(), answer.link.state.state()));
    answer.link.state.reason.iter().for_each(|reason| line_of(reason));
}

/// Whom a process names, and which kind it says, is one of ours or none.
fn refusal(answer: &RefusalAnswer) {
    line_of(&answer.message);
    let refused = answer.refused(answer.count);
    assert_eq!(RefusalAnswer::new(&refused).refused(refused.count), refused);
}

fn line_of(shown: &str) {
    assert!(shown.chars().count() <= TEXT_CHARS_MAX + 1, "{} characters", shown.chars().count());
    assert!(!shown.contains(|c: char| c.is_control() && c != '\t'), "{shown:?}");
}

/// What was read is written as what reads the same.
fn same_again<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&read).expect("what was JSON can be JSON");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("what is written reads"), read);
    Some(read)
}
