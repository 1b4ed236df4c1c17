//! See [`crate::fuzzing`]: key-value operations and what comes of them.

use bytes::Bytes;

use super::operation::{Operation, What, encode_results};
use crate::fuzzing::Input;

/// Which function it is, and the bytes of its parameters or results.
///
/// # Panics
/// If what was read is not written as what reads the same.
pub fn keyvalue(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.byte().unwrap_or(0);
    let bytes = Bytes::copy_from_slice(input.rest());
    let what = [
        What::Open,
        What::Get { key: "k" },
        What::GetVersioned { key: "k" },
        What::Set { key: "k", value: b"v" },
        What::Swap { key: "k", revision: 1, value: b"v" },
        What::Delete { key: "k" },
        What::Exists { key: "k" },
        What::ListKeys { cursor: None },
        What::Increment { key: "k", delta: 1 },
    ];
    let what = what[usize::from(which & 0x7f) % what.len()].clone();
    let operation = Operation { bucket: "b", what };
    match which & 0x80 != 0 {
        true => parameters(operation.function(), &bytes),
        false => results(&operation, &bytes),
    }
}

fn parameters(function: &str, bytes: &[u8]) {
    let Ok(Some(read)) = Operation::decode(function, bytes) else { return };
    assert_eq!(read.function(), function);
    let written = read.encode().expect("it has come in a message");
    assert_eq!(Operation::decode(function, &written), Ok(Some(read)));
}

fn results(operation: &Operation<'_>, bytes: &Bytes) {
    match operation.outcome(bytes) {
        Ok(Ok(outcome)) => {
            let written = encode_results(Ok(outcome.clone())).expect("it has come in a message");
            let again = operation.outcome(&Bytes::from(written)).expect("what is written reads");
            assert_eq!(again.expect("as an outcome"), outcome);
        }
        Ok(Err(error)) => {
            let written = encode_results(Err(error)).expect("it has come in a message");
            let again = operation.outcome(&Bytes::from(written)).expect("what is written reads");
            assert!(again.is_err(), "an error stays one");
        }
        Err(_) => {}
    }
}
