//! An error and what caused it: libraries put what happened into the causes, and only where it happened into the error.

use std::{error::Error, iter::successors};

/// Nothing here makes longer chains; the bound is against a cause that is its own.
const CAUSES_MAX: usize = 32;

/// The error, its cause, the cause of that, and so on, outermost first; at most 32, and never none.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(CAUSES_MAX)
}

/// The text of the innermost cause: what happened, where the others only say that something failed.
#[must_use]
pub fn innermost_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

/// The texts of the error and its causes, as `outer: inner`. A cause that the text before it tells already is left out.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in causes(error).skip(1) {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let source = if texts.len() > 1 { Some(Box::from(layers(&texts[1..]))) } else { None };
        Layer { text: texts[0], source }
    }

    #[test]
    fn causes_are_found_and_told_once() {
        for (texts, innermost, all) in [
            (&["refused"][..], "refused", "refused"),
            (&["connecting", "i/o", "refused"], "refused", "connecting: i/o: refused"),
            (&["connecting: refused", "refused"], "refused", "connecting: refused"),
        ] {
            let error = layers(texts);
            assert_eq!(causes(&error).count(), texts.len());
            assert_eq!((innermost_cause(&error).as_str(), with_causes(&error).as_str()), (innermost, all));
        }
        assert_eq!(causes(&layers(&["again"; 100])).count(), CAUSES_MAX);
    }
}
