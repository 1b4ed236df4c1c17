//! A host's log, read by fields. The host has to log in JSON: [`Line::JSON`].

use serde_json::Value;

/// One line of a host's log.
#[derive(Debug, Clone)]
pub struct Line {
    /// `INFO`, `WARN`, …
    pub level: String,
    /// What it says.
    pub message: String,
    fields: Value,
}

impl Line {
    /// The flag with which a host logs what [`lines`] reads.
    pub const JSON: &'static str = "--enable-structured-logging";

    /// A field as text; empty when there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        match self.fields.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

/// The lines of what a host printed that are its log's.
#[must_use]
pub fn lines(output: &str) -> Vec<Line> {
    let parsed = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    parsed
        .map(|line| Line {
            level: text(&line["level"]),
            message: text(&line["fields"]["message"]),
            fields: line["fields"].clone(),
        })
        .collect()
}
