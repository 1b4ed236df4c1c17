//! How to fetch: limits, trust in transports, credentials.

use std::{fmt, path::PathBuf, time::Duration};

/// A password or token. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, to be sent to the registry it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A user and password given on a command line. They win over docker's configuration.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The registry they are for, as `registry.example:5000`; none: whichever is asked.
    pub registry: Option<String>,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// What to do with a tag that is in the cache while the registry does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// Fail.
    Refuse,
    /// Use what the tag last meant, and say so ([`Source::CacheUnconfirmed`](crate::Source::CacheUnconfirmed)).
    UseCache,
}

/// How a [`Fetcher`](crate::Fetcher) fetches.
#[derive(Debug, Clone)]
pub struct FetchConfig {
    /// Where artifacts are kept; none: nowhere. See [`oci_cache_dir`](crate::oci_cache_dir).
    pub cache_dir: Option<PathBuf>,
    /// How many bytes of artifacts are kept; the longest unused go first. Default 2 GiB.
    pub cache_bytes_max: u64,
    /// Registries spoken to by plain HTTP, besides those on loopback: `host[:port]`, exactly as references name them.
    pub allowed_insecure: Vec<String>,
    /// Whether `:latest`, and a reference without tag and digest, may be used.
    pub allow_latest: bool,
    /// Credentials from flags.
    pub credentials: Option<Credentials>,
    /// Docker's configuration file. Default `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; it need not exist.
    pub docker_config: Option<PathBuf>,
    /// What relative paths are relative to; none: the current folder.
    pub base_dir: Option<PathBuf>,
    /// Whether files may be used at all.
    pub allow_file: bool,
    /// The largest artifact, in bytes. Default 256 MiB.
    pub artifact_bytes_max: u64,
    /// How long one fetch or push may take altogether. Default five minutes.
    pub timeout: Duration,
    /// How long a registry may be silent: while connecting, and between two pieces of an answer. Default 20 seconds.
    pub silence_max: Duration,
}

impl Default for FetchConfig {
    fn default() -> FetchConfig {
        FetchConfig {
            cache_dir: None,
            cache_bytes_max: 2 * 1024 * 1024 * 1024,
            allowed_insecure: Vec::new(),
            allow_latest: false,
            credentials: None,
            docker_config: crate::dirs::docker_config(),
            base_dir: None,
            allow_file: true,
            artifact_bytes_max: 256 * 1024 * 1024,
            timeout: Duration::from_secs(300),
            silence_max: Duration::from_secs(20),
        }
    }
}
