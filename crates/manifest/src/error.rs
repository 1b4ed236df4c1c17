//! What can be wrong with a manifest, and where.

use std::{fmt, ops::Range, sync::Arc};

use lattice_core::{ContractError, DistanceError, IdError, ImageRefError, LabelError, LinkRejection};
use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, NamedSource, SourceCode, SourceSpan,
    SpanContents,
};

/// What is wrong at one place of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not YAML, or a variable without a value, or over a limit of the reader.
    #[error("{message}")]
    Syntax {
        /// What the YAML reader says, in one line.
        message: String,
    },
    /// A variable in a form that is not read, or where it is not read.
    #[error("{message}")]
    Variable {
        /// What is wrong with it.
        message: String,
    },
    /// The file is a manifest of another program or time.
    #[error("this is {what}, which is not read here")]
    Foreign {
        /// What it is.
        what: &'static str,
    },
    /// A field that does not exist.
    #[error("{place} has no field {field:?}")]
    UnknownField {
        /// Of what, as `an actor`.
        place: &'static str,
        /// The field as written.
        field: String,
    },
    /// A field that must be there is not.
    #[error("{place} needs the field {field:?}")]
    MissingField {
        /// Of what.
        place: &'static str,
        /// The field.
        field: &'static str,
    },
    /// Two names of one field.
    #[error("{first:?} and {second:?} mean the same; keep one")]
    TwoNames {
        /// The usual name.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Another kind of value than wanted.
    #[error("{field:?} wants {wanted}, not {found}")]
    WrongType {
        /// The field.
        field: String,
        /// What may stand there.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A number that is out of range, or a quantity that cannot be read.
    #[error("{field:?}: {message}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A value with variables that is not legal once they are filled in. The value itself may be a secret and is not shown.
    #[error("`{raw}`, once its variables are filled in, is not {wanted}")]
    Interpolated {
        /// The text as it stands in the file.
        raw: String,
        /// What may stand there.
        wanted: &'static str,
    },
    /// A name that is not legal.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A key where a name belongs.
    #[error("{text:?} is a key; a manifest names its actors and providers")]
    PastedKey {
        /// The key.
        text: String,
    },
    /// A contract that is not one.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// An image reference that is not one.
    #[error(transparent)]
    Image(#[from] ImageRefError),
    /// A label that may not be set.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A word that is no distance.
    #[error(transparent)]
    Distance(#[from] DistanceError),
    /// A link that the lattice refuses.
    #[error(transparent)]
    Link(#[from] LinkRejection),
    /// Something is there twice.
    #[error("{what} stands here twice; it was first on line {first}")]
    Twice {
        /// What.
        what: String,
        /// Line of the first.
        first: u32,
    },
    /// A part that cannot do what the manifest asks of it.
    #[error("{message}")]
    Misuse {
        /// What was asked of what.
        message: String,
    },
}

/// One error of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestError {
    /// What is wrong.
    pub problem: Problem,
    /// Where, in bytes of the text; of something long only its start.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: u32,
    /// Column, in characters from 1.
    pub column: u32,
    /// What to write instead, where that can be said.
    pub help: Option<Box<str>>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cut(self.problem.to_string()))
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

impl Diagnostic for ManifestError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(cut(help.to_string())) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new(Some("here".to_owned()), self.span.start, self.span.len());
        Some(Box::new(std::iter::once(label)))
    }
}

/// How much of the text is marked, shown around a place, and repeated in a message: a line may be as long as the file.
const LABEL_BYTES_MAX: usize = 120;
const SHOWN_BYTES_MAX: usize = 1024;
const MESSAGE_CHARS_MAX: usize = 600;

/// The message, without the middle where it is very long.
fn cut(text: String) -> String {
    let count = text.chars().count();
    if count <= MESSAGE_CHARS_MAX {
        return text;
    }
    let half = MESSAGE_CHARS_MAX / 2;
    let (start, end): (String, String) =
        (text.chars().take(half).collect(), text.chars().skip(count - half).collect());
    format!("{start} … {end}")
}

/// The text of a manifest, of which a bounded part is shown at a time.
#[derive(Debug)]
struct Source(NamedSource<String>);

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.0.read_span(span, lines_before, lines_after)?;
        if whole.data().len() <= SHOWN_BYTES_MAX {
            return Ok(whole);
        }
        let place = self.0.read_span(span, 0, 0)?;
        let text = self.0.inner();
        let line_start = text[..span.offset()].rfind('\n').map_or(0, |at| at + 1);
        // Without lines around it is the place itself that is asked for.
        let before = if lines_before == 0 { 0 } else { LABEL_BYTES_MAX / 2 };
        let start = text.floor_char_boundary(span.offset().saturating_sub(before)).max(line_start);
        let end = text.floor_char_boundary(text.len().min(span.offset() + 2 * LABEL_BYTES_MAX));
        let data = &text[start..end];
        let data = data.split('\n').next().unwrap_or(data);
        let (line, column) = (place.line(), place.column());
        let shown = (start, data.len()).into();
        let name = self.0.name().to_owned();
        Ok(Box::new(MietteSpanContents::new_named(name, data.as_bytes(), shown, line, column, 1)))
    }
}

/// Every error found in one manifest, with its text.
///
/// As text one line each, `file:line:column: message; help`. For a terminal: [`ManifestErrors::into_labelled`].
#[derive(Debug, Clone)]
pub struct ManifestErrors {
    source: Arc<Source>,
    errors: Vec<ManifestError>,
}

impl ManifestErrors {
    pub(crate) fn new(file_name: &str, text: &str, mut errors: Vec<ManifestError>) -> Self {
        errors.sort_by_key(|error| error.span.start);
        for error in &mut errors {
            let end = error.span.end.min(error.span.start.saturating_add(LABEL_BYTES_MAX));
            error.span.end = text.floor_char_boundary(end).max(error.span.start);
        }
        Self { source: Arc::new(Source(NamedSource::new(file_name, text.to_owned()))), errors }
    }

    /// The errors, in the order of the text. At least one.
    #[must_use]
    pub fn errors(&self) -> &[ManifestError] {
        &self.errors
    }

    /// The errors as a [`Diagnostic`], each labelled in the text.
    #[must_use]
    pub fn into_labelled(self) -> LabelledErrors {
        LabelledErrors(self)
    }

    /// The file's name as it was given.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.source.0.name()
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}:{}: {error}", self.file_name(), error.line, error.column)?;
            if let Some(help) = &error.help {
                write!(f, "; {}", cut(help.replace('\n', " ")))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

/// The same errors for a terminal: as a [`Diagnostic`] that labels each in the text.
#[derive(Debug, Clone)]
pub struct LabelledErrors(ManifestErrors);

impl fmt::Display for LabelledErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.errors.len() {
            1 => write!(f, "{} has an error", self.0.file_name()),
            count => write!(f, "{} has {count} errors", self.0.file_name()),
        }
    }
}

impl std::error::Error for LabelledErrors {}

impl Diagnostic for LabelledErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.0.source.as_ref())
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.errors.iter().map(|error| error as &dyn Diagnostic)))
    }
}

/// Something that is not wrong but worth knowing, as a link end that this file does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// Line, from 1.
    pub line: u32,
    /// Column, in characters from 1.
    pub column: u32,
    /// What is worth knowing.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}
