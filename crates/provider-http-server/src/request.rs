//! The head of a request: for which host it is, and what of it travels on.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts};
use lattice_contracts::http::remove_hop_by_hop;

use crate::answer::Refusal;

/// The host a request is for: lower case, without port. Empty for HTTP/1.0 without a `Host`.
///
/// # Errors
/// [`Refusal`] where the request names no host, several, or not a host at all.
pub(crate) fn host(parts: &Parts) -> Result<Cow<'_, str>, Refusal> {
    if parts.method == Method::CONNECT {
        let mut refusal = Refusal::malformed("CONNECT is not served: this is no proxy");
        refusal.status = http::StatusCode::METHOD_NOT_ALLOWED;
        return Err(refusal);
    }
    let named = named_by_header(&parts.headers)?;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let text = match (authority, named) {
        // The target of HTTP/1 in absolute form outranks the header; in HTTP/2 both have to agree.
        (Some(authority), Some(named))
            if parts.version >= Version::HTTP_2 && !authority.eq_ignore_ascii_case(named) =>
        {
            return Err(Refusal::malformed("the host header is not the authority of the request"));
        }
        (Some(authority), _) => authority,
        (None, Some(named)) => named,
        (None, None) if parts.version < Version::HTTP_11 => "",
        (None, None) => return Err(Refusal::malformed("the request names no host")),
    };
    without_port(text).ok_or_else(|| Refusal::malformed("the host of the request is malformed"))
}

fn named_by_header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Refusal::malformed("the request has more than one host header"));
    }
    let malformed = |_| Refusal::malformed("the host header is not text");
    first.map(HeaderValue::to_str).transpose().map_err(malformed)
}

fn without_port(text: &str) -> Option<Cow<'_, str>> {
    let (host, port) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_is_sound = match port.strip_prefix(':') {
        Some(digits) => digits.is_empty() || digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let host_is_sound = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(in_name),
    };
    if !(port_is_sound && host_is_sound) {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

/// Makes the head ready for the actor: nothing that concerns this connection alone, and one host.
pub(crate) fn prepare(parts: &mut Parts) {
    remove_hop_by_hop(&mut parts.headers);
    if let Some(authority) = parts.uri.authority()
        && parts.headers.contains_key(header::HOST)
    {
        let host = HeaderValue::from_str(authority.as_str());
        parts.headers.insert(header::HOST, host.expect("an authority holds only visible ASCII"));
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn parts(version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn which_host_a_request_is_for() {
        use http::Version as V;
        for (version, uri, hosts, want) in [
            (V::HTTP_11, "/", &["A.example:8080"][..], Some("a.example")),
            (V::HTTP_11, "/", &["a.example."], Some("a.example")),
            (V::HTTP_11, "/", &["[::1]:80"], Some("[::1]")),
            (V::HTTP_11, "/", &[""], Some("")),
            (V::HTTP_11, "/", &[], None),
            (V::HTTP_11, "/", &["a", "a"], None),
            (V::HTTP_11, "/", &["a:b"], None),
            (V::HTTP_11, "/", &["a:99999"], None),
            (V::HTTP_11, "/", &["a b"], None),
            (V::HTTP_11, "/", &["user@a"], None),
            (V::HTTP_11, "/", &["[::1"], None),
            (V::HTTP_11, "/", &["a/b"], None),
            (V::HTTP_11, "http://b.example/x", &["a"], Some("b.example")),
            (V::HTTP_11, "http://user@b.example/x", &["a"], None),
            (V::HTTP_10, "/", &[], Some("")),
            (V::HTTP_2, "http://a.example/", &[], Some("a.example")),
            (V::HTTP_2, "http://a.example/", &["A.example"], Some("a.example")),
            (V::HTTP_2, "http://a.example/", &["b.example"], None),
        ] {
            let parts = parts(version, uri, hosts);
            assert_eq!(host(&parts).ok().as_deref(), want, "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn the_target_outranks_the_host_header() {
        let mut parts = parts(Version::HTTP_11, "http://b.example/x", &["a"]);
        prepare(&mut parts);
        assert_eq!(parts.headers["host"], "b.example");
    }

    proptest! {
        #[test]
        fn a_host_is_read_as_it_is_compared_or_refused(text in "[a-zA-Z0-9.:\\[\\]@/ é-]{0,20}") {
            if let Some(host) = without_port(&text) {
                prop_assert_eq!(host.to_ascii_lowercase(), host.as_ref());
                prop_assert!(!host.contains(['@', '/', ' ']));
            }
        }
    }
}
