//! One request: judged, sent, and its response handed back as soon as the head is there.

use std::{net::IpAddr, pin::pin};

use http::{Method, Uri, Version, header, uri::Scheme};
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::capture_connection;
use lattice_contracts::{
    CallContext,
    http::{Allowance, OutgoingError, OutgoingLimits, Request, Response, remove_hop_by_hop},
};
use lattice_core::Hop;
use tokio::time::{Duration, Instant};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{
    address::is_public, allow::tidy, body::Received, client::LinkClient, config::LinkConfig,
    failure::outgoing, resolve::why_private, secret_headers::SecretHeaders,
};

/// What serves the requests of one link.
pub(crate) struct Sender {
    pub(crate) config: LinkConfig,
    pub(crate) client: LinkClient,
    pub(crate) secrets: SecretHeaders,
    pub(crate) hop: Hop,
}

impl Sender {
    /// As [`lattice_contracts::http::Outgoing::request`].
    pub(crate) async fn send(
        &self,
        call: CallContext,
        mut request: Request,
        limits: OutgoingLimits,
        counted: TaskTrackerToken,
    ) -> Result<Response, OutgoingError> {
        let authority = self.judge(request.uri(), request.method())?;
        prepare(&mut request);
        self.secrets.add(&mut request);
        let response = self.exchange(request, &call, limits, &authority).await?;
        if response.status().is_informational() {
            let why = format!("an answer with status {} that nobody asked for", response.status().as_u16());
            return Err(OutgoingError::Protocol { authority, why });
        }
        let (mut parts, body) = response.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        let config = &self.config;
        let body = Received {
            body,
            allowance: Allowance::new(config.response_bytes_max),
            between: shorter(config.between_bytes_timeout, limits.between_bytes),
            deadline: call.deadline,
            hop: self.hop.clone(),
            silence: None,
            over: false,
            _counted: counted,
        };
        Ok(http::Response::from_parts(parts, body.boxed_unsync()))
    }

    /// Checks that the link allows the destination; its host and port.
    fn judge(&self, uri: &Uri, method: &Method) -> Result<String, OutgoingError> {
        let malformed = |why: &str| OutgoingError::Request { why: why.to_owned() };
        if *method == Method::CONNECT {
            return Err(malformed("CONNECT makes tunnels, which are not given to actors"));
        }
        let default_port = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => 80,
            Some(scheme) if *scheme == Scheme::HTTPS => 443,
            _ => return Err(malformed("the scheme is neither http nor https")),
        };
        let named = uri.authority().ok_or_else(|| malformed("the request names no host"))?;
        if named.as_str().contains('@') || named.host().is_empty() {
            return Err(malformed("the authority is not just a host and a port"));
        }
        // A port that is no number would otherwise be taken for none at all.
        let after_host = named.as_str().len() > named.host().len();
        let port = match named.port_u16() {
            Some(port) => port,
            None if after_host => return Err(malformed("the port is not a number up to 65535")),
            None => default_port,
        };
        let authority = format!("{}:{port}", named.host());
        let host = tidy(named.host());
        if !self.config.allow.allows(&host, port) {
            let why = format!("the link's allow list does not name {host}");
            return Err(OutgoingError::Denied { authority, why });
        }
        if let Some(why) = self.secrets.objection(uri, method) {
            return Err(OutgoingError::Denied { authority, why: why.to_owned() });
        }
        // An address needs no resolving, so nobody else would judge it.
        match host.parse::<IpAddr>() {
            Ok(address) if !(self.config.allow_private || is_public(address)) => {
                Err(OutgoingError::Denied { authority, why: why_private(address) })
            }
            _ => Ok(authority),
        }
    }

    async fn exchange(
        &self,
        mut request: Request,
        call: &CallContext,
        limits: OutgoingLimits,
        authority: &str,
    ) -> Result<http::Response<hyper::body::Incoming>, OutgoingError> {
        let timeout = |phase| OutgoingError::Timeout { authority: authority.to_owned(), phase };
        let until = |time: Duration| call.deadline.min(Instant::now() + time);
        let mut connection = capture_connection(&mut request);
        let mut exchange = pin!(self.client.request(request));
        let connect_by = until(shorter(self.config.connect_timeout, limits.connect));
        // Both are cancel-safe: the one is polled on where it was, the other only looks.
        let at_once = tokio::select! {
            response = exchange.as_mut() => Some(response),
            _ = connection.wait_for_connection_metadata() => None,
            () = tokio::time::sleep_until(connect_by) => return Err(timeout("connect")),
        };
        let response = match at_once {
            Some(response) => response,
            None => {
                let by = until(shorter(self.config.first_byte_timeout, limits.first_byte));
                tokio::time::timeout_at(by, exchange).await.map_err(|_| timeout("first byte"))?
            }
        };
        response.map_err(|error| outgoing(&error, authority))
    }
}

fn shorter(own: Duration, asked: Option<Duration>) -> Duration {
    asked.map_or(own, |asked| asked.min(own))
}

/// Makes a guest's request fit to be sent: the host follows from the URI alone, the version from the connection.
fn prepare(request: &mut Request) {
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    headers.remove(header::HOST);
}
