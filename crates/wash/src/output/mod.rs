//! What a command says: one result on standard output, everything else on standard error.
//!
//! Text is for people, JSON for programs; a program that reads standard output never meets a progress line there.

mod printable;
mod progress;
mod table;

use std::io::{self, ErrorKind, IsTerminal, Write};

use lattice_core::printable;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::{Failure, Outcome};
use printable::printable_coloured;

pub(crate) use progress::Progress;
pub(crate) use table::{Align, centred, pairs, table};

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // Described at the flag: clap would repeat a doc comment in every command's help.
    Text,
    Json,
}

/// What a command found or did. Its fields are the JSON; beside them stands `"success": true`.
pub(crate) trait Reply: Serialize {
    /// The same for people, without a line end at the end.
    fn text(&self) -> String;
}

/// Where results, notices, progress and failures go.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    terminal: bool,
}

impl Output {
    /// Writes to this process's standard streams.
    pub(crate) fn new(format: Format) -> Output {
        Output { format, terminal: io::stderr().is_terminal() }
    }

    /// How this command answers, for those that stream.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The result.
    ///
    /// # Errors
    /// Standard output cannot be written. A reader that has gone away (`wash … | head -1`) is no failure.
    pub(crate) fn reply(&self, reply: &impl Reply) -> Outcome {
        self.text(&match self.format {
            Format::Text => reply.text(),
            Format::Json => success(reply)?.to_string(),
        })
    }

    /// Lines for people, or a line for programs, as a result: only text, whoever wrote it.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub(crate) fn text(&self, text: &str) -> Outcome {
        let mut text = printable(text).into_owned();
        text.push('\n');
        self.raw(text.as_bytes())
    }

    /// Bytes as they are, whatever the format.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub(crate) fn raw(&self, bytes: &[u8]) -> Outcome {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::refused(error).context("cannot write to standard output"))
            }
            _ => Ok(()),
        }
    }

    /// A line beside the result, as "made a new key". Silent for programs.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        if self.format == Format::Text {
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{}", printable(line.as_ref()));
        }
    }

    /// Says that something goes on for longer: moving on a terminal, one line elsewhere, nothing for programs.
    /// It ends when the value is dropped.
    pub(crate) fn progress(&self, doing: impl Into<String>) -> Progress {
        let doing = doing.into();
        match (self.format, self.terminal) {
            (Format::Text, true) => Progress::moving(doing),
            (Format::Text, false) => {
                self.note(&doing);
                Progress::still()
            }
            (Format::Json, _) => Progress::still(),
        }
    }

    /// Why it failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = match self.format {
            Format::Text => printable_coloured(&failure.text()).into_owned(),
            Format::Json => failure.json().to_string(),
        };
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
    }
}

fn success(reply: &impl Reply) -> Outcome<Value> {
    let value = serde_json::to_value(reply)
        .map_err(|error| Failure::refused(error).context("the answer cannot be written as JSON"))?;
    let mut all = Map::new();
    all.insert("success".to_owned(), Value::Bool(true));
    match value {
        Value::Object(fields) => all.extend(fields),
        other => {
            all.insert("result".to_owned(), other);
        }
    }
    Ok(Value::Object(all))
}
