//! What is printed: a line an attempt, and a sum.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::attempt::{Line, Outcome};

/// Prints the line of one attempt as soon as it was made.
pub(crate) fn line(line: &Line<'_>, open: bool) {
    let attempt = line.attempt;
    let (what, detail) = match &line.outcome {
        Ok(Outcome::Refused { by, seen, .. }) => (format!("refused by {by}"), format!("seen: {seen}")),
        Ok(Outcome::Succeeded { what }) => ("SUCCEEDS".to_owned(), what.clone()),
        Err(error) => ("UNCLEAR".to_owned(), format!("{error:#}")),
    };
    let mark = if line.is_as_documented(open) { ' ' } else { '!' };
    print(&format!(
        "{mark}{:>3}  {:<8}  {:<86}  {what:<24}  {detail}",
        attempt.number, attempt.place, attempt.tried
    ));
}

/// Prints how many ended how.
pub(crate) fn sum(lines: &[Line<'_>], open: bool) {
    let count = |wanted: fn(&Line<'_>) -> bool| lines.iter().filter(|line| wanted(line)).count();
    let refused = count(|line| matches!(line.outcome, Ok(Outcome::Refused { .. })));
    let succeeded = count(|line| matches!(line.outcome, Ok(Outcome::Succeeded { .. })));
    let kind = if open { "an open lattice" } else { "a closed lattice" };
    print(&format!("\n{kind}: {} attempts, {refused} refused, {succeeded} succeeded", lines.len()));
    let odd: Vec<String> = lines
        .iter()
        .filter(|line| !line.is_as_documented(open))
        .map(|line| line.attempt.number.to_string())
        .collect();
    if !odd.is_empty() {
        print(&format!("not as documented: {}", odd.join(", ")));
    }
}

/// Prints all of it for programs.
pub(crate) fn json(lines: &[Line<'_>], open: bool) {
    let lines: Vec<Value> = lines.iter().map(|line| one(line, open)).collect();
    print(&json!({ "open": open, "attempts": lines }).to_string());
}

fn one(line: &Line<'_>, open: bool) -> Value {
    let attempt = line.attempt;
    let mut value = json!({
        "number": attempt.number,
        "place": attempt.place.to_string(),
        "tried": attempt.tried,
        "as_documented": line.is_as_documented(open),
    });
    let more = match &line.outcome {
        Ok(Outcome::Refused { by, seen, evidence }) => {
            json!({ "outcome": "refused", "by": by.to_string(), "seen": seen, "evidence": evidence })
        }
        Ok(Outcome::Succeeded { what }) => json!({ "outcome": "succeeded", "what": what }),
        Err(error) => json!({ "outcome": "unclear", "why": format!("{error:#}") }),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed our output does not want to read on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
