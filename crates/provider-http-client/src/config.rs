//! What a link may be configured with.

use std::time::Duration;

use lattice_contracts::config::{Config, ConfigError, bad_value, check_keys, flag, millis, number};

use crate::{allow::Allow, secret_headers::Template};

const KEYS: &[&str] = &[
    "allow",
    "allow_private",
    "connect_timeout_ms",
    "first_byte_timeout_ms",
    "between_bytes_timeout_ms",
    "max_response_bytes",
    "max_connections",
    "ca_file",
    "secret_headers",
    "secret_headers_plain",
];
const MOST_CONNECTIONS: u64 = 65_536;

/// A link's configuration, read.
#[derive(Debug, Clone)]
pub(crate) struct LinkConfig {
    pub(crate) allow: Allow,
    pub(crate) allow_private: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) between_bytes_timeout: Duration,
    pub(crate) response_bytes_max: u64,
    pub(crate) connections_max: usize,
    pub(crate) ca_file: Option<String>,
    pub(crate) secret_headers: Vec<Template>,
    pub(crate) secret_headers_plain: bool,
}

impl LinkConfig {
    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        check_keys(config, KEYS)?;
        let connections = number(config, "max_connections", 256, 1)?;
        if connections > MOST_CONNECTIONS {
            let why = format!("at most {MOST_CONNECTIONS} is possible");
            return Err(bad_value("max_connections", &connections.to_string(), why));
        }
        let text = |key: &str| config.get(key).map_or("", String::as_str);
        let (allow, secret_headers) =
            (Allow::read(text("allow"))?, Template::read_all(text("secret_headers"))?);
        if !secret_headers.is_empty() && !allow.is_bounded() {
            let why = "name the hosts that get the secret under allow (not *); the actor could send it to anybody else";
            return Err(bad_value("secret_headers", text("secret_headers"), why));
        }
        Ok(Self {
            allow,
            allow_private: flag(config, "allow_private", false)?,
            connect_timeout: millis(config, "connect_timeout_ms", Duration::from_secs(10))?,
            first_byte_timeout: millis(config, "first_byte_timeout_ms", Duration::from_secs(30))?,
            between_bytes_timeout: millis(config, "between_bytes_timeout_ms", Duration::from_secs(30))?,
            response_bytes_max: number(config, "max_response_bytes", 64 * 1024 * 1024, 0)?,
            connections_max: usize::try_from(connections).expect("bounded above"),
            ca_file: config.get("ca_file").cloned(),
            secret_headers,
            secret_headers_plain: flag(config, "secret_headers_plain", false)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_says_what_to_write() {
        assert!(LinkConfig::read(&Config::new()).is_ok());
        for (key, value, says) in [
            ("alow", "a", "did you mean allow?"),
            ("allow", "https://a", "without scheme"),
            ("allow_private", "yes", "true or false"),
            ("connect_timeout_ms", "1s", "milliseconds"),
            ("secret_headers", "authorization={token}", "name the hosts that get the secret under allow"),
            ("secret_headers", "authorization=token", "in braces"),
            ("secret_headers_plain", "yes", "true or false"),
            ("max_connections", "0", "at least 1"),
            ("max_connections", "65537", "at most 65536"),
        ] {
            let config = Config::from([(key.to_owned(), value.to_owned())]);
            let error = LinkConfig::read(&config).unwrap_err().to_string();
            assert!(error.contains(says), "{key}={value}: {error}");
        }
    }
}
