//! Headers that a link adds to every request and that hold a secret: the server sees it, the actor never does.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Scheme};
use lattice_contracts::{
    config::{ConfigError, bad_value, list},
    http::{Request, remove_hop_by_hop},
};
use lattice_core::{Secret, SecretName};

/// The key of a link's configuration.
const KEY: &str = "secret_headers";

/// One header as it is configured: `name=text {secret} text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    name: HeaderName,
    before: String,
    secret: SecretName,
    after: String,
}

impl Template {
    /// Reads a comma list.
    pub(crate) fn read_all(text: &str) -> Result<Vec<Self>, ConfigError> {
        list(text).map(Self::read).collect()
    }

    fn read(text: &str) -> Result<Self, ConfigError> {
        let fail = |why: String| bad_value(KEY, text, why);
        let form = || {
            fail(
                "write HEADER=TEXT with the name of one secret in braces, as authorization=Bearer {token}"
                    .into(),
            )
        };
        let (name, value) = text.split_once('=').ok_or_else(form)?;
        let (before, rest) = value.split_once('{').ok_or_else(form)?;
        let (secret, after) = rest.split_once('}').ok_or_else(form)?;
        if after.contains(['{', '}']) {
            return Err(form());
        }
        let name: HeaderName =
            name.trim().parse().map_err(|_| fail(format!("{:?} is no name of a header", name.trim())))?;
        if !is_free(&name) {
            return Err(fail(format!("{name} is not the link's to set")));
        }
        let secret = SecretName::new(secret).map_err(|error| fail(error.to_string()))?;
        let (before, after) = (before.trim_start().to_owned(), after.trim_end().to_owned());
        if HeaderValue::from_str(&before).is_err() || HeaderValue::from_str(&after).is_err() {
            return Err(fail("a header holds printable characters alone".into()));
        }
        Ok(Self { name, before, secret, after })
    }
}

/// Headers about the connection, the body and the host follow from the request itself.
fn is_free(name: &HeaderName) -> bool {
    if [header::HOST, header::CONTENT_LENGTH].contains(name) {
        return false;
    }
    let mut headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("x"))]);
    remove_hop_by_hop(&mut headers);
    !headers.is_empty()
}

/// The headers of one link, filled in. They show nothing of what they hold.
#[derive(Debug, Default)]
pub(crate) struct SecretHeaders {
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Also where anybody on the way can read them.
    plain: bool,
}

impl SecretHeaders {
    /// Fills the secrets of the link in. Each of them has to be used: one that is not would be of no use here, and somebody
    /// expects that it is.
    pub(crate) fn fill(
        templates: &[Template],
        secrets: &BTreeMap<SecretName, Secret>,
        plain: bool,
    ) -> Result<Self, String> {
        if let Some(idle) = secrets.keys().find(|name| !templates.iter().any(|one| one.secret == **name)) {
            return Err(format!(
                "the link gives secret {idle}, and no header holds it; write {KEY}=authorization=Bearer {{{idle}}} into its \
                 configuration"
            ));
        }
        let headers = templates.iter().map(|template| template.fill(secrets)).collect::<Result<_, _>>()?;
        Ok(Self { headers, plain })
    }

    /// Why a request may not go out with these headers; none where it may, or where there are none.
    pub(crate) fn objection(&self, uri: &Uri, method: &Method) -> Option<&'static str> {
        if self.headers.is_empty() {
            return None;
        }
        if *method == Method::TRACE {
            return Some("a server answers TRACE with the request, and this link adds secrets to it");
        }
        (!self.plain && uri.scheme() != Some(&Scheme::HTTPS)).then_some(
            "this link adds secrets to requests, which go over https alone; to send them in the clear, set \
             secret_headers_plain=true",
        )
    }

    /// Adds them, in place of what the guest may have set.
    pub(crate) fn add(&self, request: &mut Request) {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }
}

impl Template {
    fn fill(&self, secrets: &BTreeMap<SecretName, Secret>) -> Result<(HeaderName, HeaderValue), String> {
        let Self { name, before, secret, after } = self;
        let value = secrets.get(secret).ok_or_else(|| {
            format!("header {name} holds secret {secret}, which the link does not give; put it with --target-secret {secret}")
        })?;
        let whole = [before.as_bytes(), value.expose(), after.as_bytes()].concat();
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(whole)).map_err(|_| {
            format!(
                "secret {secret} cannot stand in header {name}: it holds a line end or a control character"
            )
        })?;
        value.set_sensitive(true);
        Ok((name.clone(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<SecretName, Secret> {
        let secret = |text: &str| Secret::text(text.to_owned()).unwrap();
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), secret(value))).collect()
    }

    #[test]
    fn templates_are_read_or_refused() {
        let read = Template::read_all("authorization=Bearer {token}, x-api-key={key}").unwrap();
        let parts: Vec<_> =
            read.iter().map(|one| (one.name.as_str(), one.before.as_str(), one.secret.as_str())).collect();
        assert_eq!(parts, [("authorization", "Bearer ", "token"), ("x-api-key", "", "key")]);
        for (text, says) in [
            ("authorization", "HEADER=TEXT"),
            ("authorization=token", "in braces"),
            ("authorization={a}{b}", "one secret"),
            ("authorization={a", "in braces"),
            ("authorization={}", "cannot be empty"),
            ("authorization={a.b}", "secret name"),
            ("a b={c}", "no name of a header"),
            ("host={a}", "not the link's to set"),
            ("Connection={a}", "not the link's to set"),
            ("content-length={a}", "not the link's to set"),
            ("transfer-encoding={a}", "not the link's to set"),
            ("x-a=\u{7}{a}", "printable"),
        ] {
            let error = Template::read_all(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn headers_hold_the_secret_and_do_not_show_it() {
        let templates = Template::read_all("authorization=Bearer {token}").unwrap();
        let filled = SecretHeaders::fill(&templates, &secrets(&[("token", "hunter2")]), false).unwrap();
        assert!(!format!("{filled:?}").contains("hunter2"), "{filled:?}");
        let mut request = http::Request::get("https://a.test/")
            .header("authorization", "the guest's own")
            .body(lattice_contracts::http::empty())
            .unwrap();
        filled.add(&mut request);
        assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
        assert_eq!(request.headers()["authorization"].as_bytes(), b"Bearer hunter2");
        assert!(!format!("{:?}", request.headers()).contains("hunter2"));

        let refused =
            |given: &[(&str, &str)]| SecretHeaders::fill(&templates, &secrets(given), false).unwrap_err();
        assert!(refused(&[]).contains("--target-secret token"));
        assert!(refused(&[("token", "a"), ("idle", "b")]).contains("secret idle, and no header holds it"));
        let line_end = refused(&[("token", "hunter2\nx: y")]);
        assert!(line_end.contains("line end") && !line_end.contains("hunter2"), "{line_end}");
    }

    #[test]
    fn secrets_go_where_nobody_reads_them_on_the_way() {
        let templates = Template::read_all("authorization={token}").unwrap();
        let given = secrets(&[("token", "hunter2")]);
        let (https, http) = ("https://a.test/".parse().unwrap(), "http://a.test/".parse().unwrap());
        for (plain, uri, method, refused) in [
            (false, &https, Method::GET, None),
            (false, &http, Method::GET, Some("https alone")),
            (true, &http, Method::GET, None),
            (true, &https, Method::TRACE, Some("TRACE")),
        ] {
            let filled = SecretHeaders::fill(&templates, &given, plain).unwrap();
            let objection = filled.objection(uri, &method);
            assert_eq!(objection.is_some(), refused.is_some(), "{uri} {method}");
            assert!(refused.is_none_or(|part| objection.unwrap().contains(part)), "{objection:?}");
        }
        assert_eq!(SecretHeaders::default().objection(&http, &Method::TRACE), None);
    }
}
