//! Bytes to component values. The bytes are a stranger's.

use lattice_core::encoding::{DecodeError, Decoder};
use wasmtime::component::Val;

use super::Shape;

/// Why bytes become no values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// They are none of the types.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    /// In memory they would take more than they may: a list of records is many times larger than its bytes.
    #[error("the values would take more than {limit} bytes of memory")]
    Memory {
        /// What they may take.
        limit: usize,
    },
}

impl ReadError {
    /// True where less would have been read.
    pub(crate) fn is_too_much(&self) -> bool {
        use DecodeError::{TooDeep, TooLarge, TooMany};
        matches!(
            self,
            ReadError::Memory { .. } | ReadError::Bytes(TooLarge { .. } | TooMany { .. } | TooDeep { .. })
        )
    }
}

/// Reads values, and counts the memory that they take.
pub(crate) struct Reader<'a> {
    bytes: Decoder<'a>,
    left: usize,
    limit: usize,
}

impl<'a> Reader<'a> {
    /// A reader of values that take at most `limit` bytes of memory.
    pub(crate) fn new(bytes: Decoder<'a>, limit: usize) -> Self {
        Self { bytes, left: limit, limit }
    }

    /// Ends reading; there may be nothing left.
    pub(crate) fn finish(self) -> Result<(), ReadError> {
        Ok(self.bytes.finish()?)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), ReadError> {
        self.left = self.left.checked_sub(bytes).ok_or(ReadError::Memory { limit: self.limit })?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<String, ReadError> {
        self.charge(text.len())?;
        Ok(text.to_owned())
    }

    /// Room for `count` of what a value holds, charged before it is made.
    fn room<T>(&mut self, count: usize) -> Result<Vec<T>, ReadError> {
        self.charge(count.saturating_mul(size_of::<T>()))?;
        Ok(Vec::with_capacity(count))
    }

    /// The next value, which is of `shape`. Recurses as deep as the type does, which is bounded.
    pub(crate) fn value(&mut self, shape: &Shape) -> Result<Val, ReadError> {
        let from = &mut self.bytes;
        Ok(match shape {
            Shape::Bool => Val::Bool(from.bool()?),
            Shape::S8 => Val::S8(from.s8()?),
            Shape::U8 => Val::U8(from.u8()?),
            Shape::S16 => Val::S16(from.s16()?),
            Shape::U16 => Val::U16(from.u16()?),
            Shape::S32 => Val::S32(from.s32()?),
            Shape::U32 => Val::U32(from.u32()?),
            Shape::S64 => Val::S64(from.s64()?),
            Shape::U64 => Val::U64(from.u64()?),
            Shape::F32 => Val::Float32(from.f32()?),
            Shape::F64 => Val::Float64(from.f64()?),
            Shape::Char => Val::Char(from.char()?),
            Shape::String => {
                let text = from.str()?;
                Val::String(self.text(text)?)
            }
            Shape::List(of) => Val::List(self.list(of)?),
            Shape::Record(fields) => {
                let mut values = self.room(fields.len())?;
                for (name, of) in fields {
                    values.push((self.text(name)?, self.value(of)?));
                }
                Val::Record(values)
            }
            Shape::Tuple(of) => {
                let mut values = self.room(of.len())?;
                for of in of {
                    values.push(self.value(of)?);
                }
                Val::Tuple(values)
            }
            Shape::Variant(cases) => {
                let (name, of) = &cases[from.case(cases.len())? as usize];
                Val::Variant(self.text(name)?, self.maybe(of.as_ref())?)
            }
            Shape::Enum(cases) => {
                let name = &cases[from.case(cases.len())? as usize];
                Val::Enum(self.text(name)?)
            }
            Shape::Option(of) => Val::Option(match from.option()? {
                true => self.maybe(Some(of))?,
                false => None,
            }),
            Shape::Result { ok, err } => Val::Result(match from.result()? {
                true => Ok(self.maybe(ok.as_deref())?),
                false => Err(self.maybe(err.as_deref())?),
            }),
            Shape::Flags(names) => Val::Flags(self.flags(names)?),
        })
    }

    fn maybe(&mut self, shape: Option<&Shape>) -> Result<Option<Box<Val>>, ReadError> {
        let Some(shape) = shape else { return Ok(None) };
        self.charge(size_of::<Val>())?;
        Ok(Some(Box::new(self.value(shape)?)))
    }

    fn list(&mut self, of: &Shape) -> Result<Vec<Val>, ReadError> {
        if *of == Shape::U8 {
            let bytes = self.bytes.bytes()?;
            let mut values = self.room(bytes.len())?;
            values.extend(bytes.iter().copied().map(Val::U8));
            return Ok(values);
        }
        let count = self.bytes.list()?;
        let mut values = self.room(count)?;
        for _ in 0..count {
            values.push(self.value(of)?);
        }
        Ok(values)
    }

    fn flags(&mut self, names: &[Box<str>]) -> Result<Vec<String>, ReadError> {
        let bits = self.bytes.flags(names.len())?;
        let is_set = |index: usize| bits[index / 8] >> (index % 8) & 1 == 1;
        let mut set = self.room((0..names.len()).filter(|index| is_set(*index)).count())?;
        for (_, name) in names.iter().enumerate().filter(|(index, _)| is_set(*index)) {
            set.push(self.text(name)?);
        }
        Ok(set)
    }
}
