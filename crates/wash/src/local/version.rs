//! Versions of programs that we start.

use std::{fmt, path::Path, process::Stdio, time::Duration};

/// How long a program may take to say its version.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u64, pub(super) u64, pub(super) u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// The first version in a text such as `nats-server: v2.11.3`.
    pub(super) fn find(text: &str) -> Option<Version> {
        text.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| {
            let word = word.trim_start_matches('v');
            let mut parts = word.split(['.', '-', '+']).map(str::parse::<u64>);
            match (parts.next()?, parts.next()?, parts.next()?) {
                (Ok(major), Ok(minor), Ok(patch)) => Some(Version(major, minor, patch)),
                _ => None,
            }
        })
    }

    /// Asks `program --version`.
    pub(super) async fn of(program: &Path) -> Result<Version, String> {
        let mut command = tokio::process::Command::new(program);
        command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(ANSWER_WITHIN, command.output())
            .await
            .map_err(|_| "it does not say its version".to_owned())?
            .map_err(|error| error.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        Version::find(&String::from_utf8_lossy(&said)).ok_or_else(|| "it does not say its version".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_what_programs_say() {
        assert_eq!(Version::find("nats-server: v2.11.3\n"), Some(Version(2, 11, 3)));
        assert_eq!(Version::find("wasmcloud 0.1.0"), Some(Version(0, 1, 0)));
        assert_eq!(Version::find("nats-server: v2.12.0-preview.1"), Some(Version(2, 12, 0)));
        assert_eq!(Version::find("nothing"), None);
        assert!(Version(2, 9, 25) < Version(2, 11, 0));
    }
}
