//! Connecting, with errors that say what happened, where, why, and what to do next.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectErrorKind, Event, ServerError};
use lattice_core::innermost_cause;
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use crate::{
    ConnectOptions, Credentials, admission::Pace, fence::Fences, inbox, replies::Replies,
    violation::Violation,
};

/// The oldest server that will do: key expiry and its markers came with it.
const OLDEST_SERVER: (u64, u64) = (2, 11);
/// Commands that wait for the socket before publishers have to.
const CLIENT_CAPACITY: usize = 256;
/// Messages of one subscription that wait to be taken; more are dropped, and the server's view of us stays good.
const SUBSCRIPTION_CAPACITY: usize = 8192;
/// How often we ask whether the server still lives; two silent rounds end the connection.
const PING_EVERY: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to get a lost connection back.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The options make no sense, or a file they name cannot be used.
    #[error("cannot connect to NATS: {what}: {why}")]
    Options {
        /// Which option.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody listens there, or no NATS server does.
    #[error(
        "no NATS server answers at {servers}: {why}; is nats-server running there? `wash up` starts one on this machine"
    )]
    Unreachable {
        /// The servers tried.
        servers: String,
        /// What the last of them said.
        why: String,
    },
    /// The server did not answer in time.
    #[error(
        "NATS at {servers} did not answer within {after:?}; is the address right, and the server not stopped or overloaded?"
    )]
    Silent {
        /// The servers tried.
        servers: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server wants other credentials.
    #[error(
        "NATS at {servers} refused {given} (authorization violation); give the credentials of a user of that server, with a credentials file or user and password"
    )]
    Refused {
        /// The servers tried.
        servers: String,
        /// What was given.
        given: String,
    },
    /// TLS failed.
    #[error(
        "no TLS with NATS at {servers}: {why}; name the server's certificate authority with a CA file if it is a private one"
    )]
    Tls {
        /// The servers tried.
        servers: String,
        /// What failed.
        why: String,
    },
    /// The server is too old.
    #[error(
        "NATS at {servers} is version {found}, and the lattice needs 2.11 or newer; install a newer nats-server"
    )]
    TooOld {
        /// The servers tried.
        servers: String,
        /// Its version.
        found: String,
    },
    /// The server has no JetStream, or not for this user.
    #[error(
        "NATS at {servers} offers no JetStream{domain}: {why}; the lattice keeps its state there: start nats-server with `-js`, or name the domain that has it"
    )]
    NoJetStream {
        /// The servers tried.
        servers: String,
        /// ` in domain "x"`, or empty.
        domain: String,
        /// What the server said.
        why: String,
    },
}

impl ConnectError {
    /// True if the same attempt may succeed later without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, ConnectError::Unreachable { .. } | ConnectError::Silent { .. })
    }
}

/// Refusals that are kept for slow listeners: one for each call that can be made at once, so that each is told of its own.
const VIOLATIONS_KEPT: usize = 4096;

/// What the connection's events tell the rest of this crate.
pub(crate) struct Signals {
    pub(crate) connected: watch::Sender<bool>,
    pub(crate) violations: broadcast::Sender<Violation>,
    pub(crate) replies: std::sync::OnceLock<Arc<Replies>>,
    pub(crate) fences: Fences,
    /// Messages that were dropped since the start, and how often that is said.
    dropped: AtomicU64,
    pace: Mutex<Pace>,
}

impl Signals {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            connected: watch::Sender::new(false),
            violations: broadcast::Sender::new(VIOLATIONS_KEPT),
            replies: std::sync::OnceLock::new(),
            fences: Fences::new(),
            dropped: AtomicU64::new(0),
            pace: Mutex::default(),
        })
    }

    fn take(&self, event: Event) {
        match event {
            Event::Connected => self.set_connected(true),
            Event::Disconnected | Event::Closed => self.set_connected(false),
            Event::ServerError(ServerError::Other(text)) => match Violation::parse(&text) {
                Some(violation) => self.refused(violation),
                None if self.fences.take(&text) => {}
                None => tracing::warn!(error = %text, "the NATS server reports an error"),
            },
            Event::SlowConsumer(subscription) => self.dropped(subscription),
            other => tracing::debug!(event = %other, "event of the NATS connection"),
        }
    }

    /// A message that found no place where it should wait. There is such an event for each one, and a line for those of a second.
    fn dropped(&self, subscription: u64) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        let passes = self.pace.lock().unwrap_or_else(PoisonError::into_inner).passes(Instant::now());
        if passes {
            tracing::warn!(
                subscription,
                dropped,
                "messages were dropped: more come than can be taken; the NATS server's list of connections shows who sends so many"
            );
        }
    }

    pub(crate) fn set_connected(&self, now: bool) {
        self.connected.send_if_modified(|was| std::mem::replace(was, now) != now);
    }

    fn refused(&self, violation: Violation) {
        tracing::warn!(subject = %violation.subject, "denied: {violation}");
        if let (crate::Refused::Publish, Some(replies)) = (violation.refused, self.replies.get()) {
            replies.denied(&violation.subject);
        }
        // Nobody listening is fine: the log line has it.
        let _ = self.violations.send(violation);
    }
}

/// Makes the connection.
pub(crate) async fn connect(
    options: &ConnectOptions,
    deadline: Duration,
    signals: Arc<Signals>,
) -> Result<async_nats::Client, ConnectError> {
    if options.servers.is_empty() {
        let why = "no server is named; write nats://HOST:PORT".to_owned();
        return Err(ConnectError::Options { what: "servers".into(), why });
    }
    let built = build(options, deadline, signals).await?;
    let servers = parse_servers(options)?;
    let silent = || ConnectError::Silent { servers: options.shown(), after: deadline };
    let client = tokio::time::timeout(deadline, built.connect(servers))
        .await
        .map_err(|_| silent())?
        .map_err(|error| explain(&error, options, deadline))?;
    check_version(&client, options)?;
    Ok(client)
}

/// Makes a client that connects when a server is there, and tries until then.
pub(crate) async fn connect_later(
    options: &ConnectOptions,
    deadline: Duration,
    signals: Arc<Signals>,
) -> Result<async_nats::Client, ConnectError> {
    let built = build(options, deadline, signals).await?.retry_on_initial_connect();
    let servers = parse_servers(options)?;
    built.connect(servers).await.map_err(|error| explain(&error, options, deadline))
}

async fn build(
    options: &ConnectOptions,
    deadline: Duration,
    signals: Arc<Signals>,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    let credentials = options.effective_credentials();
    let mut built = asked(&credentials)
        .name(&options.name)
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .ping_interval(PING_EVERY)
        .connection_timeout(deadline)
        .reconnect_delay_callback(reconnect_pause)
        .event_callback(move |event| {
            signals.take(event);
            std::future::ready(())
        });
    if let Some(prefix) = inbox::prefix(options).await {
        built = built.custom_inbox_prefix(prefix);
    }
    if let Some(file) = &options.tls.ca_file {
        // async-nats reads the file at each connect and reports a missing one as a bare I/O error.
        let readable = tokio::fs::metadata(file).await;
        readable.map_err(|error| ConnectError::Options {
            what: format!("CA file {}", file.display()),
            why: error.to_string(),
        })?;
        built = built.add_root_certificates(file.clone());
    }
    if options.tls.first {
        built = built.tls_first();
    }
    with_credentials(built, &credentials).await
}

/// Options that ask at each connect who to be, where that may change.
fn asked(credentials: &Credentials) -> async_nats::ConnectOptions {
    let Credentials::Renewable(newest) = credentials else { return async_nats::ConnectOptions::new() };
    let newest = newest.clone();
    async_nats::ConnectOptions::with_auth_callback(move |nonce| std::future::ready(newest.answer(&nonce)))
}

async fn with_credentials(
    built: async_nats::ConnectOptions,
    credentials: &Credentials,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    match credentials {
        // Renewable ones have been taken care of from the start.
        Credentials::None | Credentials::Renewable(_) => Ok(built),
        Credentials::CredsFile(path) => built.credentials_file(path).await.map_err(|error| {
            ConnectError::Options { what: "credentials file".into(), why: error.to_string() }
        }),
        Credentials::JwtSeed { jwt, seed } => {
            // The library reads token and seed in the layout of a creds file.
            let file = format!(
                "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
                jwt.trim(),
                seed.reveal().trim()
            );
            built.credentials(&file).map_err(|error| ConnectError::Options {
                what: "user token and seed".into(),
                why: error.to_string(),
            })
        }
        Credentials::UserPassword { user, password } => {
            Ok(built.user_and_password(user.clone(), password.reveal().to_owned()))
        }
        Credentials::Token(token) => Ok(built.token(token.reveal().to_owned())),
    }
}

pub(crate) fn parse_servers(options: &ConnectOptions) -> Result<Vec<async_nats::ServerAddr>, ConnectError> {
    let parse = |server: &String| {
        server.parse().map_err(|error: std::io::Error| ConnectError::Options {
            what: format!("server {:?}", ConnectOptions::to(server).shown()),
            why: format!("{error}; write nats://HOST:PORT"),
        })
    };
    options.servers.iter().map(parse).collect()
}

/// 100 ms more with each attempt up to a second, with a quarter of it at random so that hosts do not come back in step.
fn reconnect_pause(attempts: usize) -> Duration {
    let steps = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = Duration::from_millis(100).saturating_mul(steps).min(RECONNECT_PAUSE_MAX);
    pause.mul_f64(0.75 + 0.25 * crate::jitter::fraction())
}

fn explain(error: &async_nats::ConnectError, options: &ConnectOptions, deadline: Duration) -> ConnectError {
    let servers = options.shown();
    // The outer ones only say "IO error".
    let why = innermost_cause(error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ConnectError::Refused { servers, given: options.effective_credentials().kind().to_owned() }
        }
        ConnectErrorKind::Tls => ConnectError::Tls { servers, why },
        // One that is not trusted comes as an error of the socket.
        ConnectErrorKind::Io if why.contains("certificate") => ConnectError::Tls { servers, why },
        ConnectErrorKind::TimedOut => ConnectError::Silent { servers, after: deadline },
        ConnectErrorKind::ServerParse => ConnectError::Options { what: format!("servers {servers}"), why },
        _ => ConnectError::Unreachable { servers, why },
    }
}

/// Makes sure that the server now connected to is new enough.
pub(crate) fn check_version(
    client: &async_nats::Client,
    options: &ConnectOptions,
) -> Result<(), ConnectError> {
    let found = client.server_info().version;
    match major_minor(&found) {
        Some(version) if version < OLDEST_SERVER => {
            Err(ConnectError::TooOld { servers: options.shown(), found })
        }
        // A version that does not read is somebody's own build; its features are tried, not guessed.
        _ => Ok(()),
    }
}

fn major_minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(major_minor("2.11.3"), Some((2, 11)));
        assert_eq!(major_minor("v2.9.10-beta.1"), Some((2, 9)));
        assert_eq!(major_minor("nightly"), None);
        assert!(major_minor("2.9.10") < Some(OLDEST_SERVER));
    }

    #[test]
    fn pauses_grow_and_end_at_a_second() {
        assert_eq!(reconnect_pause(1), Duration::ZERO);
        assert!(reconnect_pause(3) >= Duration::from_millis(150));
        assert!(reconnect_pause(usize::MAX) <= RECONNECT_PAUSE_MAX);
    }
}
