//! Types of values, in the form in which they are encoded: a tree, made once for each function.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use lattice_core::ActorId;
use wasmtime::component::{Type, types::ComponentFunc};

/// How deep a function's types may nest. The engine allows more; reading values recurses.
const DEPTH_MAX: usize = 64;

/// How many types one function's parameters and result may hold, each counted where it stands.
const TYPES_MAX: usize = 4096;

/// A type of values that can be written as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Shape>),
    Record(Box<[(Box<str>, Shape)]>),
    Tuple(Box<[Shape]>),
    Variant(Box<[(Box<str>, Option<Shape>)]>),
    Enum(Box<[Box<str>]>),
    Option(Box<Shape>),
    Result { ok: Option<Box<Shape>>, err: Option<Box<Shape>> },
    Flags(Box<[Box<str>]>),
}

impl Shape {
    /// The shape of a type, or what in it makes it none.
    pub(crate) fn of(ty: &Type) -> Result<Self, &'static str> {
        Survey { left: TYPES_MAX, depth: 0 }.shape(ty)
    }
}

/// Counts types and depth on the way down.
struct Survey {
    left: usize,
    depth: usize,
}

impl Survey {
    fn shape(&mut self, ty: &Type) -> Result<Shape, &'static str> {
        self.left = self.left.checked_sub(1).ok_or("a type of too many parts")?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("a type that nests too deep");
        }
        let shape = self.inner(ty)?;
        self.depth -= 1;
        Ok(shape)
    }

    fn inner(&mut self, ty: &Type) -> Result<Shape, &'static str> {
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(list) => Shape::List(self.boxed(&list.ty())?),
            Type::Record(record) => {
                let fields = record.fields().map(|field| Ok((field.name.into(), self.shape(&field.ty)?)));
                Shape::Record(fields.collect::<Result<_, &'static str>>()?)
            }
            Type::Tuple(tuple) => {
                Shape::Tuple(tuple.types().map(|ty| self.shape(&ty)).collect::<Result<_, &'static str>>()?)
            }
            Type::Variant(variant) => {
                let cases = variant.cases().map(|case| {
                    let value = case.ty.as_ref().map(|ty| self.shape(ty)).transpose()?;
                    Ok((case.name.into(), value))
                });
                Shape::Variant(cases.collect::<Result<_, &'static str>>()?)
            }
            Type::Enum(of) => Shape::Enum(of.names().map(Box::from).collect()),
            Type::Option(option) => Shape::Option(self.boxed(&option.ty())?),
            Type::Result(result) => Shape::Result {
                ok: result.ok().map(|ty| self.boxed(&ty)).transpose()?,
                err: result.err().map(|ty| self.boxed(&ty)).transpose()?,
            },
            Type::Flags(flags) => Shape::Flags(flags.names().map(Box::from).collect()),
            Type::Own(_) | Type::Borrow(_) => return Err("a resource"),
            Type::Stream(_) => return Err("a stream"),
            Type::Future(_) => return Err("a future"),
            Type::ErrorContext => return Err("an error context"),
            // The engine accepts neither in a component unless told to.
            Type::Map(_) => return Err("a map"),
            Type::FixedLengthList(_) => return Err("a list of fixed length"),
        })
    }

    fn boxed(&mut self, ty: &Type) -> Result<Box<Shape>, &'static str> {
        self.shape(ty).map(Box::new)
    }
}

/// A function of plain values: what its parameters and its result look like.
#[derive(Debug)]
pub(crate) struct Signature {
    /// Whose function it is: it speaks where values do not fit.
    pub(crate) actor: ActorId,
    /// `namespace:package/interface@version.function`.
    pub(crate) name: String,
    pub(crate) params: Box<[Shape]>,
    pub(crate) result: Option<Shape>,
    /// The signature in WIT's words, for people.
    pub(crate) text: String,
    /// Equal where parameters and result are.
    digest: u64,
}

impl Signature {
    /// The signature of a function that reads `text` to people, or why it takes or gives what is no plain value.
    pub(crate) fn new(
        actor: &ActorId,
        name: String,
        ty: &ComponentFunc,
        text: String,
    ) -> Result<Arc<Self>, String> {
        let mut survey = Survey { left: TYPES_MAX, depth: 0 };
        let params = ty.params().map(|(parameter, ty)| {
            survey.shape(&ty).map_err(|what| format!("its parameter {parameter} is or holds {what}"))
        });
        let params: Box<[Shape]> = params.collect::<Result<_, String>>()?;
        let mut results = ty.results();
        let result = results
            .next()
            .map(|ty| survey.shape(&ty).map_err(|what| format!("its result is or holds {what}")))
            .transpose()?;
        if ty.async_() {
            return Err("it is async".to_owned());
        }
        let mut hasher = DefaultHasher::new();
        (&params, &result).hash(&mut hasher);
        Ok(Arc::new(Self { actor: actor.clone(), name, params, result, text, digest: hasher.finish() }))
    }

    /// True if both take and give the same. Where two differ all the same, the engine finds out and harms nobody.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}
