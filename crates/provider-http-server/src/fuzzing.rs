//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as the server does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use http::{HeaderName, HeaderValue, Method, Request, Version, header, request::Parts};
use lattice_contracts::config::Config;

use crate::{
    config::{Limits, LinkConfig},
    request,
    route::{HostPattern, Routes},
};

/// A request's head: a byte that says version and method, then lines: the target, and header fields as `name: value`.
///
/// # Panics
/// If the host that was read is not what routes are compared with, the head that is handed on still speaks of this
/// connection, or another route is taken than the rule says.
pub fn request(data: &[u8]) {
    let Some(mut parts) = parts(data) else { return };
    let Ok(host) = request::host(&parts) else { return };
    let host = host.into_owned();
    let is_plain = |b: u8| b.is_ascii_graphic() && !b.is_ascii_uppercase() && !matches!(b, b'@' | b'/');
    assert!(host.bytes().all(is_plain), "{host:?} is compared as it stands");
    request::prepare(&mut parts);
    for gone in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
        assert!(!parts.headers.contains_key(gone), "{gone} concerns this connection alone");
    }
    assert!(parts.headers.get_all(header::HOST).iter().count() <= 1);
    if parts.headers.contains_key(header::HOST) {
        let again = request::host(&parts).ok().map(std::borrow::Cow::into_owned);
        assert_eq!(again, Some(host.clone()), "the actor reads the host that the route was picked by");
    }
    let path = parts.uri.path();
    assert_eq!(routes().select(&host, path).copied(), by_the_rule(&host, path), "{host}{path}");
}

/// A link's configuration, and the provider's, as lines `key=value`.
///
/// # Panics
/// If what was accepted makes a route that cannot be looked up.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let config: Config = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if let Ok(limits) = Limits::read(&config) {
        assert!(limits.connections_max > 0 && limits.headers_max > 0 && limits.streams_max > 0);
    }
    let Ok(link) = LinkConfig::read(&config) else { return };
    assert!(!link.hosts.is_empty() && !link.path.ends_with('/'));
    assert!(!link.request_timeout.is_zero() && link.same_place(&link.clone()));
    let mut routes = Routes::default();
    for host in &link.hosts {
        routes.insert(host, &link.path, ());
        assert!(routes.at(host, &link.path).is_some(), "{host}{}", link.path);
    }
}

fn parts(data: &[u8]) -> Option<Parts> {
    let (first, rest) = data.split_first()?;
    let version =
        [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2, Version::HTTP_09][usize::from(first % 4)];
    let method =
        [Method::GET, Method::POST, Method::CONNECT, Method::OPTIONS][usize::from(first / 4 % 4)].clone();
    let mut lines = rest.split(|byte| *byte == b'\n');
    let mut request = Request::builder().version(version).method(method).uri(lines.next()?);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        request = request.header(name, value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// Routes that overlap: the target is the place in this list.
fn places() -> [(HostPattern, &'static str); 7] {
    let exact = |name: &str| HostPattern::Exact(name.to_owned());
    let under = |name: &str| HostPattern::Under(name.to_owned());
    [
        (HostPattern::Any, "/api"),
        (exact("a.example"), ""),
        (exact("a.example"), "/api/deep"),
        (under("example"), ""),
        (under("b.example"), "/api"),
        (exact("[::1]"), ""),
        (exact(""), "/a"),
    ]
}

fn routes() -> Routes<usize> {
    let mut routes = Routes::default();
    for (target, (host, path)) in places().iter().enumerate() {
        routes.insert(host, path, target);
    }
    routes
}

/// Of all routes that match, the most exact host, then the longest path.
fn by_the_rule(host: &str, path: &str) -> Option<usize> {
    let rank = |pattern: &HostPattern| match pattern {
        HostPattern::Any => Some(0),
        HostPattern::Under(name) => host.ends_with(&format!(".{name}")).then_some(1 + name.len()),
        HostPattern::Exact(name) => (host == name).then_some(usize::MAX),
    };
    let matches =
        |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/")) || prefix.is_empty();
    let places = places();
    let all = places.iter().enumerate().filter(|(_, (_, prefix))| matches(prefix));
    let ranked = all.filter_map(|(target, (pattern, prefix))| Some((rank(pattern)?, prefix.len(), target)));
    ranked.max().map(|(.., target)| target)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let targets: [(&str, fn(&[u8])); 2] = [("http_request", super::request), ("config", super::config)];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            let count = inputs.inspect(|input| target(input)).count();
            assert!(count > 0, "{} is empty", folder.display());
        }
    }
}
