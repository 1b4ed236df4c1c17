//! How a NATS server compares subjects.

/// True if `pattern` covers `subject`: `*` stands for one token, a last `>` for one or more. A `subject` with wildcards is
/// covered only if everything it may match is.
#[must_use]
pub fn subject_matches(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::subject_matches;

    #[test]
    fn as_a_server_does() {
        for (pattern, subject) in [
            ("a.b", "a.b"),
            ("a.*", "a.b"),
            ("a.>", "a.b.c"),
            (">", "a"),
            ("a.>", "a.*.c"),
            ("a.>", "a.>"),
            ("a.*.c", "a.*.c"),
        ] {
            assert!(subject_matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in
            [("a.b", "a"), ("a", "a.b"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.*", "a.>"), ("a.b", "a.*")]
        {
            assert!(!subject_matches(pattern, subject), "{pattern} {subject}");
        }
    }
}
