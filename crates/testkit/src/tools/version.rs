//! Versions of programs, out of what they print.

use std::fmt;

/// Major, minor and patch; compared in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes when old clients stop working.
    pub major: u32,
    /// Changes when something is new.
    pub minor: u32,
    /// Changes otherwise.
    pub patch: u32,
}

impl Version {
    /// The first `1.2.3` in a text, with or without a `v` before it; a missing patch counts as 0.
    #[must_use]
    pub fn find_in(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut parts = word.trim_start_matches('v').split('.');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
            let patch = parts.next().map_or(Some(0), |part| digits(part).parse().ok())?;
            Some(Self { major, minor, patch })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_print_them() {
        let cases = [
            ("nats-server: v2.15.1\n", Some((2, 15, 1))),
            ("nats-server: v2.11.0-beta.3", Some((2, 11, 0))),
            ("typos-cli 1.52.0", Some((1, 52, 0))),
            ("rustc 1.95 (nightly)", Some((1, 95, 0))),
            ("no version here", None),
        ];
        for (text, expected) in cases {
            let found = Version::find_in(text).map(|v| (v.major, v.minor, v.patch));
            assert_eq!(found, expected, "{text}");
        }
    }
}
