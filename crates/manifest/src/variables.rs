//! `${VAR}`, `${VAR:-default}` and `${VAR:?message}`: where they are read, and what is said where they are not.

use std::collections::HashMap;

use crate::{
    error::{ManifestError, Problem},
    tree::Place,
};

/// The values of all variables that the text mentions. The YAML reader wants them beforehand.
pub(crate) fn values(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> HashMap<String, String> {
    let mut values = HashMap::new();
    for (_, name, _) in mentions(text) {
        if !values.contains_key(name)
            && let Some(value) = vars(name)
        {
            values.insert(name.to_owned(), value);
        }
    }
    values
}

/// Every `${NAME`: its offset, the name, and what follows the name.
fn mentions(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.match_indices("${").filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (end > 0).then(|| (at, &rest[..end], &rest[end..]))
    })
}

/// A variable without a value, or an empty one where `:?` asks for one.
pub(crate) fn unset(place: &Place, name: &str, message: &str) -> ManifestError {
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let help = format!("set {name} in the environment, or give it a default: ${{{name}:-default}}");
    place
        .error_with(Problem::Variable { message: format!("the variable {name} has no value{message}") }, help)
}

/// A `${…}` that is none of the forms that are read, with the line as it should be where it is the form of 2021.
pub(crate) fn malformed(text: &str, place: &Place) -> ManifestError {
    let line = text.lines().nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
    let old_form = mentions(line).find_map(|(_, name, rest)| {
        let default = rest.strip_prefix(':').filter(|rest| !rest.starts_with(['-', '?', '+']))?;
        default.split_once('}').map(|(default, _)| (name, default))
    });
    match old_form {
        Some((name, default)) => {
            let old = format!("${{{name}:{default}}}");
            let better = line.replacen(&old, &format!("${{{name}:-{default}}}"), 1);
            let message = format!("`{old}` is how a default was written in 2021");
            place.error_with(Problem::Variable { message }, format!("write: {}", better.trim()))
        }
        None => {
            let message = "this is not the form of a variable".to_owned();
            place.error_with(
                Problem::Variable { message },
                "write ${NAME}, ${NAME:-default} or ${NAME:?message}",
            )
        }
    }
}

/// A quoted scalar with a variable in it: the YAML reader would leave it as it stands.
pub(crate) fn quoted(text: &str, place: &Place) -> ManifestError {
    let source = &text[place.span.clone()];
    let message = "a variable in quotes is not filled in".to_owned();
    let inner = source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
    let line = text.lines().nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
    let plain = !inner.is_empty()
        && !inner.contains(['\n', '"', '\'', '\\'])
        && !inner.contains(": ")
        && !inner.contains(" #")
        && !inner.starts_with(['{', '[', '&', '*', '!', '|', '>', '%', '@', '`', ' ', '-', '?'])
        && !inner.ends_with([':', ' ']);
    let help = if plain && line.contains(source) {
        format!("write it without quotes: {}", line.replacen(source, inner, 1).trim())
    } else {
        "put the whole text into the variable, and write it without quotes: ${NAME}".to_owned()
    };
    place.error_with(Problem::Variable { message }, help)
}
