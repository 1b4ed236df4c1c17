//! Text of others on a terminal: what would move the cursor, clear the screen, ring the bell or turn the line round is written out.

use std::borrow::Cow;

/// The text with every character that does more than stand there written as an escape: what hosts tell may have come from anybody.
/// Line ends and tabulators stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    written_out(text, |_| 0)
}

/// A text that has to stay in its line: line ends are written out, too, so that nothing looks like a line of ours.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(['\n', '\r']) {
        true => Cow::Owned(text.replace('\n', "\\n").replace('\r', "\\r")),
        false => Cow::Borrowed(text),
    }
}

/// As [`printable`], of text in which our own colours stand.
pub(super) fn printable_coloured(text: &str) -> Cow<'_, str> {
    written_out(text, colour_length)
}

/// `keeps` says how many bytes at the beginning of a text stay as they are.
fn written_out(text: &str, keeps: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len() + 16), text);
    while let Some(at) = rest.find(is_odd) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let kept = keeps(from);
        if kept > 0 {
            out.push_str(&from[..kept]);
            rest = &from[kept..];
            continue;
        }
        let mut chars = from.chars();
        out.extend(chars.next().into_iter().flat_map(char::escape_default));
        rest = chars.as_str();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Control characters, and those that change the direction of what follows.
fn is_odd(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
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
    fn nothing_but_text_comes_through() {
        for (text, shown) in [
            ("plain, größer\n\tand 漢字", "plain, größer\n\tand 漢字"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{1b}]0;owned\u{7}", "a\\u{1b}]0;owned\\u{7}"),
            ("one\rtwo", "one\\rtwo"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("", ""),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(one_line("a\r\nforged"), "a\\r\\nforged");
        assert_eq!(one_line("a\tb"), "a\tb");
    }

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
