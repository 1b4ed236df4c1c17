//! Text of others on a terminal, where colours of our own may stand in it.

use std::borrow::Cow;

use lattice_core::printable_but;

/// As [`lattice_core::printable`], of text in which our own colours stand.
pub(super) fn printable_coloured(text: &str) -> Cow<'_, str> {
    printable_but(text, colour_length)
}

/// How long the colour is with which `text` begins, as `ESC[1;31m`; 0 if with none.
fn colour_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ';'));
    match end {
        Some(end) if rest[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_colours_stay_and_nothing_else_does() {
        for (text, shown) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[31m\u{1b}[2J", "\u{1b}[31m\\u{1b}[2J"),
            ("\u{1b}[31", "\\u{1b}[31"),
            ("\u{1b}[m", "\u{1b}[m"),
            ("\u{1b}", "\\u{1b}"),
        ] {
            assert_eq!(printable_coloured(text), shown);
        }
    }
}
