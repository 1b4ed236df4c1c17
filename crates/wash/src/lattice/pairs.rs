//! `KEY=VALUE` on the command line.

use std::str::FromStr;

/// One pair. Only the first `=` splits, so values may hold more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Pair { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("{text:?} is not KEY=VALUE")),
        }
    }
}

impl From<Pair> for (String, String) {
    fn from(pair: Pair) -> Self {
        (pair.key, pair.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_equals_signs() {
        let pair: Pair = "URL=redis://host?a=b".parse().unwrap();
        assert_eq!(("URL".to_owned(), "redis://host?a=b".to_owned()), pair.into());
        assert!("novalue".parse::<Pair>().is_err());
        assert!("=x".parse::<Pair>().is_err());
        assert_eq!("a=".parse::<Pair>().unwrap().value, "");
    }
}
