//! Reaching a lattice.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use clap::{ArgMatches, parser::ValueSource};

use lattice_control_interface::{Client, Collect, ControlError};
use lattice_core::LatticeName;
use lattice_nats::{ConnectOptions, Connection, Credentials, Secret};

use crate::{
    context::{Context, Contexts},
    exit::Exit,
    failure::{Failure, Outcome},
    keystore::signing_key,
};

/// Hosts answer a question to all of them within milliseconds; after so long without one more, all have answered.
const QUIET: Duration = Duration::from_millis(250);

/// What mends a refused login.
const CREDENTIALS: &str = "give the credentials of a user of that server: --ctl-credsfile FILE, --ctl-jwt JWT with --ctl-seed \
     SEED, or --nats-url nats://USER:PASSWORD@HOST:PORT; or choose a context that has them: `wash ctx list`, `wash ctx use NAME`";

/// Which lattice, and how to get there. What is typed goes before what the environment says, whichever of host, port and
/// URL that is; and both go before a context.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionArgs {
    flags: Flags,
    /// Whether somebody said where the server is.
    server_given: bool,
    /// Whether somebody said which lattice.
    lattice_given: bool,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
struct Flags {
    /// Host name of the NATS server; else WASMCLOUD_NATS_HOST is read too
    #[arg(
        short = 'r',
        long,
        alias = "rpc-host",
        env = "WASMCLOUD_CTL_HOST",
        value_name = "HOST",
        default_value = "127.0.0.1"
    )]
    ctl_host: String,
    /// Port of the NATS server; else WASMCLOUD_NATS_PORT is read too
    #[arg(
        short = 'p',
        long,
        alias = "rpc-port",
        env = "WASMCLOUD_CTL_PORT",
        value_name = "PORT",
        default_value_t = 4222,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    ctl_port: u16,
    /// NATS servers, as nats://HOST:PORT joined by commas, instead of host and port
    #[arg(long, env = "WASMCLOUD_NATS_URL", value_name = "URL")]
    nats_url: Option<String>,
    /// User token, together with --ctl-seed
    #[arg(
        long,
        env = "WASMCLOUD_CTL_JWT",
        value_name = "JWT",
        requires = "ctl_seed",
        hide_env_values = true
    )]
    ctl_jwt: Option<String>,
    /// Seed that signs the server's challenge, together with --ctl-jwt
    #[arg(
        long,
        env = "WASMCLOUD_CTL_SEED",
        value_name = "SEED",
        requires = "ctl_jwt",
        hide_env_values = true
    )]
    ctl_seed: Option<String>,
    /// Credentials file (.creds)
    #[arg(long, visible_alias = "ctl-creds", env = "WASMCLOUD_CTL_CREDS", value_name = "FILE", conflicts_with_all = ["ctl_jwt", "ctl_seed"])]
    ctl_credsfile: Option<PathBuf>,
    /// Certificates (PEM) to trust besides those of the system
    #[arg(long, env = "WASMCLOUD_CTL_TLS_CA_FILE", value_name = "FILE")]
    ctl_tls_ca_file: Option<PathBuf>,
    /// Speak TLS from the first byte
    #[arg(long)]
    ctl_tls_first: bool,
    /// Lattice to talk to
    #[arg(
        short = 'x',
        long,
        visible_alias = "lattice-prefix",
        env = "WASMCLOUD_LATTICE",
        default_value = "default"
    )]
    lattice: LatticeName,
    /// Longest wait for an answer, in milliseconds
    #[arg(short, long, env = "WASMCLOUD_CTL_TIMEOUT_MS", value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    timeout_ms: u64,
    /// JetStream domain that keeps the lattice's state
    #[arg(long, env = "WASMCLOUD_JS_DOMAIN", value_name = "DOMAIN")]
    js_domain: Option<String>,
    /// User key that signs what you command: a seed, its file, or the name of a stored key [default: the context's, else your only user
    /// key]
    #[arg(long, env = "WASH_SIGNING_KEY", value_name = "KEY", hide_env_values = true)]
    signing_key: Option<String>,
    /// Context for what the flags above do not say [default: the current one, see wash ctx]
    #[arg(long, env = "WASH_CONTEXT", value_name = "NAME")]
    context: Option<String>,
}

/// A lattice in reach.
#[derive(Debug)]
pub(crate) struct Session {
    /// Asks its hosts.
    pub(crate) client: Client,
    timeout: Duration,
}

impl clap::FromArgMatches for ConnectionArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let from = |id: &str| matches.value_source(id);
        let (url, host, port) = (from("nats_url"), from("ctl_host"), from("ctl_port"));
        let is_typed = |source: Option<ValueSource>| source == Some(ValueSource::CommandLine);
        let is_given =
            |source: Option<ValueSource>| is_typed(source) || source == Some(ValueSource::EnvVariable);
        let (lattice_given, context) = (is_given(from("lattice")), from("context"));
        let mut flags = Flags::from_arg_matches_mut(matches)?;
        let env = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let of_host = flags.choose(url, host, port, &env)?;
        let places = [url, host, port];
        // A context that is typed says where, unless that is typed too.
        let server_given = match is_typed(context) {
            true => places.into_iter().any(is_typed),
            false => of_host || places.into_iter().any(is_given),
        };
        Ok(ConnectionArgs { flags, server_given, lattice_given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for ConnectionArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Flags::augment_args_for_update(command)
    }
}

impl Flags {
    /// Settles what counts where several say where the server is. True if the environment of a host says it.
    fn choose(
        &mut self,
        url: Option<ValueSource>,
        host: Option<ValueSource>,
        port: Option<ValueSource>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<bool, clap::Error> {
        let mut of_host = false;
        let typed = Some(ValueSource::CommandLine);
        if url != typed && (host == typed || port == typed) {
            self.nats_url = None;
        }
        // Those of the host: whoever set them means the same server.
        if host == Some(ValueSource::DefaultValue)
            && let Some(name) = env("WASMCLOUD_NATS_HOST")
        {
            self.ctl_host = name;
            of_host = true;
        }
        if port == Some(ValueSource::DefaultValue)
            && let Some(text) = env("WASMCLOUD_NATS_PORT")
        {
            self.ctl_port = text
                .parse::<NonZeroU16>()
                .map_err(|error| {
                    let text = format!("WASMCLOUD_NATS_PORT is {text:?}, which is no port: {error}\n");
                    clap::Error::raw(clap::error::ErrorKind::ValueValidation, text)
                })?
                .get();
            of_host = true;
        }
        Ok(of_host)
    }
}

impl ConnectionArgs {
    /// Connects to NATS. Whether there are hosts shows when one is asked.
    ///
    /// # Errors
    /// No NATS server in reach: exit code 3, with the remedy.
    pub(crate) async fn connect(self) -> Outcome<Session> {
        let timeout = Duration::from_millis(self.flags.timeout_ms);
        let context = self.context(Contexts::of_user().as_ref())?;
        // Before anything else: a key that is not usable would only show when something is half done.
        let of_context = || Some(context.as_ref()?.ctl_signing_key.as_ref()?.to_string_lossy().into_owned());
        let signer = signing_key(self.flags.signing_key.clone().or_else(of_context).as_deref())?;
        let (options, lattice) = self.settled(context);
        let connection = Connection::connect(options, timeout).await.map_err(|error| {
            // Options that make no sense are the user's to change; all else is about a server.
            let exit = match error {
                lattice_nats::ConnectError::Options { .. } => Exit::Usage,
                lattice_nats::ConnectError::Refused { .. } => Exit::Refused,
                _ => Exit::Unreachable,
            };
            let failure = with_remedy(exit, &error.to_string());
            match error {
                lattice_nats::ConnectError::Refused { .. } => failure.help(CREDENTIALS),
                _ => failure,
            }
        })?;
        let client = Client::new(connection, lattice, timeout);
        Ok(Session::new(signer.map_or(client.clone(), |key| client.signed_by(key)), timeout))
    }
}

impl ConnectionArgs {
    /// The context for what the flags do not say: the one named; else, where a server is, one of that server; else the current one.
    fn context(&self, contexts: Option<&Contexts>) -> Outcome<Option<Context>> {
        match (&self.flags.context, contexts) {
            (Some(name), _) => Contexts::required()?.require(name).map(Some),
            (None, Some(contexts)) if self.server_given => contexts.about(&self.flags.url()),
            (None, Some(contexts)) => contexts.current(),
            (None, None) => Ok(None),
        }
    }

    /// How to connect, and which lattice is meant.
    fn settled(self, context: Option<Context>) -> (ConnectOptions, LatticeName) {
        let Self { flags, server_given, lattice_given } = self;
        // A server that is named says nothing about the lattice, so what a context of it says does not count then.
        let own = context.as_ref().filter(|_| !server_given || flags.context.is_some());
        let lattice = match own.and_then(|context| context.lattice.clone()) {
            Some(lattice) if !lattice_given => lattice,
            _ => flags.lattice.clone(),
        };
        let url = own.filter(|_| !server_given).map(Context::url);
        let mut options = flags.options(url).on(&lattice);
        if let Some(context) = context {
            let with_user = options.servers.first().is_some_and(|server| server.contains('@'));
            if let (Credentials::None, false, Some(file)) =
                (&options.credentials, with_user, context.ctl_credsfile)
            {
                options.credentials = Credentials::CredsFile(file);
            }
            options.tls.ca_file = options.tls.ca_file.or(context.ctl_tls_ca_file);
            options.tls.first |= context.ctl_tls_first == Some(true);
            options.js_domain = options.js_domain.or(context.js_domain);
        }
        (options, lattice)
    }
}

impl Flags {
    fn url(&self) -> String {
        let by_port = || format!("nats://{}:{}", self.ctl_host, self.ctl_port);
        self.nats_url.clone().unwrap_or_else(by_port)
    }

    /// At `url`, if a context says so.
    fn options(self, url: Option<String>) -> ConnectOptions {
        let url = url.unwrap_or_else(|| self.url());
        let mut options = ConnectOptions::to(&url).named("wash");
        options.credentials = match (self.ctl_credsfile, self.ctl_jwt, self.ctl_seed) {
            (Some(file), _, _) => Credentials::CredsFile(file),
            (None, Some(jwt), Some(seed)) => Credentials::JwtSeed { jwt, seed: Secret::new(seed) },
            _ => Credentials::None,
        };
        options.js_domain = self.js_domain;
        options.tls.ca_file = self.ctl_tls_ca_file;
        options.tls.first = self.ctl_tls_first;
        options
    }
}

impl Session {
    /// Asks through `client`, waiting at most `timeout` for each answer.
    pub(crate) fn new(client: Client, timeout: Duration) -> Session {
        Session { client, timeout }
    }

    /// How to collect the answers of all hosts.
    pub(crate) fn collect(&self) -> Collect {
        Collect { window: self.timeout, quiet: Some(QUIET), expected: None }
    }
}

/// A failed control request: what happened, the remedy, and the exit code.
pub(crate) fn failed(error: ControlError) -> Failure {
    let exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::Refused };
    with_remedy(exit, &error.to_string())
}

/// Our libraries and hosts write `what happened; what to do next`.
fn with_remedy(exit: Exit, text: &str) -> Failure {
    match text.split_once("; ") {
        Some((what, remedy)) => Failure::say(exit, what).help(remedy.trim()),
        None => Failure::say(exit, text),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        connection: ConnectionArgs,
    }

    fn options(args: &[&str]) -> ConnectOptions {
        let line = Line::try_parse_from([&["wash"], args].concat()).unwrap();
        line.connection.settled(None).0
    }

    #[test]
    fn host_and_port_or_a_url() {
        assert_eq!(options(&["-r", "broker", "-p", "4333"]).servers, ["nats://broker:4333"]);
        assert_eq!(options(&["--nats-url", "nats://a:1,nats://b:2"]).servers, ["nats://a:1", "nats://b:2"]);
        let with_token = options(&["--ctl-jwt", "x", "--ctl-seed", "y"]);
        assert!(matches!(with_token.credentials, Credentials::JwtSeed { .. }));
        assert!(Line::try_parse_from(["wash", "--ctl-jwt", "x"]).is_err());
        assert!(Line::try_parse_from(["wash", "-x", "a.b"]).is_err());
    }

    #[test]
    fn what_is_typed_goes_before_the_environment() {
        let (typed, set, none) =
            (Some(ValueSource::CommandLine), Some(ValueSource::EnvVariable), Some(ValueSource::DefaultValue));
        let env = |name: &str| Some(if name.ends_with("PORT") { "4555" } else { "elsewhere" }.to_owned());
        let server = |line: &[&str], url, host, port| {
            let mut flags = Line::try_parse_from([&["wash"], line].concat()).unwrap().connection.flags;
            flags.choose(url, host, port, &env).unwrap();
            flags.options(None).servers.concat()
        };
        let line = ["--nats-url", "nats://a:1", "-r", "b", "-p", "2"];
        assert_eq!(server(&line, set, set, typed), "nats://b:2");
        assert_eq!(server(&line, typed, typed, typed), "nats://a:1");
        assert_eq!(server(&line, set, none, none), "nats://a:1");
        assert_eq!(server(&line[2..], None, typed, none), "nats://b:4555");
        assert_eq!(server(&line[2..], None, none, set), "nats://elsewhere:2");
        assert!(Line::try_parse_from(["wash", "-p", "0"]).is_err());
    }

    #[test]
    fn a_context_says_what_the_flags_do_not() {
        let context = Context {
            name: "plant".into(),
            lattice: Some(LatticeName::new("plant").unwrap()),
            nats_url: Some("nats://plant:1".into()),
            ctl_credsfile: Some("/plant.creds".into()),
            js_domain: Some("plant".into()),
            ..Context::default()
        };
        let with = |args: &[&str]| {
            let line = Line::try_parse_from([&["wash"], args].concat()).unwrap();
            let (options, lattice) = line.connection.settled(Some(context.clone()));
            (options.servers.concat(), options.credentials, lattice.to_string(), options.js_domain)
        };
        let creds = |file: &str| Credentials::CredsFile(file.into());
        let (url, domain) = ("nats://plant:1".to_owned(), Some("plant".to_owned()));
        let plant = "plant".to_owned();
        assert_eq!(with(&[]), (url.clone(), creds("/plant.creds"), plant.clone(), domain.clone()));
        let other = with(&["-x", "other", "--ctl-credsfile", "/my.creds"]);
        assert_eq!(other, (url, creds("/my.creds"), "other".to_owned(), domain.clone()));
        // Where another address of the server is typed, only how to log in is taken.
        let typed = with(&["--nats-url", "nats://10.0.0.1:1"]);
        assert_eq!(
            typed,
            ("nats://10.0.0.1:1".into(), creds("/plant.creds"), "default".into(), domain.clone())
        );
        let user = with(&["--nats-url", "nats://anna:x@plant:1"]);
        assert_eq!(user.1, Credentials::None, "the URL has a user of its own");
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_and_says_what_to_do() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let line = Line::try_parse_from(["wash", "-p", &free.to_string()]).unwrap();
        let failure = line.connection.connect().await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Unreachable);
        assert!(failure.text().contains("wash up"), "{}", failure.text());
    }
}
