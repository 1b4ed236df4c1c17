//! See [`crate::fuzzing`]: the bytes of a call, by the types of a function or by types that are made of bytes, too.

use std::{
    borrow::Cow,
    fmt::Display,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use lattice_core::{
    ActorId,
    encoding::{DecodeLimits, Decoder, Encoder},
};
use wasmtime::component::Val;

use super::{MEMORY_BYTES_MAX, ReadError, Reader, Shape, Signature, Values, encode};
use crate::{
    exports,
    fuzzing::{FUNCTIONS, OPEN, component, told},
};

/// How many types a type that is made of bytes holds, at most.
const TYPES_MAX: usize = 64;
/// How deep it nests, at most.
const DEPTH_MAX: usize = 8;

/// What the functions of the component take and give.
static SIGNATURES: LazyLock<Vec<Arc<Signature>>> = LazyLock::new(|| {
    assert!(signature(OPEN).is_err(), "a resource is no plain value");
    let names = FUNCTIONS.iter().map(|(name, _)| *name).chain(["many", "nothing"]);
    names.map(|name| signature(name).expect("it has plain values")).collect()
});

fn signature(function: &str) -> Result<Arc<Signature>, String> {
    let found = exports::find(component(), function)?;
    let actor: ActorId = "fuzz".parse().expect("it is a name");
    Signature::new(&actor, found.name, &found.ty, exports::signature(&found.ty))
}

/// Makes what is made once.
pub(crate) fn ready() {
    LazyLock::force(&SIGNATURES);
}

/// The bytes of a call: a byte that says what they are (parameters, a result, or a value of a type that is made of bytes), one
/// that says of which function, or how many bytes the type takes, and the rest. Whether they were values.
///
/// # Panics
/// If what was read is not written as what reads the same, or values take more memory than they may.
pub fn typed_values(data: &[u8]) -> bool {
    let [what, which, rest @ ..] = data else { return false };
    let signature = &SIGNATURES[usize::from(*which) % SIGNATURES.len()];
    match what % 3 {
        0 => params(signature, rest),
        1 => result(signature, rest),
        _ => {
            let (mut types, bytes) = rest.split_at(rest.len().min(usize::from(*which)));
            let mut left = TYPES_MAX;
            made(&shape(&mut types, DEPTH_MAX, &mut left), bytes)
        }
    }
}

fn params(signature: &Signature, bytes: &[u8]) -> bool {
    let read = |bytes: Bytes| Values::from_bytes(bytes).into_params(signature).map(Cow::into_owned);
    let written =
        |values: &[Val]| Values::params(values, signature).into_bytes().expect("as much has come in a call");
    match read(Bytes::copy_from_slice(bytes)) {
        Ok(values) => {
            assert_eq!(values.len(), signature.params.len());
            let again = written(&values);
            assert!(again.len() <= bytes.len(), "we write the shortest form");
            let values_again = read(again.clone()).expect("what is written reads");
            assert_eq!(values_again, values);
            assert_eq!(written(&values_again), again);
            true
        }
        Err(error) => refused(error.to_string()),
    }
}

fn result(signature: &Arc<Signature>, bytes: &[u8]) -> bool {
    let read = |bytes: Bytes| Values::from_bytes(bytes).into_result(signature);
    match read(Bytes::copy_from_slice(bytes)) {
        Ok(value) => {
            let again = Values::result(value.clone(), signature.clone()).into_bytes();
            let again = again.expect("as much has come in a call");
            assert_eq!(read(again), Ok(value), "what is written reads");
            true
        }
        Err(error) => refused(error.to_string()),
    }
}

/// Beside the values themselves: they take the memory that was granted, and no more.
fn made(shape: &Shape, bytes: &[u8]) -> bool {
    let read = |bytes: &[u8], memory: usize| -> Result<Val, ReadError> {
        let mut reader = Reader::new(Decoder::new(bytes, DecodeLimits::default())?, memory);
        let value = reader.value(shape)?;
        reader.finish()?;
        Ok(value)
    };
    // So much that the limit is met, too.
    let granted = 128 * bytes.len();
    match read(bytes, granted) {
        Ok(value) => {
            assert!(memory_of(&value) <= granted, "{} in {granted}", memory_of(&value));
            let mut encoder = Encoder::new(bytes.len());
            encode(&mut encoder, shape, &value).expect("it is of its type");
            let again = encoder.finish().expect("we write the shortest form");
            assert_eq!(read(&again, MEMORY_BYTES_MAX), Ok(value), "what is written reads");
            true
        }
        Err(error) => {
            let with_all = read(bytes, MEMORY_BYTES_MAX);
            assert!(
                error.is_too_much() || with_all == Err(error.clone()),
                "more memory changes nothing else"
            );
            refused(error)
        }
    }
}

fn refused(error: impl Display) -> bool {
    told(&error.to_string());
    false
}

/// A type: a byte that says which, and those of what it is made of. Where no bytes are left it is a `bool`.
fn shape(types: &mut &[u8], depth: usize, left: &mut usize) -> Shape {
    *left = left.saturating_sub(1);
    let Some((byte, rest)) = types.split_first() else { return Shape::Bool };
    *types = rest;
    let (kind, count) = (byte % 24, usize::from(byte / 24));
    if kind >= 15 && (depth == 0 || *left == 0) {
        return Shape::U8;
    }
    match kind {
        0 => Shape::Bool,
        1 => Shape::S8,
        2 => Shape::U8,
        3 => Shape::S16,
        4 => Shape::U16,
        5 => Shape::S32,
        6 => Shape::U32,
        7 => Shape::S64,
        8 => Shape::U64,
        9 => Shape::F32,
        10 => Shape::F64,
        11 => Shape::Char,
        12 => Shape::String,
        // More cases and flags than a byte tells apart.
        13 => Shape::Enum(names("case", 1 + 30 * count)),
        14 => Shape::Flags(names("flag", 1 + 3 * count)),
        15 | 16 => Shape::List(Box::new(shape(types, depth - 1, left))),
        17 => Shape::Option(Box::new(shape(types, depth - 1, left))),
        18 => Shape::Tuple((0..=count).map(|_| shape(types, depth - 1, left)).collect()),
        19 => Shape::Record(named("field", (0..=count).map(|_| shape(types, depth - 1, left)).collect())),
        20 | 21 => {
            let cases = (0..=count).map(|case| (case % 2 == 0).then(|| shape(types, depth - 1, left)));
            Shape::Variant(named("case", cases.collect()))
        }
        _ => {
            let mut maybe = |bit| (count & bit != 0).then(|| Box::new(shape(types, depth - 1, left)));
            Shape::Result { ok: maybe(1), err: maybe(2) }
        }
    }
}

/// So many names.
pub(super) fn names(what: &str, count: usize) -> Box<[Box<str>]> {
    (0..count).map(|index| format!("{what}{index}").into()).collect()
}

/// Each with a name.
pub(super) fn named<T>(what: &str, of: Vec<T>) -> Box<[(Box<str>, T)]> {
    names(what, of.len()).into_iter().zip(of).collect()
}

/// The memory that a value holds beyond itself.
pub(super) fn memory_of(value: &Val) -> usize {
    let of_all = |values: &[Val]| values.iter().map(|value| size_of::<Val>() + memory_of(value)).sum();
    let of_box =
        |value: &Option<Box<Val>>| value.as_ref().map_or(0, |value| size_of::<Val>() + memory_of(value));
    match value {
        Val::String(text) | Val::Enum(text) => text.len(),
        Val::List(values) | Val::Tuple(values) => of_all(values),
        Val::Record(fields) => fields
            .iter()
            .map(|(name, value)| size_of::<(String, Val)>() + name.len() + memory_of(value))
            .sum(),
        Val::Variant(name, value) => name.len() + of_box(value),
        Val::Option(value) | Val::Result(Ok(value) | Err(value)) => of_box(value),
        Val::Flags(set) => set.iter().map(|name| size_of::<String>() + name.len()).sum(),
        _ => 0,
    }
}
