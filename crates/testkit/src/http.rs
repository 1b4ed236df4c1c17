//! A small HTTP client.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::TestkitError;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Sends requests over plain HTTP. Never repeats one by itself.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Http {
    /// A client that makes a connection for every request, so that none meets the remains of another.
    #[must_use]
    pub fn new() -> Self {
        Self::build(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0))
    }

    /// A client that keeps connections, as a browser or load generator does.
    #[must_use]
    pub fn pooled() -> Self {
        Self::build(&mut Client::builder(TokioExecutor::new()))
    }

    /// A client that speaks HTTP/2 from the first byte.
    #[must_use]
    pub fn http2() -> Self {
        Self::build(Client::builder(TokioExecutor::new()).http2_only(true))
    }

    fn build(builder: &mut hyper_util::client::legacy::Builder) -> Self {
        Self { client: builder.retry_canceled_requests(false).build_http() }
    }

    /// The answer to a GET of `url`, within 30 s.
    ///
    /// # Errors
    /// `Http`, also when `url` is malformed or the body breaks off.
    pub async fn get(&self, url: &str) -> Result<Answer, TestkitError> {
        self.send("GET", url, &[], Bytes::new()).await
    }

    /// The answer to any request, within 30 s.
    ///
    /// # Errors
    /// `Http`, also when the request is malformed or the body breaks off.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, TestkitError> {
        let whole = async {
            let (parts, body) = self.open(method, url, headers, body).await?.into_parts();
            let body =
                Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|e| failed(method, url, &*e))?;
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
        };
        let late = || TestkitError::Http {
            method: method.to_owned(),
            url: url.to_owned(),
            reason: format!("not complete after {ANSWER_WITHIN:?}"),
        };
        tokio::time::timeout(ANSWER_WITHIN, whole).await.map_err(|_| late())?
    }

    /// Sends a request and gives back the head with the body still to be read, for callers that read slowly or go away.
    ///
    /// # Errors
    /// `Http`, also when the request is malformed.
    ///
    /// # Cancellation
    /// Dropping the future, or later the body, closes the connection.
    pub async fn open(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>, TestkitError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(|e| failed(method, url, &e))?;
        self.client.request(request).await.map_err(|e| failed(method, url, &e))
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// The body as text; bytes that are no UTF-8 become `U+FFFD`.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` when it is none, which no assertion about its members survives.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn failed(method: &str, url: &str, error: &dyn Error) -> TestkitError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    TestkitError::Http { method: method.to_owned(), url: url.to_owned(), reason }
}
