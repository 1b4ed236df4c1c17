//! References to images: an OCI reference, a file, or something built into the host.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::every::every;

/// Where the bytes of an actor or provider come from. Written as the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageRef {
    /// An image in a registry.
    Oci(OciRef),
    /// A file: `file:///abs/path`, or a path that starts with `/`, `./` or `../`, or ends in `.wasm`, `.par`, `.par.gz`.
    File(PathBuf),
    /// A provider that is part of the host.
    Builtin(Builtin),
}

/// A registry reference: `host[:port]/repository[:tag][@sha256:…]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OciRef {
    /// Host and port, as `localhost:5000`.
    pub registry: String,
    /// Repository path, as `examples/hello`.
    pub repository: String,
    /// The tag, where one is given.
    pub tag: Option<String>,
    /// The digest, `sha256:` and 64 hex digits, where one is given.
    pub digest: Option<String>,
}

/// The providers that are part of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Builtin {
    /// `builtin://http-server`.
    HttpServer,
    /// `builtin://http-client`.
    HttpClient,
    /// `builtin://keyvalue-nats`.
    KeyvalueNats,
}

impl Builtin {
    every! { "All of them." Builtin: HttpServer, HttpClient, KeyvalueNats, }

    /// The name after `builtin://`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Builtin::HttpServer => "http-server",
            Builtin::HttpClient => "http-client",
            Builtin::KeyvalueNats => "keyvalue-nats",
        }
    }
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageRefError {
    /// The text is empty.
    #[error("an image reference cannot be empty")]
    Empty,
    /// `builtin://` with a name we do not have.
    #[error("there is no built-in provider {name:?}; there are {}", list())]
    Builtin {
        /// The name as given.
        name: String,
    },
    /// `file://` without an absolute path.
    #[error("{text:?} needs an absolute path after file://, as in file:///srv/hello.wasm")]
    FileNotAbsolute {
        /// The text as given.
        text: String,
    },
    /// No registry host.
    #[error(
        "{text:?} names no registry; write host[:port]/repository[:tag], a path that starts with ./ or /, or builtin://NAME"
    )]
    NoRegistry {
        /// The text as given.
        text: String,
    },
    /// A part is malformed.
    #[error("{part} in {text:?} is malformed: {why}")]
    Part {
        /// The text as given.
        text: String,
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A scheme we do not know.
    #[error("{text:?} starts with a scheme that is not known; there are oci://, file:// and builtin://")]
    Scheme {
        /// The text as given.
        text: String,
    },
}

fn list() -> String {
    Builtin::ALL.iter().map(|b| format!("builtin://{}", b.name())).collect::<Vec<_>>().join(", ")
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        if text.is_empty() {
            return Err(ImageRefError::Empty);
        }
        if let Some(name) =
            text.strip_prefix("builtin://").or_else(|| text.strip_prefix("wasmcloud+builtin://"))
        {
            let found = Builtin::ALL.into_iter().find(|builtin| builtin.name() == name);
            return found.map(Self::Builtin).ok_or_else(|| ImageRefError::Builtin { name: name.to_owned() });
        }
        if let Some(path) = text.strip_prefix("file://") {
            if !path.starts_with('/') {
                return Err(ImageRefError::FileNotAbsolute { text: text.to_owned() });
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        let oci = ["oci://", "http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        if oci.is_none() && text.contains("://") {
            return Err(ImageRefError::Scheme { text: text.to_owned() });
        }
        let looks_like_a_path = text.starts_with(['/', '.', '~'])
            || [".wasm", ".par", ".par.gz"].iter().any(|ending| text.ends_with(ending));
        if oci.is_none() && looks_like_a_path && !has_registry(text) {
            return Ok(Self::File(PathBuf::from(text)));
        }
        parse_oci(oci.unwrap_or(text), text).map(Self::Oci)
    }
}

/// A first path segment that can only be a registry: it has a port, a dot inside, or is `localhost`.
fn has_registry(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    text.contains('/')
        && !first.starts_with(['.', '~'])
        && (first.contains([':', '.']) || first == "localhost")
}

fn parse_oci(rest: &str, text: &str) -> Result<OciRef, ImageRefError> {
    let fail = |part, why| ImageRefError::Part { text: text.to_owned(), part, why };
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    if !has_registry(rest) {
        return Err(ImageRefError::NoRegistry { text: text.to_owned() });
    }
    let (registry, path) = rest.split_once('/').expect("has_registry saw a slash");
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (path, None),
    };
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if !registry.chars().all(in_host) {
        return Err(fail("the registry", "only letters, digits, `.`, `-` and a port may stand there"));
    }
    let in_repository =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '/');
    let empty_segment = repository.split('/').any(|segment| segment.is_empty() || segment == "..");
    if repository.is_empty() || empty_segment || !repository.chars().all(in_repository) {
        return Err(fail(
            "the repository",
            "write lower-case letters, digits, `.`, `-`, `_` and `/` between names",
        ));
    }
    let in_tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(in_tag)) {
        return Err(fail("the tag", "write up to 128 letters, digits, `.`, `-` and `_`"));
    }
    let sound = |digest: &str| {
        digest
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()))
    };
    if digest.is_some_and(|digest| !sound(digest)) {
        return Err(fail("the digest", "write sha256: and 64 hex digits"));
    }
    Ok(OciRef {
        registry: registry.to_ascii_lowercase(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_ascii_lowercase),
    })
}

impl fmt::Display for OciRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageRef::Oci(oci) => oci.fmt(f),
            ImageRef::File(path) if path.is_absolute() => write!(f, "file://{}", path.display()),
            ImageRef::File(path) => write!(f, "{}", path.display()),
            ImageRef::Builtin(builtin) => write!(f, "builtin://{}", builtin.name()),
        }
    }
}

impl Serialize for ImageRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for ImageRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_each_form_reads_as() {
        let file = |path: &str| ImageRef::File(PathBuf::from(path));
        for (text, want) in [
            ("builtin://http-server", ImageRef::Builtin(Builtin::HttpServer)),
            ("wasmcloud+builtin://http-client", ImageRef::Builtin(Builtin::HttpClient)),
            ("file:///srv/a.wasm", file("/srv/a.wasm")),
            ("/srv/a.wasm", file("/srv/a.wasm")),
            ("./a_s.wasm", file("./a_s.wasm")),
            ("../x/a", file("../x/a")),
            ("target/a_s.wasm", file("target/a_s.wasm")),
        ] {
            assert_eq!(text.parse::<ImageRef>().unwrap(), want, "{text}");
        }
        for (text, shown) in [
            ("localhost:5000/hello:0.1.0", "localhost:5000/hello:0.1.0"),
            ("oci://Registry.example/a/b", "registry.example/a/b"),
            ("https://registry.example/a.wasm", "registry.example/a.wasm"),
            ("localhost/a", "localhost/a"),
        ] {
            let read = text.parse::<ImageRef>().unwrap();
            assert!(matches!(read, ImageRef::Oci(_)), "{text}");
            assert_eq!(read.to_string(), shown);
        }
    }

    #[test]
    fn what_is_refused_and_what_is_said() {
        for (text, part) in [
            ("", "empty"),
            ("hello", "names no registry"),
            ("examples/hello:1", "names no registry"),
            ("builtin://redis", "builtin://http-server, builtin://http-client"),
            ("file://a.wasm", "absolute path"),
            ("ftp://a/b", "scheme"),
            ("localhost:5000/A", "repository"),
            ("localhost:5000/a:", "tag"),
            ("localhost:5000/a@sha256:12", "digest"),
            ("localhost:5000/../a", "repository"),
        ] {
            let error = text.parse::<ImageRef>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn shown_text_reads_back_the_same(text in ".{0,60}") {
            if let Ok(read) = text.parse::<ImageRef>() {
                prop_assert_eq!(read.to_string().parse::<ImageRef>().unwrap(), read);
            }
        }
    }
}
