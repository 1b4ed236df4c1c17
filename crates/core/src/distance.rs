//! How far a call over a link may go.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How far calls over a link may go. Missing reads as [`Distance::PreferLocal`]; an unknown word is refused, since who
/// cannot read a limit must not guess one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Only to a target in the caller's own host; elsewhere it counts as not there.
    Local,
    /// To the target in the caller's own host where it runs there, else to another host.
    #[default]
    PreferLocal,
    /// To any host that runs the target, the caller's own like every other: load is shared among all.
    Lattice,
}

/// A word that names no distance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a distance; there are local, prefer-local (as if none were given) and lattice")]
pub struct DistanceError(String);

impl Distance {
    /// The word by which it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Distance::Local => "local",
            Distance::PreferLocal => "prefer-local",
            Distance::Lattice => "lattice",
        }
    }

    /// True where nothing needs to be written.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Distance::default()
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Distance {
    type Err = DistanceError;

    fn from_str(word: &str) -> Result<Self, DistanceError> {
        [Distance::Local, Distance::PreferLocal, Distance::Lattice]
            .into_iter()
            .find(|distance| distance.as_str() == word)
            .ok_or_else(|| DistanceError(word.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for distance in [Distance::Local, Distance::PreferLocal, Distance::Lattice] {
            let word = distance.as_str();
            assert_eq!(word.parse(), Ok(distance));
            assert_eq!(serde_json::to_value(distance).unwrap(), word);
        }
        let error = "near".parse::<Distance>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#""near" is not a distance; there are local, prefer-local (as if none were given) and lattice"#
        );
    }
}
