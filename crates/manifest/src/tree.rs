//! The text as a tree in which every node knows its place. The schema is read from the tree by our own code and not by
//! serde, so that one run finds all errors and not only the first.

use std::{collections::HashMap, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Location, PropertySyntax, Spanned, budget::BudgetBreach};

use crate::{
    error::{ManifestError, Problem},
    variables,
};

/// The longest manifest that is read: a thousand actors with their links fit ten times.
pub(crate) const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A place in the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) span: Range<usize>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) fn error(&self, problem: impl Into<Problem>) -> ManifestError {
        ManifestError {
            problem: problem.into(),
            span: self.span.clone(),
            line: self.line,
            column: self.column,
            help: None,
        }
    }

    pub(crate) fn error_with(&self, problem: impl Into<Problem>, help: impl Into<Box<str>>) -> ManifestError {
        ManifestError { help: Some(help.into()), ..self.error(problem) }
    }
}

/// A value of any kind, with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// A scalar as text: what was written, with variables filled in. `1.10` stays `1.10`.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// The text as it stands in the file, where variables were filled in.
    pub(crate) raw: Option<String>,
}

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads `text`. Errors here are errors of YAML and of variables; the first of the former ends the reading.
pub(crate) fn read(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> Result<Node, Vec<ManifestError>> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the manifest has {} bytes; at most {TEXT_BYTES_MAX} are read. Split it into several",
            text.len()
        );
        let place = Place { span: 0..0, line: 1, column: 1 };
        return Err(vec![place.error(Problem::Syntax { message })]);
    }
    let options = options(variables::values(text, vars));
    let raw: Spanned<RawNode> = serde_saphyr::from_str_with_options(text, options.clone())
        .map_err(|error| vec![syntax(text, &error)])?;
    let mut finish = Finish { text, options, errors: Vec::new() };
    let node = finish.node(raw);
    if finish.errors.is_empty() { Ok(node) } else { Err(finish.errors) }
}

fn options(values: HashMap<String, String>) -> serde_saphyr::Options {
    serde_saphyr::options! {
        property_syntax: PropertySyntax::Braced,
        with_snippet: false,
        strict_booleans: true,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        budget: serde_saphyr::budget! {
            max_depth: 24,
            max_nodes: 200_000,
            max_events: 500_000,
            max_aliases: 2_000,
            max_documents: 1,
            max_total_scalar_bytes: 2 * TEXT_BYTES_MAX,
            max_property_expansion_depth: 8,
        },
    }
    .with_properties(values)
}

fn syntax(text: &str, error: &serde_saphyr::Error) -> ManifestError {
    let place = error.location().map_or_else(Place::default, |location| place(text, location));
    let place = if place.line == 0 { Place { span: 0..0, line: 1, column: 1 } } else { place };
    match error.without_snippet() {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this field");
            let error = place.error(Problem::Syntax { message: format!("{key} stands here twice") });
            ManifestError { help: Some("keep one of the two".into()), ..error }
        }
        Error::InvalidPropertyName { .. } => variables::malformed(text, &place),
        Error::UnresolvedProperty { name, .. } => variables::unset(&place, name, ""),
        Error::PropertyRequiredButUnset { name, message, .. }
        | Error::PropertyRequiredButEmpty { name, message, .. } => variables::unset(&place, name, message),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            let message = "a manifest is one YAML document; `---` starts a second one".to_owned();
            place.error(Problem::Syntax { message })
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            let message =
                "too much to read: the manifest is nested too deeply, or repeats itself too often".to_owned();
            place.error(Problem::Syntax { message })
        }
        other => {
            let message = other.to_string();
            let message = message.lines().next().unwrap_or_default();
            let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
            let help = match message {
                tabs if tabs.contains("tab") => "indent with blanks",
                open if open.contains("unclosed") => "close it, or put the text in quotes",
                _ => "YAML does not read on from here; docs/manifest.md shows how each part is written",
            };
            let error = place.error(Problem::Syntax { message: message.to_owned() });
            ManifestError { help: Some(help.into()), ..error }
        }
    }
}

fn place(text: &str, location: Location) -> Place {
    let span = location.span();
    // Errors of the scanner come with line and column alone.
    let offset = span.byte_offset().unwrap_or_else(|| offset(text, location.line(), location.column()));
    let start = floor(text, offset);
    let end = floor(text, offset.saturating_add(span.byte_len().unwrap_or_default()));
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Place { span: start..end.max(start), line: number(location.line()), column: number(location.column()) }
}

/// The offset of a place given as line and column, in characters, both from 1; the end of its line where that is shorter.
fn offset(text: &str, line: u64, column: u64) -> u64 {
    let skip = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == skip(line) {
            let content = content.trim_end_matches(['\n', '\r']);
            let within = content.char_indices().nth(skip(column)).map_or(content.len(), |(at, _)| at);
            return (start + within) as u64;
        }
        start += content.len();
    }
    text.len() as u64
}

/// The offset as an index into the text, moved back to a character's start: spans come from another crate.
fn floor(text: &str, offset: u64) -> usize {
    text.floor_char_boundary(usize::try_from(offset).unwrap_or(usize::MAX).min(text.len()))
}

/// What serde gives us, before text that it took for numbers is put back.
enum RawNode {
    Null,
    Text(String),
    /// serde made a number or truth value of it; its text is read again from the source.
    Typed,
    List(Vec<Spanned<RawNode>>),
    Map(Vec<(Spanned<String>, Spanned<RawNode>)>),
}

impl<'de> Deserialize<'de> for RawNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawNode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<RawNode, E> {
        Ok(RawNode::Null)
    }
    fn visit_none<E>(self) -> Result<RawNode, E> {
        Ok(RawNode::Null)
    }
    fn visit_bool<E>(self, _: bool) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_i64<E>(self, _: i64) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_i128<E>(self, _: i128) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_u64<E>(self, _: u64) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_u128<E>(self, _: u128) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_f64<E>(self, _: f64) -> Result<RawNode, E> {
        Ok(RawNode::Typed)
    }
    fn visit_str<E>(self, text: &str) -> Result<RawNode, E> {
        Ok(RawNode::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<RawNode, E> {
        Ok(RawNode::Text(text))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawNode, D::Error> {
        RawNode::deserialize(deserializer)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawNode, D::Error> {
        RawNode::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawNode, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawNode::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawNode, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawNode::Map(entries))
    }
}

/// Turns raw nodes into nodes, and finds variables where they are not read.
struct Finish<'t> {
    text: &'t str,
    options: serde_saphyr::Options,
    errors: Vec<ManifestError>,
}

impl Finish<'_> {
    fn node(&mut self, raw: Spanned<RawNode>) -> Node {
        let at = place(self.text, raw.referenced);
        let written = place(self.text, raw.defined);
        let value = match raw.value {
            RawNode::Null => Value::Null,
            RawNode::Text(text) => Value::Scalar(self.scalar(&written, Some(text))),
            RawNode::Typed => Value::Scalar(self.scalar(&written, None)),
            RawNode::List(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            RawNode::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (self.key(key), self.node(value))).collect(),
            ),
        };
        Node { place: at, value }
    }

    fn key(&mut self, raw: Spanned<String>) -> Key {
        let place = place(self.text, raw.referenced);
        // The reader fills variables in here too; a name that depends on the environment helps nobody find it.
        if self.text[place.span.clone()].contains("${") {
            let message = "variables are filled in in values, not in names of fields".to_owned();
            self.errors.push(place.error(Problem::Variable { message }));
        }
        Key { place, text: raw.value }
    }

    /// `text` is what the reader made of it, or `None` if it made a number of it.
    fn scalar(&mut self, written: &Place, text: Option<String>) -> Scalar {
        let source = &self.text[written.span.clone()];
        let quoted = source.starts_with(['"', '\'']);
        let holds_variable = source.contains("${");
        if quoted && holds_variable {
            self.errors.push(variables::quoted(self.text, written));
        }
        let text = text.unwrap_or_else(|| {
            serde_saphyr::from_str_with_options::<String>(source, self.options.clone())
                .unwrap_or_else(|_| source.to_owned())
        });
        let raw = (holds_variable && !quoted && text != source).then(|| source.trim_end().to_owned());
        Scalar { text, raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar(scalar) => format!("{:?}@{}:{}", scalar.text, node.place.line, node.place.column),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entry = |(key, value): &(Key, Node)| {
                    format!("{}@{}:{}={}", key.text, key.place.line, key.place.column, show(value))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn tree(text: &str) -> String {
        let vars = |name: &str| (name == "V").then(|| "1.10".to_owned());
        match read(text, &vars) {
            Ok(node) => show(&node),
            Err(errors) => format!("{errors:?}"),
        }
    }

    #[test]
    fn scalars_keep_their_text_and_nodes_their_place() {
        assert_eq!(
            tree("a: 1.10\nb: [x, 0x1F, true, ~]\n"),
            r#"{a@1:1="1.10"@1:4, b@2:1=["x"@2:5, "0x1F"@2:8, "true"@2:14, null]}"#
        );
        assert_eq!(tree("a: ${V}\nb: v${V}\n"), r#"{a@1:1="1.10"@1:4, b@2:1="v1.10"@2:4}"#);
        assert_eq!(tree("a: |\n  x ${V}\n"), r#"{a@1:1="x ${V}\n"@2:3}"#);
        assert_eq!(tree("a: &x {b: 1}\nc: *x\n"), r#"{a@1:1={b@1:8="1"@1:11}, c@2:1={b@2:4="1"@2:4}}"#);
    }
}
