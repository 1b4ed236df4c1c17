//! Flags of the host, and the configuration they resolve to. Names and variables are v1's where v1 has them.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use clap::{ArgMatches, Args, FromArgMatches, parser::ValueSource};
use lattice_claims::{KeyError, KeyKind, PublicKey, Trust};
use lattice_core::{Labels, LatticeName, UserKey};
use lattice_nats::Secret;

use crate::memory::MemoryOptions;

/// Flags of the host, a group a subsystem.
#[derive(Debug, Args)]
pub struct HostArgs {
    #[command(flatten)]
    pub(crate) nats: NatsFlags,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) images: ImageArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
}

/// Secrets of the command line are hidden from the moment they are read.
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// The flags about NATS. Host and port that are typed go before a URL of the environment.
#[derive(Debug)]
pub(crate) struct NatsFlags(NatsArgs);

impl FromArgMatches for NatsFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let address = (typed("nats_host") || typed("nats_port")) && !typed("nats_url");
        let mut args = NatsArgs::from_arg_matches_mut(matches)?;
        if address {
            args.nats_url = None;
        }
        Ok(NatsFlags(args))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for NatsFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        NatsArgs::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        NatsArgs::augment_args_for_update(command)
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    /// Server to join, as nats://HOST:PORT, several joined by commas; wins over host and port
    #[arg(long, env = "WASMCLOUD_NATS_URL", value_name = "URL")]
    pub(crate) nats_url: Option<String>,
    /// Host name of the server
    #[arg(long, env = "WASMCLOUD_NATS_HOST", value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) nats_host: String,
    /// Port of the server
    #[arg(long, env = "WASMCLOUD_NATS_PORT", value_name = "PORT", default_value_t = 4222, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) nats_port: u16,
    /// Join a NATS server that asks nobody for credentials; whoever reaches it steers the lattice
    #[arg(long, env = "WASMCLOUD_OPEN")]
    pub(crate) open: bool,
    /// Credentials file (.creds)
    #[arg(long, env = "WASMCLOUD_NATS_CREDS", value_name = "FILE", conflicts_with_all = ["nats_jwt", "nats_seed"])]
    pub(crate) nats_creds: Option<PathBuf>,
    /// User token, together with --nats-seed
    #[arg(
        long,
        env = "WASMCLOUD_NATS_JWT",
        value_name = "JWT",
        requires = "nats_seed",
        hide_env_values = true, value_parser = secret
    )]
    pub(crate) nats_jwt: Option<Secret>,
    /// Seed that signs the server's challenge, together with --nats-jwt
    #[arg(
        long,
        env = "WASMCLOUD_NATS_SEED",
        value_name = "SEED",
        requires = "nats_jwt",
        hide_env_values = true, value_parser = secret
    )]
    pub(crate) nats_seed: Option<Secret>,
    /// Certificates (PEM) to trust besides those of the system, where the server speaks TLS
    #[arg(long, env = "WASMCLOUD_NATS_TLS_CA_FILE", value_name = "FILE")]
    pub(crate) nats_tls_ca_file: Option<PathBuf>,
    /// Key that signs the credentials of provider processes [default: providers-LATTICE.key beside the credentials file]
    #[arg(long, env = "WASMCLOUD_PROVIDER_SIGNING_KEY", value_name = "FILE")]
    pub(crate) provider_signing_key: Option<PathBuf>,
    /// How long the credentials of a provider process count, in seconds; they are renewed at half of it
    #[arg(long, env = "WASMCLOUD_PROVIDER_TOKEN_SECONDS", value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) provider_token_seconds: u64,
    /// JetStream domain that keeps the lattice's state
    #[arg(long, env = "WASMCLOUD_JS_DOMAIN", value_name = "DOMAIN")]
    pub(crate) js_domain: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Place in the lattice")]
pub(crate) struct PlaceArgs {
    /// Lattice to join
    #[arg(short = 'x', long, env = "WASMCLOUD_LATTICE", default_value = "default")]
    pub(crate) lattice: LatticeName,
    /// Label for placement, KEY=VALUE; may be repeated
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<Labels>,
    /// Seed of the host's key (SN…) instead of the one in the data folder
    #[arg(long, env = "WASMCLOUD_HOST_SEED", value_name = "SEED", hide_env_values = true, value_parser = secret)]
    pub(crate) host_seed: Option<Secret>,
    /// Folder for the host's key and state [default: $XDG_DATA_HOME/wasmcloud or ~/.local/share/wasmcloud]
    #[arg(long, env = "WASMCLOUD_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Join a lattice that has hosts of wasmCloud 1.x: links, configurations and claims are left to them
    #[arg(long, env = "WASMCLOUD_BESIDE_V1")]
    pub(crate) beside_v1: bool,
    /// Manifest to run on this host
    #[arg(short, long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Begin empty: what this host remembers of the lattice, and what was started on it, is moved away
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Remember nothing: neither restore what was started here before, nor keep what is started now
    #[arg(long, env = "WASMCLOUD_EPHEMERAL")]
    pub(crate) ephemeral: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArgs {
    /// Account key (A…) whose signature counts; may be repeated
    #[arg(long, env = "WASMCLOUD_TRUST", value_name = "ACCOUNT", value_delimiter = ',')]
    pub(crate) trust: Vec<String>,
    /// User key (U…) that says whom the lattice trusts, and who may command what; may be repeated. Give all hosts of a lattice the
    /// same
    #[arg(long = "admin", env = "WASMCLOUD_ADMINS", value_name = "USER", value_delimiter = ',')]
    pub(crate) admins: Vec<String>,
    /// Refuse every command that is not signed by a key with a role, whoever may publish it on NATS
    #[arg(long, env = "WASMCLOUD_REQUIRE_SIGNED_CONTROL")]
    pub(crate) require_signed_control: bool,
    /// Folder or file that provider processes do not see, besides those of this host and of `wash`; may be repeated
    #[arg(long, env = "WASMCLOUD_HIDE", value_name = "PATH", value_delimiter = ':')]
    pub(crate) hide: Vec<PathBuf>,
    /// Let provider processes see the files of this host: its folders, keys and credentials. Shown in the host's status
    #[arg(long, env = "WASMCLOUD_UNCONFINED_PROVIDERS")]
    pub(crate) unconfined_providers: bool,
    /// For development: start actors that nobody signed. Shown in the host's status
    #[arg(long, env = "WASMCLOUD_ALLOW_UNSIGNED")]
    pub(crate) allow_unsigned: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Images")]
pub(crate) struct ImageArgs {
    /// Registries to be spoken to in plain HTTP, HOST[:PORT], joined by commas; localhost always is
    #[arg(long, env = "WASMCLOUD_OCI_ALLOWED_INSECURE", value_name = "REGISTRY", value_delimiter = ',')]
    pub(crate) allowed_insecure: Vec<String>,
    /// Take images by the tag `latest` or by none
    #[arg(long, env = "WASMCLOUD_OCI_ALLOW_LATEST")]
    pub(crate) allow_latest: bool,
    /// Registry that --oci-user and --oci-password are for
    #[arg(long, env = "WASMCLOUD_OCI_REGISTRY", value_name = "REGISTRY", requires = "oci_user")]
    pub(crate) oci_registry: Option<String>,
    /// User name for --oci-registry
    #[arg(long, env = "WASMCLOUD_OCI_USER", value_name = "USER", requires_all = ["oci_registry", "oci_password"])]
    pub(crate) oci_user: Option<String>,
    /// Password for --oci-registry
    #[arg(
        long,
        env = "WASMCLOUD_OCI_PASSWORD",
        value_name = "PASSWORD",
        requires = "oci_user",
        hide_env_values = true, value_parser = secret
    )]
    pub(crate) oci_password: Option<Secret>,
    /// Folder for fetched images and compiled code [default: $XDG_CACHE_HOME/wasmcloud or ~/.cache/wasmcloud]
    #[arg(long, env = "WASMCLOUD_CACHE_DIR", value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Start files of this machine when a control command names them; a manifest given with -m always may
    #[arg(long, env = "WASMCLOUD_ALLOW_FILE_LOAD")]
    pub(crate) allow_file_load: bool,
    /// Largest image of an actor, in bytes
    #[arg(long, env = "WASMCLOUD_MAX_COMPONENT_SIZE", value_name = "BYTES", default_value_t = 50 << 20)]
    pub(crate) max_component_size_bytes: u64,
    /// Largest archive of a provider, in bytes
    #[arg(long, env = "WASMCLOUD_MAX_PROVIDER_SIZE", value_name = "BYTES", default_value_t = 256 << 20)]
    pub(crate) max_provider_size_bytes: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Memory of one instance, in bytes: the most an actor may ask for, and what it gets if it asks for nothing
    #[arg(long, env = "WASMCLOUD_MAX_LINEAR_MEMORY", value_name = "BYTES", default_value_t = 256 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_linear_memory_bytes: u64,
    /// Time of one invocation, in milliseconds: the most, and what an actor gets if it asks for nothing
    #[arg(long, env = "WASMCLOUD_MAX_EXECUTION_TIME_MS", value_name = "MS", default_value_t = 600_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_execution_time_ms: u64,
    /// Processor time of one invocation, in milliseconds: the most, and what an actor gets if it asks for nothing
    #[arg(long, env = "WASMCLOUD_MAX_CPU_TIME_MS", value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_cpu_time_ms: u64,
    /// Memory of all instances together, in bytes [default: half of this machine's]
    #[arg(long, env = "WASMCLOUD_MAX_HOST_MEMORY", value_name = "BYTES")]
    pub(crate) max_host_memory_bytes: Option<u64>,
    /// Run components of WASI 0.3, which the engine calls experimental
    #[arg(long, env = "WASMCLOUD_WASIP3")]
    pub(crate) wasip3: bool,
    /// Longest wait for calls in flight when the host stops, in seconds
    #[arg(long, env = "WASMCLOUD_DRAIN_TIMEOUT", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) drain_timeout: u64,
    /// Time between heartbeats, in seconds
    #[arg(long, env = "WASMCLOUD_HEARTBEAT_INTERVAL", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) heartbeat_interval_seconds: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LoggingArgs {
    /// What to log: a level, or directives as in info,lattice_runtime=debug
    #[arg(long, env = "WASMCLOUD_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// Log in JSON
    #[arg(long, env = "WASMCLOUD_STRUCTURED_LOGGING_ENABLED")]
    pub(crate) enable_structured_logging: bool,
}

/// Why flags do not make a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An issuer is not an account key.
    #[error("--trust: {0}; `wash keys list` shows yours")]
    Trust(#[from] KeyError),
    /// An admin is not a user key.
    #[error("--admin: {0}; `wash keys list` shows yours, `wash keys gen user --name NAME` makes one")]
    Admin(#[source] KeyError),
    /// Commands have to be signed, and there is nobody who could give a role to whoever signs.
    #[error(
        "--require-signed-control without --admin: nobody could command this host; name an admin with --admin USER \
         (`wash keys gen user --name NAME` makes a key)"
    )]
    NoAdmin,
    /// Neither flag nor environment says where to keep things.
    #[error("no folder for {what}: HOME is not set; name one with {flag}")]
    NoFolder {
        /// What it is for.
        what: &'static str,
        /// The flag that names one.
        flag: &'static str,
    },
}

/// What a host is to do, resolved once.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostConfig {
    pub(crate) nats: NatsArgs,
    pub(crate) lattice: LatticeName,
    pub(crate) labels: Labels,
    pub(crate) beside_v1: bool,
    pub(crate) host_seed: Option<Secret>,
    pub(crate) data_dir: PathBuf,
    pub(crate) cache_dir: PathBuf,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) memory: MemoryOptions,
    pub(crate) trust: Trust,
    pub(crate) admins: BTreeSet<UserKey>,
    pub(crate) require_signed_control: bool,
    pub(crate) hide: Vec<PathBuf>,
    pub(crate) unconfined_providers: bool,
    pub(crate) allow_unsigned: bool,
    pub(crate) images: ImageArgs,
    pub(crate) limits: LimitArgs,
    pub(crate) drain: Duration,
    pub(crate) heartbeat: Duration,
}

impl HostConfig {
    /// The same for a further life of a host: it begins with what is remembered.
    pub(crate) fn again(mut self) -> Self {
        self.memory.fresh = false;
        self
    }
}

impl HostArgs {
    /// What to log, and whether in JSON: needed before anything else, since resolving already logs.
    #[must_use]
    pub fn logging(&self) -> (&str, bool) {
        (&self.logging.log_level, self.logging.enable_structured_logging)
    }

    /// Resolves flags to a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the flag that is wrong.
    pub fn resolve(self) -> Result<HostConfig, ConfigError> {
        let mut labels = Labels::hostcore();
        for given in self.place.labels {
            labels.0.extend(given.0);
        }
        let data_dir =
            folder(self.place.data_dir, "XDG_DATA_HOME", ".local/share", "the host's key", "--data-dir")?;
        let cache_dir = folder(
            self.images.cache_dir.clone(),
            "XDG_CACHE_HOME",
            ".cache",
            "fetched images",
            "--cache-dir",
        )?;
        // A variable that is set to nothing names nobody.
        let named = self.trust.trust.iter().filter(|account| !account.is_empty());
        let admins = admins(&self.trust.admins)?;
        if self.trust.require_signed_control && admins.is_empty() {
            return Err(ConfigError::NoAdmin);
        }
        Ok(HostConfig {
            nats: self.nats.0,
            lattice: self.place.lattice,
            labels,
            beside_v1: self.place.beside_v1,
            host_seed: self.place.host_seed,
            data_dir,
            cache_dir,
            manifest: self.place.manifest,
            memory: MemoryOptions { ephemeral: self.place.ephemeral, fresh: self.place.fresh },
            trust: Trust::accounts(named)?,
            admins,
            require_signed_control: self.trust.require_signed_control,
            hide: self.trust.hide,
            unconfined_providers: self.trust.unconfined_providers,
            allow_unsigned: self.trust.allow_unsigned,
            images: self.images,
            drain: Duration::from_secs(self.limits.drain_timeout),
            heartbeat: Duration::from_secs(self.limits.heartbeat_interval_seconds),
            limits: self.limits,
        })
    }
}

fn admins(given: &[String]) -> Result<BTreeSet<UserKey>, ConfigError> {
    let key = |text: &String| {
        let key = PublicKey::of_kind(text, KeyKind::User).map_err(ConfigError::Admin)?;
        Ok(UserKey::new(key.as_str()).expect("a user's key has the shape of one"))
    };
    given.iter().filter(|text| !text.is_empty()).map(key).collect()
}

fn folder(
    given: Option<PathBuf>,
    variable: &str,
    below_home: &str,
    what: &'static str,
    flag: &'static str,
) -> Result<PathBuf, ConfigError> {
    if let Some(given) = given {
        return Ok(given);
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|base| base.join("wasmcloud"))
        .ok_or(ConfigError::NoFolder { what, flag })
}
