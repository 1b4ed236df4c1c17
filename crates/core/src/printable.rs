//! Text of others, where it is shown: what would move a cursor, clear a screen, ring a bell or turn a line round is written out.

use std::borrow::Cow;

/// The text with every character that does more than stand there written as an escape, as `\u{1b}`. Line ends and tabulators
/// stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    printable_but(text, |_| 0)
}

/// As [`printable`], of text in which something of our own stands: `keeps` says how many bytes at the beginning of a text stay as
/// they are. It is asked wherever an odd character stands.
#[must_use]
pub fn printable_but(text: &str, keeps: impl Fn(&str) -> usize) -> Cow<'_, str> {
    written_out(text, is_odd, keeps)
}

/// As [`printable`], of text that has to stay in its line: line ends are written out, too, so that nothing looks like a line of
/// ours.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    written_out(text, |c| c == '\n' || is_odd(c), |_| 0)
}

/// As [`one_line`], and of at most `chars` characters, behind which `…` stands where there were more.
#[must_use]
pub fn shortened(text: &str, chars: usize) -> Cow<'_, str> {
    let cut_at = |text: &str| text.char_indices().nth(chars).map(|(at, _)| at);
    // Cut first, so that what is far too long is not written out as a whole.
    let (head, was_cut) = match cut_at(text) {
        Some(at) => (&text[..at], true),
        None => (text, false),
    };
    let shown = one_line(head);
    match (cut_at(&shown), was_cut) {
        (None, false) => shown,
        (None, true) => Cow::Owned(format!("{shown}…")),
        (Some(at), _) => Cow::Owned(format!("{}…", &shown[..at])),
    }
}

fn written_out(text: &str, odd: impl Fn(char) -> bool, keeps: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(&odd) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len() + 16), text);
    while let Some(at) = rest.find(&odd) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!(one_line("a\r\nforged\u{7}"), "a\\r\\nforged\\u{7}");
        assert_eq!(one_line("a\tb"), "a\tb");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        for (text, shown) in [
            ("größe", "größe"),
            ("größer", "größe…"),
            ("äääääää", "äääää…"),
            ("a\n", "a\\n"),
            // Written out it has more characters, and is cut there.
            ("abcd\n", "abcd\\…"),
            ("", ""),
        ] {
            assert_eq!(shortened(text, 5), shown);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_stays_in_its_line_and_its_bounds(text in any::<String>(), chars in 0_usize..20) {
            let shown = shortened(&text, chars);
            prop_assert!(shown.chars().count() <= chars + 1);
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\t'), "{shown:?}");
        }
    }
}
