//! What a link and the provider itself may be configured with.

use std::{net::SocketAddr, time::Duration};

use lattice_contracts::config::{Config, ConfigError, bad_value, check_keys, list, millis, number};

use crate::route::HostPattern;

const LINK_KEYS: &[&str] = &["address", "hostname", "path", "max_body_bytes", "request_timeout_ms"];
const PROVIDER_KEYS: &[&str] =
    &["max_connections", "max_header_bytes", "max_headers", "max_streams", "idle_timeout_ms"];

const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";
const DEFAULT_BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// hyper needs this much to read any head at all.
const LEAST_HEADER_BYTES: u64 = 8192;
const MOST_HEADER_BYTES: u64 = 1024 * 1024;

/// A link's configuration, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkConfig {
    pub(crate) address: SocketAddr,
    /// At least one.
    pub(crate) hosts: Vec<HostPattern>,
    /// Without a slash at its end: the root is the empty text.
    pub(crate) path: String,
    pub(crate) body_bytes_max: u64,
    pub(crate) request_timeout: Duration,
}

impl LinkConfig {
    /// True if both ask for the same routes.
    pub(crate) fn same_place(&self, other: &Self) -> bool {
        (self.address, &self.hosts, &self.path) == (other.address, &other.hosts, &other.path)
    }

    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        check_keys(config, LINK_KEYS)?;
        let address = config.get("address").map_or(DEFAULT_ADDRESS, |text| text.trim());
        let address = address.parse().map_err(|_| {
            bad_value("address", address, "write an IP address and a port, as in 127.0.0.1:8000 or [::]:8000")
        })?;
        let hostname = config.get("hostname").map_or("", |text| text.as_str());
        let mut hosts = list(hostname).map(read_host).collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() {
            hosts.push(HostPattern::Any);
        }
        Ok(Self {
            address,
            hosts,
            path: read_path(config.get("path").map_or("/", |text| text.trim()))?,
            body_bytes_max: number(config, "max_body_bytes", DEFAULT_BODY_BYTES_MAX, 0)?,
            request_timeout: millis(config, "request_timeout_ms", DEFAULT_REQUEST_TIMEOUT)?,
        })
    }
}

fn read_host(text: &str) -> Result<HostPattern, ConfigError> {
    let fail = |why| Err(bad_value("hostname", text, why));
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    let (under, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    let bracketed = name.starts_with('[') && name.ends_with(']') && !under;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    if !bracketed && name.contains(':') {
        return fail("a hostname has no port; the port stands in address");
    }
    if name.is_empty() || name.starts_with('.') || (!bracketed && !name.chars().all(legal)) {
        return fail("write a name as example.org, or *.example.org for all names below it");
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    Ok(if under { HostPattern::Under(name) } else { HostPattern::Exact(name) })
}

fn read_path(text: &str) -> Result<String, ConfigError> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
    if !text.starts_with('/') || !printable {
        return Err(bad_value("path", text, "write a prefix that starts with /, without ? and #"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Bounds of every listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) header_bytes_max: u32,
    pub(crate) headers_max: usize,
    pub(crate) streams_max: u32,
    pub(crate) idle_timeout: Duration,
}

impl Limits {
    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        check_keys(config, PROVIDER_KEYS)?;
        // Bounded above as well: these size buffers and counters.
        let within = |key, default, least, most: u64| match number(config, key, default, least)? {
            number if number <= most => Ok(number),
            number => Err(bad_value(key, &number.to_string(), format!("at most {most} is possible"))),
        };
        let fits = "bounded by the limit above";
        let connections = within("max_connections", 10_000, 1, 1_000_000)?;
        let header_bytes =
            within("max_header_bytes", LEAST_HEADER_BYTES * 8, LEAST_HEADER_BYTES, MOST_HEADER_BYTES)?;
        Ok(Self {
            connections_max: usize::try_from(connections).expect(fits),
            header_bytes_max: u32::try_from(header_bytes).expect(fits),
            headers_max: usize::try_from(within("max_headers", 100, 1, 10_000)?).expect(fits),
            streams_max: u32::try_from(within("max_streams", 256, 1, 100_000)?).expect(fits),
            idle_timeout: millis(config, "idle_timeout_ms", Duration::from_secs(30))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_and_forms() {
        let plain = LinkConfig::read(&config(&[])).unwrap();
        assert_eq!(plain.address.to_string(), DEFAULT_ADDRESS);
        assert_eq!((plain.hosts, plain.path.as_str()), (vec![HostPattern::Any], ""));
        let full = [("address", "[::1]:80"), ("hostname", "A.example, *.B.example"), ("path", "/api/")];
        let full = LinkConfig::read(&config(&full)).unwrap();
        let hosts = [HostPattern::Exact("a.example".into()), HostPattern::Under("b.example".into())];
        assert_eq!((full.hosts.as_slice(), full.path.as_str()), (hosts.as_slice(), "/api"));
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (key, value, says) in [
            ("adress", "127.0.0.1:1", "did you mean address?"),
            ("address", "8080", "127.0.0.1:8000"),
            ("address", "localhost:8080", "127.0.0.1:8000"),
            ("hostname", "a:80", "port stands in address"),
            ("hostname", "*.", "example.org"),
            ("hostname", "a.*.b", "example.org"),
            ("path", "api", "starts with /"),
            ("path", "/a?b", "without ?"),
            ("max_body_bytes", "10MB", "whole number"),
            ("request_timeout_ms", "0", "milliseconds"),
        ] {
            let error = LinkConfig::read(&config(&[(key, value)])).unwrap_err().to_string();
            assert!(error.contains(says), "{key}={value}: {error}");
        }
        assert!(Limits::read(&config(&[("max_header_bytes", "100")])).is_err());
        assert!(Limits::read(&config(&[("max_connections", "1000001")])).is_err());
        assert!(Limits::read(&config(&[("address", "127.0.0.1:1")])).is_err());
    }
}
