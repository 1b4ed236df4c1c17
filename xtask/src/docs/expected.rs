//! Whether output is as the document shows it. `…` (or `...`) stands for any text within a line, alone on a line for any number of
//! lines; blanks at the ends of lines do not count.

/// True when `output` is `expected`.
pub(super) fn matches(expected: &str, output: &str) -> bool {
    lines_match(&trimmed(expected), &trimmed(output))
}

/// True when `output` is `expected` as far as it goes, for what is still running.
pub(super) fn matches_so_far(expected: &str, output: &str) -> bool {
    let (expected, output) = (trimmed(expected), trimmed(output));
    (0..=expected.len()).any(|end| lines_match(&expected[..end], &output))
}

fn trimmed(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines[..end].to_vec()
}

fn lines_match(expected: &[&str], output: &[&str]) -> bool {
    match expected.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if is_wild(first.trim()) => {
            (0..=output.len()).any(|n| lines_match(rest, &output[n..]))
        }
        Some((first, rest)) => match output.split_first() {
            Some((line, left)) => line_matches(first, line) && lines_match(rest, left),
            None => false,
        },
    }
}

fn is_wild(line: &str) -> bool {
    matches!(line, "…" | "...")
}

fn line_matches(expected: &str, line: &str) -> bool {
    let expected = expected.replace("...", "…");
    let mut pieces = expected.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_compared() {
        let cases = [
            ("a\nb\n", "a\nb", true),
            ("a", "a\nb", false),
            ("built in … s", "built in 3.4 s  ", true),
            ("built in … s", "built in 3.4 min", false),
            ("id ...-...!", "id 4-5!", true),
            ("a\n…\nz", "a\nz", true),
            ("a\n…\nz", "a\nb\nc\nz", true),
            ("a\n…\nz", "a\nb\nc", false),
            ("", "", true),
        ];
        for (expected, output, same) in cases {
            assert_eq!(matches(expected, output), same, "{expected:?} {output:?}");
        }
    }

    #[test]
    fn what_is_still_running_may_print_more() {
        assert!(matches_so_far("a\n…\nz\nCtrl-C", "a\nb\nz"));
        assert!(!matches_so_far("a\nz", "b"));
    }
}
