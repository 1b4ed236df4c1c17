//! Component values to bytes.

use lattice_core::encoding::Encoder;
use wasmtime::component::Val;

use super::Shape;

/// A value is not of its type. Values come from the engine, which has checked them, so this is a defect of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value is not of its type")]
pub(crate) struct Misfit;

/// Writes `value`, which is of `shape`. Stops where the encoder is over its limit.
pub(crate) fn encode(to: &mut Encoder, shape: &Shape, value: &Val) -> Result<(), Misfit> {
    match (shape, value) {
        (Shape::Bool, Val::Bool(value)) => to.bool(*value),
        (Shape::S8, Val::S8(value)) => to.s8(*value),
        (Shape::U8, Val::U8(value)) => to.u8(*value),
        (Shape::S16, Val::S16(value)) => to.s16(*value),
        (Shape::U16, Val::U16(value)) => to.u16(*value),
        (Shape::S32, Val::S32(value)) => to.s32(*value),
        (Shape::U32, Val::U32(value)) => to.u32(*value),
        (Shape::S64, Val::S64(value)) => to.s64(*value),
        (Shape::U64, Val::U64(value)) => to.u64(*value),
        (Shape::F32, Val::Float32(value)) => to.f32(*value),
        (Shape::F64, Val::Float64(value)) => to.f64(*value),
        (Shape::Char, Val::Char(value)) => to.char(*value),
        (Shape::String, Val::String(value)) => to.str(value),
        (Shape::List(of), Val::List(values)) => {
            to.list(values.len());
            each(to, values.iter().map(|value| (&**of, value)))?;
        }
        (Shape::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
            each(to, fields.iter().zip(values).map(|((_, of), (_, value))| (of, value)))?;
        }
        (Shape::Tuple(of), Val::Tuple(values)) if of.len() == values.len() => {
            each(to, of.iter().zip(values))?;
        }
        (Shape::Variant(cases), Val::Variant(name, value)) => {
            let (index, of) = place(cases.iter().map(|(case, of)| (&**case, of.as_ref())), name)?;
            to.case(index);
            maybe(to, of, value.as_deref())?;
        }
        (Shape::Enum(cases), Val::Enum(name)) => {
            to.case(place(cases.iter().map(|case| (&**case, ())), name)?.0);
        }
        (Shape::Option(of), Val::Option(value)) => {
            to.option(value.is_some());
            if let Some(value) = value {
                encode(to, of, value)?;
            }
        }
        (Shape::Result { ok, err }, Val::Result(value)) => {
            to.result(value.is_ok());
            match value {
                Ok(value) => maybe(to, ok.as_deref(), value.as_deref())?,
                Err(value) => maybe(to, err.as_deref(), value.as_deref())?,
            }
        }
        (Shape::Flags(names), Val::Flags(set)) => to.flags(&bits(names, set)?),
        _ => return Err(Misfit),
    }
    Ok(())
}

fn each<'a>(to: &mut Encoder, values: impl Iterator<Item = (&'a Shape, &'a Val)>) -> Result<(), Misfit> {
    for (shape, value) in values {
        if to.is_over() {
            return Ok(());
        }
        encode(to, shape, value)?;
    }
    Ok(())
}

fn maybe(to: &mut Encoder, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), Misfit> {
    match (shape, value) {
        (Some(shape), Some(value)) => encode(to, shape, value),
        (None, None) => Ok(()),
        _ => Err(Misfit),
    }
}

/// Which of the cases has that name, and what belongs to it.
fn place<'a, T>(cases: impl Iterator<Item = (&'a str, T)>, name: &str) -> Result<(u32, T), Misfit> {
    let found = cases.enumerate().find(|(_, (case, _))| *case == name);
    let (index, (_, of)) = found.ok_or(Misfit)?;
    Ok((u32::try_from(index).map_err(|_| Misfit)?, of))
}

/// The flags that are set, as bits. The engine names them in their order.
fn bits(names: &[Box<str>], set: &[String]) -> Result<Vec<u8>, Misfit> {
    let mut bits = vec![0_u8; names.len().div_ceil(8)];
    for name in set {
        let index = names.iter().position(|of| **of == **name).ok_or(Misfit)?;
        bits[index / 8] |= 1 << (index % 8);
    }
    Ok(bits)
}
