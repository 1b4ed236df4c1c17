//! The client of the control protocol.

mod actors;
mod asking;
mod calls;
mod configs;
mod hosts;
mod links;
mod providers;
mod roles;
mod secrets;
mod trust;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lattice_claims::{COMMAND_HEADER, CommandRequest, KeyPair, sign_command};
use lattice_core::{CtlSubject, CtlVerb, Effect, HostId, LatticeName};
use lattice_nats::{Connection, Gather, HeaderMap};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{ControlError, CtlResponse, STALE};

use asking::Asking;

pub use actors::Scaled;
pub use providers::Started;

/// How long answers of many hosts are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// The longest.
    pub window: Duration,
    /// Ends it when, after an answer, no other has come for so long; none waits for the whole window, as v1 does.
    pub quiet: Option<Duration>,
    /// Ends it when so many have answered.
    pub expected: Option<usize>,
}

impl Default for Collect {
    /// At most 2 s, and 250 ms after the last answer.
    fn default() -> Self {
        Self { window: Duration::from_secs(2), quiet: Some(Duration::from_millis(250)), expected: None }
    }
}

/// Asks the hosts of one lattice.
///
/// Requests whose outcome comes as an event return what the host said when it took them on; the methods that end in
/// `_and_wait` listen first, then ask, and return the outcome.
#[derive(Debug, Clone)]
pub struct Client {
    conn: Connection,
    lattice: LatticeName,
    timeout: Duration,
    signer: Option<Arc<KeyPair>>,
}

/// Nothing to say.
const EMPTY: Option<&()> = None;

impl Client {
    /// Asks the hosts of `lattice`, each time waiting at most `timeout` for an answer.
    #[must_use]
    pub fn new(conn: Connection, lattice: LatticeName, timeout: Duration) -> Self {
        Self { conn, lattice, timeout, signer: None }
    }

    /// The same with another time limit.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// The same, and every request that changes something is signed with this key of a user: each by itself, when it is sent.
    #[must_use]
    pub fn signed_by(&self, key: KeyPair) -> Self {
        Self { signer: Some(Arc::new(key)), ..self.clone() }
    }

    /// The lattice.
    #[must_use]
    pub fn lattice(&self) -> &LatticeName {
        &self.lattice
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// One request, one answer; a refusal is an error.
    async fn ask<T: DeserializeOwned>(
        &self,
        verb: CtlVerb,
        host: Option<&HostId>,
        body: Option<&impl Serialize>,
    ) -> Result<CtlResponse<T>, ControlError> {
        let what = self.subject(verb.clone()).1;
        let answer = self.exchange(verb, host, body).await?;
        if answer.success { Ok(answer) } else { Err(refused(&what, answer.code, answer.message)) }
    }

    /// One request, one answer, be it a refusal. Where any host may say something and the one that was picked is silent, another is asked.
    async fn exchange<T: DeserializeOwned>(
        &self,
        verb: CtlVerb,
        host: Option<&HostId>,
        body: Option<&impl Serialize>,
    ) -> Result<CtlResponse<T>, ControlError> {
        let changes = verb.effect() != Effect::Reads;
        let (subject, what) = self.subject(verb);
        let body = encode(&what, body)?;
        let asking = Asking { client: self, subject: &subject, what: &what, body, changes, host };
        let answer = asking.answer().await?;
        decode(&what, &answer.payload)
    }

    /// What goes along with a request, signed now.
    fn headers(
        &self,
        signed: bool,
        subject: &str,
        what: &str,
        body: &[u8],
    ) -> Result<HeaderMap, ControlError> {
        match &self.signer {
            Some(key) if signed => self.sign(key, subject, what, body),
            _ => Ok(HeaderMap::new()),
        }
    }

    /// The header by which a host knows who asks.
    fn sign(&self, key: &KeyPair, subject: &str, what: &str, body: &[u8]) -> Result<HeaderMap, ControlError> {
        let request = CommandRequest { lattice: self.lattice.as_str(), subject, body };
        let token = sign_command(&request, key, now_ms())
            .map_err(|error| ControlError::Unsigned { what: what.to_owned(), why: error.to_string() })?;
        let mut headers = HeaderMap::new();
        headers.insert(COMMAND_HEADER, token.as_str());
        Ok(headers)
    }

    /// As [`Client::ask`], for requests that are answered with a message alone.
    async fn order(
        &self,
        verb: CtlVerb,
        host: Option<&HostId>,
        body: Option<&impl Serialize>,
    ) -> Result<String, ControlError> {
        Ok(self.ask::<IgnoredAny>(verb, host, body).await?.message)
    }

    /// As [`Client::ask`], for requests that are answered with data.
    async fn fetch<T: DeserializeOwned>(
        &self,
        verb: CtlVerb,
        host: Option<&HostId>,
        body: Option<&impl Serialize>,
    ) -> Result<T, ControlError> {
        let what = self.subject(verb.clone()).1;
        let answer = self.ask(verb, host, body).await?;
        answer.response.ok_or_else(|| ControlError::Decode { what, why: "it holds no data".to_owned() })
    }

    /// One request, answers of many; nobody's answer is an empty list.
    async fn collect<T: DeserializeOwned>(
        &self,
        verb: CtlVerb,
        body: Option<&impl Serialize>,
        collect: Collect,
    ) -> Result<Vec<T>, ControlError> {
        let (subject, what) = self.subject(verb);
        let body = encode(&what, body)?;
        let gather = Gather { window: collect.window, quiet: collect.quiet };
        let enough = |answers: &[Bytes]| collect.expected.is_some_and(|expected| answers.len() >= expected);
        let answers = match self.conn.scatter(&subject, body, gather, enough).await {
            Ok(answers) => answers,
            Err(lattice_nats::RequestError::NoResponders { .. }) => Vec::new(),
            Err(error) => return Err(ControlError::of_request(error, &what, None, &self.lattice)),
        };
        // One host that speaks otherwise must not hide the others.
        Ok(answers
            .iter()
            .filter_map(|answer| decode::<CtlResponse<T>>(&what, answer).ok()?.response)
            .collect())
    }

    /// The subject, and its part that says what is asked.
    fn subject(&self, verb: CtlVerb) -> (String, String) {
        let subject = CtlSubject { lattice: self.lattice.clone(), verb }.to_string();
        let prefix = lattice_core::ctl_prefix(&self.lattice);
        let what =
            subject.strip_prefix(prefix.as_str()).unwrap_or(&subject).trim_start_matches('.').to_owned();
        (subject, what)
    }
}

fn encode(what: &str, body: Option<&impl Serialize>) -> Result<Bytes, ControlError> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let encoded = serde_json::to_vec(body).map(Bytes::from);
    encoded.map_err(|error| ControlError::Unsendable { what: what.to_owned(), why: error.to_string() })
}

fn decode<T: DeserializeOwned>(what: &str, answer: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(answer)
        .map_err(|error| ControlError::Decode { what: what.to_owned(), why: error.to_string() })
}

fn refused(what: &str, code: Option<String>, message: String) -> ControlError {
    let message = if message.is_empty() { format!("{what} was refused without a reason") } else { message };
    match code {
        Some(code) if code != STALE => ControlError::NotAllowed { code, message },
        _ => ControlError::Refused { message },
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
