//! How to reach a lattice's NATS and who to be there.

use std::{fmt, path::PathBuf};

use lattice_core::{HostId, LatticeName, unescape_marked};

use crate::{Renewable, WallClock};

/// Where a NATS server listens when nobody says otherwise.
pub const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";

/// A text that is not shown: its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Who to be on the NATS server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// Nobody in particular, or whoever stands in the server's URL.
    #[default]
    None,
    /// A `.creds` file: a user token and its seed. Read anew at each connect.
    CredsFile(PathBuf),
    /// A user token and the seed of its key.
    JwtSeed {
        /// The token.
        jwt: String,
        /// The `SU…` seed.
        seed: Secret,
    },
    /// A user token and the seed of its key, of which newer ones count from the next connect on.
    Renewable(Renewable),
    /// A name and a password.
    UserPassword {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
}

impl Credentials {
    /// What kind they are, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Credentials::None => "no credentials",
            Credentials::CredsFile(_) => "a credentials file",
            Credentials::JwtSeed { .. } | Credentials::Renewable(_) => "a user token and seed",
            Credentials::UserPassword { .. } => "a user name and password",
            Credentials::Token(_) => "a token",
        }
    }
}

/// TLS, where the server's URL (`tls://`) or the server asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates (PEM) to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Speak TLS from the first byte, before the server has introduced itself.
    pub first: bool,
}

/// Everything that a connection needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Servers of one cluster, as `nats://host:port`; the first that answers is taken. A name and password, or a token,
    /// before the host of the first one (`nats://user:password@host`) count where no other credentials are given.
    pub servers: Vec<String>,
    /// Who to be there.
    pub credentials: Credentials,
    /// The name that the server's monitoring shows.
    pub name: String,
    /// The JetStream domain that holds the lattice's state; none is the server's own.
    pub js_domain: Option<String>,
    /// First part of the subjects that answers come back on; none is the inbox that the credentials allow on the lattice of
    /// `member`, or else `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// On which lattice, and as which host.
    pub member: Option<Member>,
    /// TLS.
    pub tls: Tls,
    /// What this process takes for the time of day.
    pub wall_clock: WallClock,
}

/// Whose connection it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The lattice that is talked to.
    pub lattice: LatticeName,
    /// The host that talks; none for tools.
    pub host: Option<HostId>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::to(DEFAULT_SERVER)
    }
}

impl ConnectOptions {
    /// One server, or several separated by commas; nothing else asked for.
    #[must_use]
    pub fn to(servers: &str) -> Self {
        let servers =
            servers.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Self {
            servers,
            credentials: Credentials::None,
            name: "lattice".to_owned(),
            js_domain: None,
            inbox_prefix: None,
            member: None,
            tls: Tls::default(),
            wall_clock: WallClock::default(),
        }
    }

    /// The same with another client name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same for a tool that talks to a lattice.
    #[must_use]
    pub fn on(mut self, lattice: &LatticeName) -> Self {
        self.member = Some(Member { lattice: lattice.clone(), host: None });
        self
    }

    /// The same for a host of a lattice.
    #[must_use]
    pub fn as_host(mut self, lattice: &LatticeName, host: &HostId) -> Self {
        self.member = Some(Member { lattice: lattice.clone(), host: Some(host.clone()) });
        self
    }

    /// The credentials to use: those given, else those in the URL of the first server.
    pub(crate) fn effective_credentials(&self) -> Credentials {
        match (&self.credentials, self.servers.first().and_then(|server| in_url(server))) {
            (Credentials::None, Some(in_url)) => in_url,
            (given, _) => given.clone(),
        }
    }

    /// The servers for messages: without user names and passwords.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown: Vec<String> = self.servers.iter().map(|server| without_user(server)).collect();
        shown.join(", ")
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("servers", &self.shown())
            .field("credentials", &self.credentials)
            .field("name", &self.name)
            .field("js_domain", &self.js_domain)
            .field("inbox_prefix", &self.inbox_prefix)
            .field("member", &self.member)
            .field("tls", &self.tls)
            .field("wall_clock", &self.wall_clock)
            .finish()
    }
}

/// What stands before the `@` of a URL, percent-encoded: a name and a password, or a token.
fn in_url(server: &str) -> Option<Credentials> {
    let percent_decoded = |text: &str| unescape_marked(text, b'%');
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (before, _) = rest.rsplit_once('@')?;
    match before.split_once(':') {
        Some((user, password)) => Some(Credentials::UserPassword {
            user: percent_decoded(user)?,
            password: Secret::new(percent_decoded(password)?),
        }),
        None => Some(Credentials::Token(Secret::new(percent_decoded(before)?))),
    }
}

/// `nats://user:password@host` as `nats://host`.
fn without_user(server: &str) -> String {
    let Some((before, host)) = server.rsplit_once('@') else { return server.to_owned() };
    match before.split_once("://") {
        Some((scheme, _)) if !scheme.contains('@') => format!("{scheme}://{host}"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let mut options = ConnectOptions::to("nats://anna:s3cret@one:4222, two:4222,");
        assert_eq!(options.shown(), "nats://one:4222, two:4222");
        for (odd, shown) in [("a@b://c", "b://c"), ("u@x://y@z", "z"), ("://a@b", "://b"), ("a@b@c", "c")] {
            assert_eq!(ConnectOptions::to(odd).shown(), shown, "{odd}");
        }
        assert!(!format!("{options:?}").contains("s3cret"));
        options.credentials =
            Credentials::UserPassword { user: "anna".into(), password: Secret::new("s3cret") };
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn credentials_in_a_url_count_where_no_others_are_given() {
        let of = |url: &str| ConnectOptions::to(url).effective_credentials();
        let anna = Credentials::UserPassword { user: "anna".into(), password: Secret::new("p@ss:1") };
        assert_eq!(of("nats://anna:p%40ss:1@one"), anna);
        assert_eq!(of("t0ken@one:4222"), Credentials::Token(Secret::new("t0ken")));
        assert_eq!(of("nats://one"), Credentials::None);
        let given = ConnectOptions { credentials: anna.clone(), ..ConnectOptions::to("nats://x:y@one") };
        assert_eq!(given.effective_credentials(), anna);
    }
}
