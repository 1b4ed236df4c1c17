//! See [`crate::fuzzing`]: facts as they stand in the bucket, what JetStream says of it, and the snapshot on disk.

use lattice_core::FactKey;
use serde_json::Value;

use super::{
    Fact, answer,
    lease::holder_in,
    memory::{KIND, Stored, read_facts},
    merge::{Step, weigh},
    snapshot::{decode, encode},
};
use crate::WallClock;

/// A key and, after a line's end, up to two values that stand under it, a line each.
///
/// # Panics
/// If what was read is not written as what reads the same, or of two facts not exactly one is newer.
pub fn fact(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let Some(Ok(key)) = lines.next().map(std::str::from_utf8) else { return };
    let Ok(key) = FactKey::parse(key) else { return };
    assert_eq!(FactKey::parse(&key.to_string()), Ok(key.clone()), "a key has one spelling");
    let facts: Vec<Fact> = lines.filter_map(|value| Fact::read(&key, value).ok()).collect();
    for fact in &facts {
        let written = serde_json::to_vec(fact).expect("what was JSON can be JSON");
        let again = Fact::read(&key, &written).expect("what is written reads");
        assert_eq!((again.version(), again.deleted), (fact.version(), fact.deleted));
        assert!(!fact.is_newer_than(fact), "nothing replaces itself");
        if !has_float(&fact.data) && !fact.more.values().any(has_float) {
            assert_eq!(&again, fact);
            assert_eq!(weigh(&key, &again, Some(fact)), Step::Leave);
        }
    }
    if let [one, other] = facts.as_slice() {
        let newer = (one.is_newer_than(other), other.is_newer_than(one));
        assert!(newer != (true, true), "one of them alone");
        assert!(newer != (false, false) || one == other, "else hosts would keep different ones");
    }
}

/// An answer of JetStream about the bucket, or the value of a lease in it.
///
/// # Panics
/// If an answer is two things at once.
pub(crate) fn bucket_answer(data: &[u8]) {
    let (state, stored, written) = (answer::state(data), answer::stored(data), answer::written(data));
    if let Ok(Err(error)) = &written {
        let _ = (error.is_conflict(), error.to_string());
        assert!(!matches!(state, Ok(Some(_))) && !matches!(stored, Ok(Some(_))), "an error is nothing else");
    }
    if let Ok(Some(stored)) = stored {
        let _ = stored.is_of("$KV.B.k", 0);
    }
    let _ = holder_in(data);
}

/// A float may come back as its neighbour: serde_json reads fast rather than to the last bit.
fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_float),
        Value::Object(values) => values.values().any(has_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A snapshot's file; or, after a first byte `{`, its content, around which the file is made.
///
/// # Panics
/// If a file that was changed reads, or what was read of one is not written as what reads the same.
pub fn snapshot(data: &[u8]) {
    let stored = match data.first() {
        Some(b'{') => {
            let Ok(content) = serde_json::from_slice::<Value>(data) else { return };
            let file = encode(KIND, &content).expect("what was JSON can be JSON");
            assert!(decode::<Value>(KIND, &file).is_ok(), "what is written reads");
            assert!(decode::<Value>(KIND, &file[..file.len() - 1]).is_err(), "what was cut off does not");
            decode::<Stored>(KIND, &file)
        }
        _ => decode::<Stored>(KIND, data),
    };
    if let Ok(stored) = stored {
        let facts = read_facts(stored.facts, WallClock::default());
        assert!(facts.live().count() <= facts.len());
        let _ = stored.stream.map(|mark| mark.reach());
    }
}
