//! Operations and what comes of them, as values of the contract's types. Pure.

use bytes::Bytes;
use lattice_contracts::keyvalue::{KeyPage, KeyvalueError, Versioned};
use lattice_core::encoding::{DecodeError, DecodeLimits, Decoder, EncodeError, Encoder};

use super::BYTES_MAX;

/// One operation, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    pub(super) bucket: &'a str,
    pub(super) what: What<'a>,
}

/// What to do in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What<'a> {
    Open,
    Get { key: &'a str },
    GetVersioned { key: &'a str },
    Set { key: &'a str, value: &'a [u8] },
    Swap { key: &'a str, revision: u64, value: &'a [u8] },
    Delete { key: &'a str },
    Exists { key: &'a str },
    ListKeys { cursor: Option<u64> },
    Increment { key: &'a str, delta: i64 },
}

/// The functions that each interface has: a link that grants one interface grants no function of another.
const FUNCTIONS: [(&str, &[&str]); 3] = [
    ("wasi:keyvalue/store", &["open", "get", "set", "delete", "exists", "list-keys"]),
    ("wasi:keyvalue/atomics", &["open", "increment", "get-versioned", "swap"]),
    ("wasi:keyvalue/batch", &["open", "get", "set", "delete"]),
];

/// True if `interface` has `function`.
pub(super) fn has(interface: &str, function: &str) -> bool {
    FUNCTIONS.iter().any(|(name, functions)| *name == interface && functions.contains(&function))
}

impl<'a> Operation<'a> {
    /// The name of its function.
    pub(super) fn function(&self) -> &'static str {
        match self.what {
            What::Open => "open",
            What::Get { .. } => "get",
            What::GetVersioned { .. } => "get-versioned",
            What::Set { .. } => "set",
            What::Swap { .. } => "swap",
            What::Delete { .. } => "delete",
            What::Exists { .. } => "exists",
            What::ListKeys { .. } => "list-keys",
            What::Increment { .. } => "increment",
        }
    }

    /// The parameters of its function.
    pub(super) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut encoder = Encoder::new(BYTES_MAX);
        encoder.str(self.bucket);
        match self.what {
            What::Open => {}
            What::Get { key } | What::GetVersioned { key } | What::Delete { key } | What::Exists { key } => {
                encoder.str(key);
            }
            What::Set { key, value } => {
                encoder.str(key);
                encoder.bytes(value);
            }
            What::Swap { key, revision, value } => {
                encoder.str(key);
                encoder.u64(revision);
                encoder.bytes(value);
            }
            What::ListKeys { cursor } => put_cursor(&mut encoder, cursor),
            What::Increment { key, delta } => {
                encoder.str(key);
                encoder.s64(delta);
            }
        }
        encoder.finish()
    }

    /// Reads the parameters of `function`; `None` where there is no such function.
    pub(super) fn decode(function: &str, params: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let mut decoder = decoder(params)?;
        let bucket = decoder.str()?;
        let what = match function {
            "open" => What::Open,
            "list-keys" => What::ListKeys { cursor: take_cursor(&mut decoder)? },
            _ => {
                let key = decoder.str()?;
                match function {
                    "get" => What::Get { key },
                    "get-versioned" => What::GetVersioned { key },
                    "delete" => What::Delete { key },
                    "exists" => What::Exists { key },
                    "set" => What::Set { key, value: decoder.bytes()? },
                    "swap" => What::Swap { key, revision: decoder.u64()?, value: decoder.bytes()? },
                    "increment" => What::Increment { key, delta: decoder.s64()? },
                    _ => return Ok(None),
                }
            }
        };
        decoder.finish()?;
        Ok(Some(Self { bucket, what }))
    }
}

/// What an operation answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Value(Option<Bytes>),
    Versioned(Versioned),
    Flag(bool),
    Keys(KeyPage),
    Number(i64),
}

/// The results of a function.
pub(super) fn encode_results(outcome: Result<Outcome, KeyvalueError>) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new(BYTES_MAX);
    encoder.result(outcome.is_ok());
    match outcome {
        Ok(Outcome::Done) => {}
        Ok(Outcome::Value(value)) => put_value(&mut encoder, value.as_ref()),
        Ok(Outcome::Versioned(versioned)) => {
            put_value(&mut encoder, versioned.value.as_ref());
            encoder.u64(versioned.revision);
        }
        Ok(Outcome::Flag(flag)) => encoder.bool(flag),
        Ok(Outcome::Keys(page)) => {
            encoder.list(page.keys.len());
            page.keys.iter().for_each(|key| encoder.str(key));
            put_cursor(&mut encoder, page.cursor);
        }
        Ok(Outcome::Number(number)) => encoder.s64(number),
        Err(KeyvalueError::NoSuchStore { .. }) => encoder.case(0),
        Err(KeyvalueError::AccessDenied { .. }) => encoder.case(1),
        Err(other) => {
            encoder.case(2);
            encoder.str(&other.to_string());
        }
    }
    encoder.finish()
}

impl Operation<'_> {
    /// Reads the results of its function.
    pub(super) fn outcome(&self, results: &Bytes) -> Result<Result<Outcome, KeyvalueError>, DecodeError> {
        let mut decoder = decoder(results)?;
        let outcome = match decoder.result()? {
            true => Ok(self.take_outcome(&mut decoder, results)?),
            false => Err(self.take_error(&mut decoder)?),
        };
        decoder.finish()?;
        Ok(outcome)
    }

    fn take_outcome(&self, decoder: &mut Decoder<'_>, results: &Bytes) -> Result<Outcome, DecodeError> {
        Ok(match self.what {
            What::Open | What::Set { .. } | What::Delete { .. } => Outcome::Done,
            What::Get { .. } => Outcome::Value(take_value(decoder, results)?),
            What::GetVersioned { .. } => {
                let value = take_value(decoder, results)?;
                Outcome::Versioned(Versioned { value, revision: decoder.u64()? })
            }
            What::Swap { .. } | What::Exists { .. } => Outcome::Flag(decoder.bool()?),
            What::ListKeys { .. } => {
                let count = decoder.list()?;
                let keys = (0..count).map(|_| decoder.str().map(str::to_owned)).collect::<Result<_, _>>()?;
                Outcome::Keys(KeyPage { keys, cursor: take_cursor(decoder)? })
            }
            What::Increment { .. } => Outcome::Number(decoder.s64()?),
        })
    }

    fn take_error(&self, decoder: &mut Decoder<'_>) -> Result<KeyvalueError, DecodeError> {
        Ok(match decoder.case(3)? {
            0 => KeyvalueError::NoSuchStore { bucket: self.bucket.to_owned() },
            1 => KeyvalueError::AccessDenied { why: "the provider on another host says so".to_owned() },
            _ => KeyvalueError::Other { why: decoder.str()?.to_owned() },
        })
    }
}

fn decoder(bytes: &[u8]) -> Result<Decoder<'_>, DecodeError> {
    Decoder::new(bytes, DecodeLimits { bytes: BYTES_MAX, ..DecodeLimits::default() })
}

fn put_value(encoder: &mut Encoder, value: Option<&Bytes>) {
    encoder.option(value.is_some());
    if let Some(value) = value {
        encoder.bytes(value);
    }
}

fn take_value(decoder: &mut Decoder<'_>, results: &Bytes) -> Result<Option<Bytes>, DecodeError> {
    Ok(if decoder.option()? { Some(results.slice_ref(decoder.bytes()?)) } else { None })
}

fn put_cursor(encoder: &mut Encoder, cursor: Option<u64>) {
    encoder.option(cursor.is_some());
    if let Some(cursor) = cursor {
        encoder.u64(cursor);
    }
}

fn take_cursor(decoder: &mut Decoder<'_>) -> Result<Option<u64>, DecodeError> {
    Ok(if decoder.option()? { Some(decoder.u64()?) } else { None })
}
