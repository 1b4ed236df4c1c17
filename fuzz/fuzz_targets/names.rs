//! Names of everything, contracts, labels, distances, states, traces; and the escaping of what stands in subjects and keys. One in each
//! line.
#![no_main]

use std::{fmt::Display, str::FromStr};

use lattice_core::{
    AccountKey, ActorId, ConfigName, Contract, CurveKey, Distance, EntityId, ErrorCode, EventName, HostId,
    Labels, LatticeName, LinkName, ProviderId, Role, SecretKind, SecretName, State, TraceParent, UserKey,
    escape_key, escape_token, unescape,
};
use lattice_fuzz::{bounded, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, read));

fn read(data: &[u8]) {
    for line in text(data).into_iter().flat_map(|text| text.split('\n')) {
        names(line);
        escapes(line);
        labels(line);
        if let Some(trace) = TraceParent::sampled(line) {
            assert_eq!(TraceParent::sampled(&trace.to_string()), Some(trace));
        }
        let (word, reason) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(state) = State::from_parts(word, Some(reason)) {
            let json = serde_json::to_string(&state).expect("a state can be JSON");
            assert_eq!(serde_json::from_str::<State>(&json).ok(), Some(state));
        }
    }
}

fn names(text: &str) {
    written_as_read::<LatticeName>(text);
    written_as_read::<HostId>(text);
    written_as_read::<ActorId>(text);
    written_as_read::<ProviderId>(text);
    written_as_read::<EntityId>(text);
    written_as_read::<LinkName>(text);
    written_as_read::<ConfigName>(text);
    written_as_read::<SecretName>(text);
    written_as_read::<AccountKey>(text);
    written_as_read::<UserKey>(text);
    written_as_read::<CurveKey>(text);
    written_as_read::<Role>(text);
    written_as_read::<Contract>(text);
    written_as_read::<Distance>(text);
    written_as_read::<EventName>(text);
    if let Some(code) = ErrorCode::parse(text) {
        assert_eq!(code.as_str(), text);
    }
    if let Ok(kind) = text.parse::<SecretKind>() {
        assert_eq!(kind.word(), text);
    }
}

/// Names have one spelling.
fn written_as_read<T: FromStr<Err: Display> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(name) => assert_eq!(name.to_string(), text),
        Err(error) => drop(error.to_string()),
    }
}

fn escapes(text: &str) {
    let (token, key) = (escape_token(text), escape_key(text));
    assert!(!token.contains(['.', '*', '>', ' ', '\t', '\r', '\n']));
    assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=')));
    for escaped in [token, key] {
        assert_eq!(unescape(&escaped).as_deref(), Some(text));
    }
    if let Some(read) = unescape(text) {
        assert_eq!(unescape(&escape_key(&read)), Some(read));
    }
}

fn labels(text: &str) {
    let Ok(mut labels) = text.parse::<Labels>() else { return };
    let wanted = labels.0.clone();
    assert!(labels.satisfy(&wanted));
    for key in wanted.keys() {
        assert!(labels.remove(key).is_ok(), "what may be set may be removed");
    }
    assert!(labels.0.is_empty());
}
