//! Which hosts a link allows.

use std::net::Ipv6Addr;

use lattice_contracts::config::{ConfigError, bad_value, list};

/// The hosts of an `allow` list. Empty allows all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allow(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Any name below `host`, not `host` itself.
    below: bool,
    host: String,
    port: Option<u16>,
}

impl Allow {
    pub(crate) fn read(text: &str) -> Result<Self, ConfigError> {
        list(text).map(Rule::read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it names who is allowed, rather than everybody.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|rule| !rule.host.is_empty())
    }

    /// `host` as [`tidy`] gives it.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        self.0.is_empty() || self.0.iter().any(|rule| rule.fits(host, port))
    }
}

impl Rule {
    fn read(text: &str) -> Result<Self, ConfigError> {
        let fail = |why| bad_value("allow", text, why);
        if text.contains("://") || text.contains('/') {
            return Err(fail(
                "write hosts alone, as example.org or *.example.org:8443, without scheme and path",
            ));
        }
        if text == "*" {
            return Ok(Self { below: true, host: String::new(), port: None });
        }
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let bare_v6 = rest.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !bare_v6 && !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| fail("the port is a number up to 65535"))?))
            }
            _ => (rest, None),
        };
        let host = tidy(host);
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let is_v6 = host.parse::<Ipv6Addr>().is_ok() && !below;
        if host.is_empty() || host.starts_with('.') || !(is_v6 || host.bytes().all(legal)) {
            return Err(fail(
                "write a name as example.org, *.example.org for all names below it, or an address",
            ));
        }
        Ok(Self { below, host, port })
    }

    fn fits(&self, host: &str, port: u16) -> bool {
        let host_fits = match self.below {
            true if self.host.is_empty() => true,
            true => host.strip_suffix(self.host.as_str()).is_some_and(|rest| rest.ends_with('.')),
            false => host == self.host,
        };
        host_fits && self.port.is_none_or(|wanted| wanted == port)
    }
}

/// A host as it is compared: lower case, no brackets, no dot at its end, addresses in their shortest form.
pub(crate) fn tidy(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_hosts_fit() {
        for (list, host, port, fits) in [
            ("", "any.example", 80, true),
            ("*", "any.example", 80, true),
            ("a.example", "A.example.", 80, true),
            ("a.example", "b.a.example", 80, false),
            ("a.example", "xa.example", 80, false),
            ("*.a.example", "b.a.example", 80, true),
            ("*.a.example", "c.b.a.example", 80, true),
            ("*.a.example", "a.example", 80, false),
            ("*.a.example", "xa.example", 80, false),
            ("a.example:8443", "a.example", 8443, true),
            ("a.example:8443", "a.example", 443, false),
            ("x, 192.0.2.1", "192.0.2.1", 80, true),
            ("::1", "[0:0::1]", 80, true),
            ("[::1]:80", "[::1]", 81, false),
            ("[::1]", "[::1]", 81, true),
        ] {
            let allow = Allow::read(list).unwrap();
            assert_eq!(allow.allows(&tidy(host), port), fits, "{list:?} {host} {port}");
        }
        for bad in ["https://a.example", "a.example/x", "a.example:x", "*.", "a b", "*.::1", "a.*.b"] {
            assert!(Allow::read(bad).is_err(), "{bad}");
        }
    }
}
