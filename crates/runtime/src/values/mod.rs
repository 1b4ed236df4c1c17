//! Values on their way from one actor to another.
//!
//! Inside a process they stay what the engine made of them; nothing is encoded. Between hosts they are bytes, as
//! [`lattice_core::encoding`] describes; who carries them knows neither types nor values.

mod decode;
mod encode;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod shape;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use lattice_core::{
    CallError, ErrorCode, Hop,
    encoding::{DecodeLimits, Decoder, Encoder},
};
use wasmtime::component::Val;

pub(crate) use shape::{Shape, Signature};

use decode::{ReadError, Reader};
use encode::encode;

/// The most bytes that one side of a call takes, all values together.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most memory that values made of bytes take. A guest gives no more than half of it in one call.
pub(crate) const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The parameters of a call, or its result: component values, or their bytes.
///
/// Opaque to everybody but the runtime. Parameters borrow from the caller's instance for as long as the call lasts.
#[derive(Debug)]
pub struct Values<'a>(Repr<'a>);

#[derive(Debug)]
enum Repr<'a> {
    Bytes(Bytes),
    Params(&'a [Val], &'a Signature),
    Result(Option<Val>, Arc<Signature>),
}

impl<'a> Values<'a> {
    /// Values that came over the wire. Whether they are any is found out where their types are known.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(Repr::Bytes(bytes))
    }

    /// The bytes of the values, in the encoding of the wire.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] where they take more than 16 MiB.
    pub fn into_bytes(self) -> Result<Bytes, CallError> {
        match self.0 {
            Repr::Bytes(bytes) => Ok(bytes),
            Repr::Params(values, signature) => {
                written(signature, "parameters", signature.params.iter().zip(values))
            }
            Repr::Result(value, signature) => {
                written(&signature, "result", signature.result.iter().zip(&value))
            }
        }
    }

    /// What the guest that has `signature` for an import passes.
    pub(crate) fn params(values: &'a [Val], signature: &'a Signature) -> Self {
        Self(Repr::Params(values, signature))
    }

    /// What the guest that has `signature` for an export gave back.
    pub(crate) fn result(value: Option<Val>, signature: Arc<Signature>) -> Self {
        Self(Repr::Result(value, signature))
    }

    /// The parameters, for a function that takes those of `signature`.
    pub(crate) fn into_params(self, signature: &Signature) -> Result<Cow<'a, [Val]>, CallError> {
        match self.0 {
            Repr::Params(values, theirs) if theirs.fits(signature) => Ok(Cow::Borrowed(values)),
            Repr::Params(_, theirs) => Err(misfit(theirs, signature)),
            Repr::Result(..) => Err(defect(signature, "a result came as parameters")),
            Repr::Bytes(bytes) => read(signature, "parameters", &signature.params, &bytes).map(Cow::Owned),
        }
    }

    /// The result, for a caller that takes that of `signature`.
    pub(crate) fn into_result(self, signature: &Signature) -> Result<Option<Val>, CallError> {
        match self.0 {
            Repr::Result(value, theirs) if theirs.fits(signature) => Ok(value),
            Repr::Result(_, theirs) => Err(misfit(signature, &theirs)),
            Repr::Params(..) => Err(defect(signature, "parameters came as a result")),
            Repr::Bytes(bytes) => {
                Ok(read(signature, "result", signature.result.as_slice(), &bytes)?.into_iter().next())
            }
        }
    }
}

fn written<'v>(
    signature: &Signature,
    what: &str,
    values: impl Iterator<Item = (&'v Shape, &'v Val)>,
) -> Result<Bytes, CallError> {
    let mut encoder = Encoder::new(BYTES_MAX);
    for (shape, value) in values {
        encode(&mut encoder, shape, value).map_err(|error| defect(signature, &error.to_string()))?;
    }
    let bytes = encoder.finish().map_err(|error| {
        let reason = format!("the {what} of {} cannot be sent: {error}", signature.name);
        CallError::new(hop(signature), ErrorCode::TooLarge, reason)
    })?;
    Ok(bytes.into())
}

fn read(signature: &Signature, what: &str, shapes: &[Shape], bytes: &[u8]) -> Result<Vec<Val>, CallError> {
    let values = || -> Result<Vec<Val>, ReadError> {
        let limits = DecodeLimits { bytes: BYTES_MAX, ..DecodeLimits::default() };
        let mut reader = Reader::new(Decoder::new(bytes, limits)?, MEMORY_BYTES_MAX);
        let values: Result<Vec<Val>, ReadError> = shapes.iter().map(|shape| reader.value(shape)).collect();
        let values = values?;
        reader.finish()?;
        Ok(values)
    };
    values().map_err(|error| {
        let code = if error.is_too_much() { ErrorCode::TooLarge } else { ErrorCode::Protocol };
        let Signature { name, text, .. } = signature;
        let reason = format!("the {what} of {name} cannot be read: {error}; here it is {text}");
        CallError::new(hop(signature), code, reason)
    })
}

fn misfit(caller: &Signature, callee: &Signature) -> CallError {
    let reason = format!(
        "actor {} calls {} as {}, but here it is {}; build both against the same interface",
        caller.actor, callee.name, caller.text, callee.text
    );
    CallError::new(hop(callee), ErrorCode::Protocol, reason)
}

fn defect(signature: &Signature, what: &str) -> CallError {
    let reason = format!("{} met a defect of the host: {what}", signature.name);
    CallError::new(hop(signature), ErrorCode::Protocol, reason)
}

fn hop(signature: &Signature) -> Hop {
    Hop::Actor(signature.actor.clone())
}
