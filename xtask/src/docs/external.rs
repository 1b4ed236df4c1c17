//! Links to elsewhere: well formed in every run, and asked for only where that is wished, since a test must not depend on other people's
//! servers.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
};

use super::markdown::{Line, lines, without_code};
use super::{documents, read};

/// The longest that one server may take.
const SECONDS_MAX: &str = "20";
/// Requests under way at once.
const AT_ONCE: usize = 8;

/// The addresses in a line of prose, in links and bare.
pub(super) fn addresses(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let address = &rest[start..];
        let end = address.find(|c: char| c.is_whitespace() || matches!(c, ')' | '>' | '"' | '|'));
        let (address, after) = address.split_at(end.unwrap_or(address.len()));
        found.push(address.trim_end_matches(['.', ',', ';', ':', '!', '?']));
        rest = after;
    }
    found
}

/// Why an address is none that a document may name.
pub(super) fn malformed(address: &str) -> Result<(), String> {
    let (scheme, rest) = address.split_once("://").ok_or("it has no scheme")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_loopback = host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("its port is no number up to 65535".to_owned());
    }
    if is_loopback {
        return Ok(());
    }
    if scheme != "https" {
        return Err("write https://; plain http:// is for this machine's own addresses".to_owned());
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_name = host.chars().all(in_name) && host.split('.').all(|label| !label.is_empty());
    if !(is_name && host.contains('.')) {
        return Err(format!("{host:?} is no name of a host"));
    }
    match rest.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '<' | '{' | '}' | '\\' | '^')) {
        Some(c) => Err(format!("{c:?} has to be escaped")),
        None => Ok(()),
    }
}

/// One line for each link to elsewhere that nobody answers; each address is asked for once. `curl` asks.
pub(crate) fn unanswered_links(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for document in documents(root)? {
        for (number, line) in lines(&read(root, &document)?) {
            let Line::Prose(line) = line else { continue };
            for address in addresses(&without_code(line)).into_iter().filter(|address| is_elsewhere(address))
            {
                let place = || format!("{}:{number}", document.display());
                places.entry(address.to_owned()).or_insert_with(place);
            }
        }
    }
    let places: Vec<_> = places.into_iter().collect();
    let mut unanswered = Vec::new();
    for some in places.chunks(AT_ONCE) {
        // All of a chunk are started before the first one is waited for.
        let asked: Vec<_> = some.iter().map(|(address, _)| ask(address)).collect();
        for ((address, place), asked) in some.iter().zip(asked) {
            if let Err(why) = answer(asked?) {
                unanswered.push(format!("{place}: {address}: {why}"));
            }
        }
    }
    Ok(unanswered)
}

/// True for an address of the world, as opposed to this machine and to names that are kept for examples.
fn is_elsewhere(address: &str) -> bool {
    let host = address
        .split("://")
        .nth(1)
        .unwrap_or_default()
        .split(['/', ':', '?', '#'])
        .next()
        .unwrap_or_default();
    let kept = ["example", "test", "invalid", "localhost", "example.com", "example.org", "example.net"];
    malformed(address).is_ok()
        && host.parse::<Ipv4Addr>().is_err()
        && !kept.iter().any(|name| host == *name || host.ends_with(&format!(".{name}")))
}

fn ask(address: &str) -> anyhow::Result<std::process::Child> {
    let mut curl = Command::new("curl");
    // A GET of which nothing is kept: some servers answer HEAD with an error.
    curl.args([
        "--silent",
        "--show-error",
        "--location",
        "--fail",
        "--max-time",
        SECONDS_MAX,
        "--max-redirs",
        "5",
    ]);
    curl.args(["--proto", "=https", "--output", "/dev/null", "--", address]);
    curl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    curl.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("there is no curl on PATH to ask with; install it"),
        _ => anyhow::anyhow!("cannot start curl: {error}"),
    })
}

fn answer(curl: std::process::Child) -> Result<(), String> {
    let output = curl.wait_with_output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_links_and_bare() {
        let cases: [(&str, &[&str]); 5] = [
            (
                "[a](https://a.example/b#c) and <https://b.example>.",
                &["https://a.example/b#c", "https://b.example"],
            ),
            ("see https://c.example/x, or not", &["https://c.example/x"]),
            ("| https://d.example|", &["https://d.example"]),
            ("<a href=\"http://e.example\">", &["http://e.example"]),
            ("no scheme: a.example, //b.example", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(addresses(line), expected, "{line}");
        }
    }

    #[test]
    fn what_an_address_may_be() {
        for good in [
            "https://example.org",
            "https://example.org:8443/a/b?c=d#e",
            "https://a-b.example.org/%20x/~y",
            "http://127.0.0.1:8080/hello",
            "http://localhost:5000",
        ] {
            assert_eq!(malformed(good), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("http://example.org", "write https://"),
            ("http://10.0.0.1/", "write https://"),
            ("https://", "no name of a host"),
            ("https:///x", "no name of a host"),
            ("https://example", "no name of a host"),
            ("https://.org", "no name of a host"),
            ("https://a..org", "no name of a host"),
            ("https://me@example.org", "no name of a host"),
            ("https://exa_mple.org", "no name of a host"),
            ("https://example.org:99999", "port"),
            ("https://example.org:/", "port"),
            ("https://example.org/a{b}", "escaped"),
            ("https://example.org/ä", "escaped"),
        ] {
            let error = malformed(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn only_the_world_is_asked() {
        for (address, asked) in [
            ("https://semver.org", true),
            ("https://www.w3.org/TR/trace-context/", true),
            ("https://example.org/x", false),
            ("https://nats.example.com", false),
            ("https://shop.example:8443", false),
            ("http://127.0.0.1:8080", false),
            ("http://localhost:5000", false),
        ] {
            assert_eq!(is_elsewhere(address), asked, "{address}");
        }
    }
}
