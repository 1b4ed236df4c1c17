//! Reading the fields of one mapping: each at most once, unknown ones refused, every error kept.

use crate::{
    error::{ManifestError, Problem},
    names,
    tree::{Key, Node, Place, Scalar, Value},
};

/// Where errors are collected.
#[derive(Default)]
pub(crate) struct Errors(pub(crate) Vec<ManifestError>);

impl Errors {
    pub(crate) fn push(&mut self, error: ManifestError) {
        self.0.push(error);
    }

    /// Keeps the error, if it is one.
    pub(crate) fn take<T>(&mut self, result: Result<T, ManifestError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }
}

/// A field that may stand in a mapping: its name, and a second name that means the same.
pub(crate) type Field = (&'static str, Option<&'static str>);

/// The fields of a mapping that have not been taken yet.
pub(crate) struct Fields<'e> {
    what: &'static str,
    place: Place,
    entries: Vec<(Key, Node)>,
    known: &'static [Field],
    errors: &'e mut Errors,
}

impl<'e> Fields<'e> {
    /// Opens a mapping; `None`, with an error kept, if the node is something else or has fields nobody knows.
    ///
    /// An unknown field leaves the known ones readable, so that their errors are found in the same run.
    pub(crate) fn open(
        node: Node,
        what: &'static str,
        known: &'static [Field],
        errors: &'e mut Errors,
    ) -> Option<Self> {
        let Value::Map(entries) = node.value else {
            let found = node.value.kind();
            errors.push(node.place.error(Problem::WrongType {
                field: what.to_owned(),
                wanted: "a mapping of fields",
                found,
            }));
            return None;
        };
        let names = || known.iter().flat_map(|(name, other)| std::iter::once(*name).chain(*other));
        for (key, _) in &entries {
            if !names().any(|name| name == key.text) {
                let help = match names::nearest(&key.text, names()) {
                    Some(name) => format!("did you mean {name:?}?"),
                    None => {
                        let list: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                        format!("its fields are {}", list.join(", "))
                    }
                };
                let field = key.text.clone();
                errors.push(key.place.error_with(Problem::UnknownField { place: what, field }, help));
            }
        }
        Some(Self { what, place: node.place, entries, known, errors })
    }

    pub(crate) fn errors(&mut self) -> &mut Errors {
        self.errors
    }

    /// Takes a field, under either of its names.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<(Key, Node)> {
        debug_assert!(self.known.iter().any(|(known, _)| *known == name), "{name} is not in the table");
        let other = self.known.iter().find(|(known, _)| *known == name).and_then(|(_, other)| *other);
        let first = self.remove(name);
        let second = other.and_then(|other| self.remove(other));
        if let (Some(_), Some((key, _)), Some(other)) = (&first, &second, other) {
            self.errors.push(key.place.error(Problem::TwoNames { first: name, second: other }));
        }
        first.or(second)
    }

    fn remove(&mut self, name: &str) -> Option<(Key, Node)> {
        let at = self.entries.iter().position(|(key, _)| key.text == name)?;
        Some(self.entries.remove(at))
    }

    /// Takes a field that must be there.
    pub(crate) fn need(&mut self, name: &'static str) -> Option<(Key, Node)> {
        let taken = self.take(name);
        if taken.is_none() {
            let place = Place { span: self.place.span.start..self.place.span.start, ..self.place.clone() };
            self.errors.push(place.error(Problem::MissingField { place: self.what, field: name }));
        }
        taken
    }

    /// Takes a single value that may be missing.
    pub(crate) fn scalar(&mut self, name: &'static str) -> Option<(Place, Scalar)> {
        let (key, node) = self.take(name)?;
        self.as_scalar(key, node)
    }

    /// Takes a single value that must be there.
    pub(crate) fn need_scalar(&mut self, name: &'static str) -> Option<(Place, Scalar)> {
        let (key, node) = self.need(name)?;
        self.as_scalar(key, node)
    }

    fn as_scalar(&mut self, key: Key, node: Node) -> Option<(Place, Scalar)> {
        self.errors.take(scalar(&key.text, &key.place, node))
    }

    /// Takes a whole number between `least` and `most`.
    pub(crate) fn number(&mut self, name: &'static str, least: u32, most: u32) -> Option<u32> {
        let (place, scalar) = self.scalar(name)?;
        match scalar.text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let message = format!("a whole number from {least} to {most} is wanted here");
                self.errors.push(bad(&place, &scalar, name, message, "such a number"));
                None
            }
        }
    }
}

/// The node as a single value.
pub(crate) fn scalar(field: &str, at: &Place, node: Node) -> Result<(Place, Scalar), ManifestError> {
    match node.value {
        Value::Scalar(scalar) => Ok((node.place, scalar)),
        other => {
            let place = if matches!(other, Value::Null) { at } else { &node.place };
            let field = field.to_owned();
            Err(place.error(Problem::WrongType { field, wanted: "a single value", found: other.kind() }))
        }
    }
}

/// An error about a value: with the reader's own words, unless they would show what a variable holds.
pub(crate) fn bad(
    place: &Place,
    scalar: &Scalar,
    field: &str,
    message: String,
    wanted: &'static str,
) -> ManifestError {
    match &scalar.raw {
        Some(raw) => place.error(Problem::Interpolated { raw: raw.clone(), wanted }),
        None => place.error(Problem::Value { field: field.to_owned(), message }),
    }
}

/// Parses a single value; errors keep silent about what a variable holds.
pub(crate) fn parsed<T, E: Into<Problem>>(
    (place, scalar): &(Place, Scalar),
    wanted: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ManifestError> {
    parse(&scalar.text).map_err(|error| match &scalar.raw {
        Some(raw) => place.error(Problem::Interpolated { raw: raw.clone(), wanted }),
        None => place.error(error),
    })
}
