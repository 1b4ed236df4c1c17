//! Why a command failed, for people and for scripts: what happened, why, what to do next, and the exit code.

use std::{error::Error, fmt};

use miette::{Diagnostic, LabeledSpan, Report, SourceCode};
use serde_json::{Value, json};

use crate::exit::Exit;

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A failed command. Built from a library's error, given the exit code and the remedy.
pub(crate) struct Failure {
    exit: Exit,
    report: Report,
}

impl Failure {
    /// Refused, failed or not found: exit code 1.
    pub(crate) fn refused(error: impl Error + Send + Sync + 'static) -> Failure {
        Failure::new(Exit::Refused, Box::new(error))
    }

    /// A command line that reads well but makes no sense: exit code 2.
    pub(crate) fn usage(error: impl Error + Send + Sync + 'static) -> Failure {
        Failure::new(Exit::Usage, Box::new(error))
    }

    /// The lattice or the registry does not answer: exit code 3.
    pub(crate) fn unreachable(error: impl Error + Send + Sync + 'static) -> Failure {
        Failure::new(Exit::Unreachable, Box::new(error))
    }

    /// As the constructors above, from a sentence of our own: what happened, to what, why.
    pub(crate) fn say(exit: Exit, what: impl Into<String>) -> Failure {
        Failure::new(exit, what.into().into())
    }

    /// A diagnostic that brings its own spans and help, as those about manifests do.
    pub(crate) fn diagnostic(exit: Exit, report: Report) -> Failure {
        Failure { exit, report }
    }

    /// Adds what to do next; an earlier one is kept where this is empty.
    #[must_use]
    pub(crate) fn help(self, remedy: impl Into<String>) -> Failure {
        let remedy = remedy.into();
        if remedy.is_empty() {
            return self;
        }
        Failure { exit: self.exit, report: Report::new(Helped { inner: self.report, remedy }) }
    }

    /// Says what was being done; the former text becomes the cause.
    #[must_use]
    pub(crate) fn context(self, doing: impl Into<String>) -> Failure {
        let help = self.report.help().map(|help| help.to_string()).unwrap_or_default();
        let failure = Failure { exit: self.exit, report: self.report.wrap_err(doing.into()) };
        failure.help(help)
    }

    fn new(exit: Exit, error: Box<dyn Error + Send + Sync>) -> Failure {
        Failure { exit, report: Report::new(Plain(error)) }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Many lines for a terminal or a log.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.report)
    }

    /// The same for programs: `{"success":false,"error":…,"causes":[…],"help":…,"code":…,"exit_code":…}`.
    pub(crate) fn json(&self) -> Value {
        let mut chain = self.report.chain().map(ToString::to_string);
        let mut value = json!({ "success": false, "error": chain.next().unwrap_or_default() });
        let causes: Vec<String> = chain.collect();
        if !causes.is_empty() {
            value["causes"] = json!(causes);
        }
        if let Some(help) = self.report.help() {
            value["help"] = json!(help.to_string());
        }
        value["code"] = json!(self.exit.word());
        value["exit_code"] = json!(self.exit.number());
        value
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?})", self.report, self.exit)
    }
}

/// An error of a library, which knows nothing of miette.
#[derive(Debug)]
struct Plain(Box<dyn Error + Send + Sync>);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Plain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl Diagnostic for Plain {}

/// A report with another remedy; everything else is the inner one's.
#[derive(Debug)]
struct Helped {
    inner: Report,
    remedy: String,
}

impl fmt::Display for Helped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Error for Helped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.chain().nth(1)
    }
}

impl Diagnostic for Helped {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.remedy))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.inner.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.inner.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        self.inner.related()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Failure {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        Failure::refused(cause).help("write the path again").context("cannot read hello.wasm")
    }

    #[test]
    fn json_has_error_causes_help_and_code() {
        assert_eq!(
            missing().json().to_string(),
            r#"{"success":false,"error":"cannot read hello.wasm","causes":["no such file"],"help":"write the path again","code":"refused","exit_code":1}"#
        );
    }

    #[test]
    fn text_has_them_too() {
        let text = missing().text();
        for part in ["cannot read hello.wasm", "no such file", "write the path again"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
