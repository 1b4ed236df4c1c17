//! What a registry asks for with `WWW-Authenticate`, and the token service behind it.

use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{FetchError, credentials::Credential, session::Session};

const TOKEN_BYTES_MAX: u64 = 256 * 1024;

/// A way to say who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer(Bearer),
}

/// Where tokens are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
}

impl Challenge {
    /// The best of what the headers offer: a token of one repository gives away less than a password.
    pub(crate) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
        let all: Vec<Challenge> = headers.filter_map(parse).collect();
        all.iter().find(|c| matches!(c, Challenge::Bearer(_))).or(all.first()).cloned()
    }
}

/// Reads `SCHEME key="value", key=value`.
fn parse(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    let mut rest = rest.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            _ => {}
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Some(Challenge::Bearer(Bearer { realm: realm?, service }))
}

/// The value up to the closing quote, and what follows it.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// Asks the token service for a token with `scope`.
pub(crate) async fn request(
    session: &Session<'_>,
    bearer: &Bearer,
    scope: &str,
    credential: &Credential,
) -> Result<String, FetchError> {
    let url = realm_url(session, bearer)?;
    let request = match credential {
        Credential::Identity { token } => {
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", bearer.service.as_deref().unwrap_or_default())
                .append_pair("client_id", "lattice")
                .append_pair("scope", scope)
                .append_pair("refresh_token", token.expose())
                .finish();
            session.client().post(url).header("content-type", "application/x-www-form-urlencoded").body(form)
        }
        Credential::Basic { user, password } => {
            session.client().get(with_query(url, bearer, scope)).basic_auth(user, Some(password.expose()))
        }
        Credential::None => session.client().get(with_query(url, bearer, scope)),
    };
    let response = request.send().await.map_err(|error| session.transport(&error))?;
    if !response.status().is_success() {
        // 404 here is no missing image but a broken service.
        return Err(match session.refusal(response).await {
            FetchError::NotFound { .. } => session.unauthorized("its token service is not where it says"),
            other => other,
        });
    }
    let body = session.body(response, "the registry's token", TOKEN_BYTES_MAX).await?;
    token_in(&body).ok_or_else(|| session.unauthorized("its token service gave no token"))
}

/// The token in a token service's answer.
pub(crate) fn token_in(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.token.or(answer.access_token)
}

/// The realm, if what we send there cannot be overheard: a registry that is spoken to securely must not send a password
/// elsewhere in the clear.
fn realm_url(session: &Session<'_>, bearer: &Bearer) -> Result<Url, FetchError> {
    let url: Url =
        bearer.realm.parse().map_err(|_| session.unauthorized("its token service has no usable address"))?;
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(session.unauthorized("its token service has no usable address")),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if session.allows_plain(&authority) => Ok(url),
        _ => Err(session.unauthorized("its token service is not reached securely")),
    }
}

fn with_query(mut url: Url, bearer: &Bearer, scope: &str) -> Url {
    let mut query = url.query_pairs_mut();
    query.append_pair("scope", scope);
    if let Some(service) = &bearer.service {
        query.append_pair("service", service);
    }
    drop(query);
    url
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer(Bearer { realm: realm.into(), service: service.map(str::to_owned) }))
        };
        for (header, want) in [
            (r#"Basic realm="Registry Realm""#, Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (
                r#"bearer service=a, scope="x:y:pull,push", realm="https://t/""#,
                bearer("https://t/", Some("a")),
            ),
            (r#"Bearer realm="a\"b""#, bearer("a\"b", None)),
            (r#"Bearer realm="unclosed"#, None),
            ("Bearer service=a", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(parse(header), want, "{header}");
        }
        let offered = ["Basic realm=x", "Bearer realm=y"];
        assert!(matches!(Challenge::choose(offered.into_iter()), Some(Challenge::Bearer(_))));
    }

    proptest! {
        #[test]
        fn no_header_hurts(header in ".{0,80}") {
            let _ = parse(&header);
            let _ = parse(&format!("Bearer {header}"));
        }
    }
}
