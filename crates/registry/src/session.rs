//! Requests to one registry about one repository: bounded, authenticated when asked, failures by name.
//!
//! Pulling is done here and not by oci-client, which reads manifests, tokens and error texts of any length into memory and
//! knows no identity tokens. It still does the pushing, with the authorization got here.

use std::{sync::Mutex, time::Duration};

use bytes::{Bytes, BytesMut};
use lattice_core::{OciRef, innermost_cause};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};

use crate::{FetchConfig, FetchError, authority, credentials, token};

/// Texts of failures are shown, so they are kept short.
const REASON_BYTES_MAX: u64 = 4 * 1024;
const REDIRECTS_MAX: usize = 5;

/// The one HTTP client of a fetcher. Redirects never take an `Authorization` along to another host; reqwest sees to that.
pub(crate) fn client(config: &FetchConfig) -> Result<Client, FetchError> {
    // Without a provider reqwest would panic where it can only return.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(FetchError::Setup {
            reason: "the process has not installed a TLS provider (rustls::crypto::ring)".to_owned(),
        });
    }
    Client::builder()
        .user_agent(concat!("lattice/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.silence_max)
        .read_timeout(config.silence_max)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
        .build()
        .map_err(|error| FetchError::Setup { reason: innermost_cause(&error) })
}

/// What is done with the repository; a token is asked for exactly that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        }
    }
}

/// How requests say who asks.
#[derive(Debug, Clone)]
pub(crate) enum Authorization {
    Nobody,
    Basic { user: String, password: String },
    Bearer { token: String },
}

impl Authorization {
    fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Authorization::Nobody => return None,
            Authorization::Basic { user, password } => {
                let both = data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes());
                format!("Basic {both}")
            }
            Authorization::Bearer { token } => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// One repository of one registry.
pub(crate) struct Session<'a> {
    client: &'a Client,
    config: &'a FetchConfig,
    /// The reference, for errors.
    image: String,
    /// The registry as the reference names it, for errors and credentials.
    registry: String,
    server: String,
    repository: String,
    access: Access,
    authorization: Mutex<Authorization>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        client: &'a Client,
        config: &'a FetchConfig,
        image: &OciRef,
        access: Access,
    ) -> Session<'a> {
        let (server, repository) = authority::server_and_repository(image);
        Session {
            client,
            config,
            image: image.to_string(),
            registry: image.registry.clone(),
            server,
            repository,
            access,
            authorization: Mutex::new(Authorization::Nobody),
        }
    }

    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    pub(crate) fn scheme(&self) -> &'static str {
        authority::scheme(&self.registry, &self.config.allowed_insecure)
    }

    /// Asks the registry whether it wants to know who asks, and returns what to tell it.
    pub(crate) async fn authorize(&self) -> Result<Authorization, FetchError> {
        let url = format!("{}://{}/v2/", self.scheme(), self.server);
        let response = self.send(&url, None).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.answer_challenge(response.headers()).await?;
        }
        Ok(self.current())
    }

    /// Gets `path` (after `/v2/REPOSITORY/`), at most `bytes_max` bytes of it.
    pub(crate) async fn get(
        &self,
        path: &str,
        accept: &str,
        what: &str,
        bytes_max: u64,
    ) -> Result<(HeaderMap, Bytes), FetchError> {
        let url = format!("{}://{}/v2/{}/{path}", self.scheme(), self.server, self.repository);
        let mut response = self.send(&url, Some(accept)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.answer_challenge(response.headers()).await?;
            response = self.send(&url, Some(accept)).await?;
            if response.status() == StatusCode::UNAUTHORIZED {
                return Err(self.unauthorized("the credentials are not accepted"));
            }
        }
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let headers = response.headers().clone();
        let body = self.body(response, what, bytes_max).await?;
        Ok((headers, body))
    }

    async fn send(&self, url: &str, accept: Option<&str>) -> Result<Response, FetchError> {
        let mut request = self.client.get(url);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(header) = self.current().header() {
            request = request.header(AUTHORIZATION, header);
        }
        request.send().await.map_err(|error| self.transport(&error))
    }

    fn current(&self) -> Authorization {
        self.authorization.lock().expect("nobody panics while holding it").clone()
    }

    /// Finds what the challenge asks for. An answer that was given already and did not satisfy is an error.
    async fn answer_challenge(&self, headers: &HeaderMap) -> Result<(), FetchError> {
        if !matches!(self.current(), Authorization::Nobody) {
            return Err(self.unauthorized("the credentials are not accepted"));
        }
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenge = token::Challenge::choose(challenges)
            .ok_or_else(|| self.unauthorized("it asks for credentials in a way that is not known here"))?;
        let credential = credentials::find(self.config, &self.registry).await?;
        let authorization = match (challenge, credential) {
            (token::Challenge::Basic, credentials::Credential::Basic { user, password }) => {
                Authorization::Basic { user, password: password.expose().to_owned() }
            }
            (token::Challenge::Basic, credentials::Credential::None) => {
                return Err(self.unauthorized("it wants a user and a password, and none are known"));
            }
            (token::Challenge::Basic, credentials::Credential::Identity { .. }) => {
                return Err(self.unauthorized("it wants a user and a password, and only a token is known"));
            }
            (token::Challenge::Bearer(bearer), credential) => {
                let scope = format!("repository:{}:{}", self.repository, self.access.actions());
                Authorization::Bearer { token: token::request(self, &bearer, &scope, &credential).await? }
            }
        };
        *self.authorization.lock().expect("nobody panics while holding it") = authorization;
        Ok(())
    }

    pub(crate) fn client(&self) -> &Client {
        self.client
    }

    pub(crate) fn allows_plain(&self, authority: &str) -> bool {
        authority::scheme(authority, &self.config.allowed_insecure) == "http"
    }

    /// Reads a body whose length nobody vouches for.
    pub(crate) async fn body(
        &self,
        mut response: Response,
        what: &str,
        bytes_max: u64,
    ) -> Result<Bytes, FetchError> {
        let too_large = || FetchError::TooLarge { what: what.to_owned(), bytes_max };
        if response.content_length().is_some_and(|length| length > bytes_max) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if (body.len() + piece.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// What an answer that is no success means.
    pub(crate) async fn refusal(&self, response: Response) -> FetchError {
        let status = response.status();
        // Its own words are a courtesy; without them the status has to do.
        let said = self.body(response, "the failure's text", REASON_BYTES_MAX).await.unwrap_or_default();
        self.refused(status.as_u16(), &reason(&said))
    }

    /// The same from a status and a text.
    pub(crate) fn refused(&self, status: u16, reason: &str) -> FetchError {
        match status {
            401 | 403 => self.unauthorized(reason),
            404 => FetchError::NotFound { image: self.image.clone(), registry: self.registry.clone() },
            status => FetchError::Registry {
                registry: self.registry.clone(),
                image: self.image.clone(),
                status,
                reason: reason.to_owned(),
            },
        }
    }

    pub(crate) fn unauthorized(&self, reason: &str) -> FetchError {
        FetchError::Unauthorized {
            registry: self.registry.clone(),
            image: self.image.clone(),
            reason: if reason.is_empty() { "no reason given".to_owned() } else { reason.to_owned() },
        }
    }

    pub(crate) fn timeout(&self, after: Duration) -> FetchError {
        FetchError::Timeout { registry: self.registry.clone(), image: self.image.clone(), after }
    }

    /// What a request that got no answer means.
    pub(crate) fn transport(&self, error: &reqwest::Error) -> FetchError {
        let registry = self.registry.clone();
        if let Some(tls) = tls_reason(error) {
            return FetchError::Insecure { registry, reason: tls };
        }
        let reason = if error.is_timeout() {
            format!("it is silent for {:?}", self.config.silence_max)
        } else {
            innermost_cause(error)
        };
        FetchError::Unreachable { registry, reason }
    }
}

/// The words of a registry's failure: `{"errors":[{"code":…,"message":…}]}`, else the text itself.
pub(crate) fn reason(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Envelope {
        errors: Vec<Failure>,
    }
    #[derive(serde::Deserialize)]
    struct Failure {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) => {
            let all = envelope
                .errors
                .iter()
                .map(|e| if e.message.is_empty() { e.code.clone() } else { e.message.clone() });
            all.collect::<Vec<_>>().join(", ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    text.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

/// What TLS said, if it was TLS that failed. An I/O error hides the error inside it from `source`, so it is asked itself.
fn tls_reason(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        let inside = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_words_are_found_and_kept_short() {
        let json = br#"{"errors":[{"code":"DENIED","message":"not yours"},{"code":"UNKNOWN"}]}"#;
        assert_eq!(reason(json), "not yours, UNKNOWN");
        assert_eq!(reason(b"<html>\n\x1b[31mno</html>"), "<html>[31mno</html>");
        assert_eq!(reason("x".repeat(1000).as_bytes()).len(), 200);
        assert_eq!(reason(b""), "");
    }

    #[test]
    fn debug_of_an_authorization_header_shows_nothing() {
        let bearer = Authorization::Bearer { token: "secret".to_owned() };
        assert!(!format!("{:?}", bearer.header()).contains("secret"));
    }
}
