//! What `wash up` can be told.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgMatches, parser::ValueSource};
use lattice_core::{Labels, LatticeName};

use super::access::Access;
use crate::failure::{Failure, Outcome};

/// Start a lattice on this machine: a NATS server, where none runs, and a host.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash up -m manifests/quickstart.yaml       a lattice with the actors of a manifest, until Ctrl-C
  wash up -d                                 in the background, until `wash down`
  wash up --nats-url nats://broker:4222 --nats-creds host.creds      a host that joins a lattice elsewhere
  wash up --nats-dir ~/hub                   on a NATS of your own, see wash nats init
  wash up -- --max-execution-time-ms 5000    flags after `--` go to the host as they are")]
pub(crate) struct Args {
    /// Manifest for the host to run
    #[arg(short, long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    /// Start in the background, and return when all is ready
    #[arg(short, long)]
    pub(super) detached: bool,
    /// Lattice to join [default: default, or that of --nats-dir]
    #[arg(short = 'x', long, visible_alias = "lattice-prefix", env = "WASMCLOUD_LATTICE")]
    pub(super) lattice: Option<LatticeName>,
    /// Longest wait until the host is ready, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 90_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(super) wait_timeout_ms: u64,
    #[command(flatten)]
    pub(super) nats: NatsFlags,
    #[command(flatten)]
    pub(super) host: HostArgs,
}

/// The flags about NATS. A port that is typed goes before a URL of the environment.
#[derive(Debug)]
pub(super) struct NatsFlags(NatsArgs);

impl std::ops::Deref for NatsFlags {
    type Target = NatsArgs;

    fn deref(&self) -> &NatsArgs {
        &self.0
    }
}

impl clap::FromArgMatches for NatsFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let port_alone = typed("nats_port") && !typed("nats_url");
        let mut args = NatsArgs::from_arg_matches_mut(matches)?;
        if port_alone {
            args.nats_url = None;
        }
        Ok(NatsFlags(args))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for NatsFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        NatsArgs::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        NatsArgs::augment_args_for_update(command)
    }
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "NATS")]
pub(super) struct NatsArgs {
    /// Join the server at this URL instead of starting one
    #[arg(long, visible_alias = "nats-remote-url", env = "WASMCLOUD_NATS_URL", value_name = "URL")]
    pub(super) nats_url: Option<String>,
    /// Only join: fail where no server runs
    #[arg(long)]
    pub(super) nats_connect_only: bool,
    /// The nats-server to start [default: the first in PATH that is new enough]
    #[arg(long, env = "NATS_SERVER", value_name = "FILE")]
    pub(super) nats_server: Option<PathBuf>,
    /// Port for the server on 127.0.0.1; one that answers there already is used
    #[arg(long, env = "WASMCLOUD_NATS_PORT", value_name = "PORT", default_value_t = 4222, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) nats_port: u16,
    /// Credentials file (.creds) for the host
    #[arg(long, visible_alias = "nats-creds", env = "WASMCLOUD_NATS_CREDS", value_name = "FILE")]
    pub(super) nats_credsfile: Option<PathBuf>,
    /// Start, or join, the server of this folder, which `wash nats init` made
    #[arg(long, env = "WASH_NATS_DIR", value_name = "DIR", conflicts_with_all = ["nats_url", "open"])]
    pub(super) nats_dir: Option<PathBuf>,
    /// Without credentials: whoever reaches the server steers the lattice
    #[arg(long, env = "WASMCLOUD_OPEN")]
    pub(super) open: bool,
    /// JetStream domain that keeps the lattice's state
    #[arg(long, visible_alias = "nats-js-domain", env = "WASMCLOUD_JS_DOMAIN", value_name = "DOMAIN")]
    pub(super) js_domain: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Host")]
pub(super) struct HostArgs {
    /// The host program [default: the one beside wash, then PATH]
    #[arg(long, env = "WASMCLOUD_HOST_PATH", value_name = "FILE")]
    pub(super) wasmcloud: Option<PathBuf>,
    /// Folder for state, logs and the NATS store [default: $XDG_DATA_HOME/wasmcloud or ~/.local/share/wasmcloud]
    #[arg(long, env = "WASMCLOUD_DATA_DIR", value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Account key (A…) whose signature counts, besides your own; may be repeated
    #[arg(long, env = "WASMCLOUD_TRUST", value_name = "ACCOUNT", value_delimiter = ',')]
    pub(super) trust: Vec<String>,
    /// Folder of your own keys; its accounts are trusted [default: ~/.wash/keys]
    #[arg(long, env = "WASH_KEYS", value_name = "DIR")]
    pub(super) keys_dir: Option<PathBuf>,
    /// For development: start actors that nobody signed
    #[arg(long, env = "WASMCLOUD_ALLOW_UNSIGNED")]
    pub(super) allow_unsigned: bool,
    /// Label for placement, KEY=VALUE; may be repeated
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub(super) labels: Vec<Labels>,
    /// Seed of the host's key (SN…) instead of the one in the data folder
    #[arg(long, env = "WASMCLOUD_HOST_SEED", value_name = "SEED", hide_env_values = true)]
    pub(super) host_seed: Option<String>,
    /// Registries to be spoken to in plain HTTP, joined by commas; localhost always is
    #[arg(long, env = "WASMCLOUD_OCI_ALLOWED_INSECURE", value_name = "REGISTRY", value_delimiter = ',')]
    pub(super) allowed_insecure: Vec<String>,
    /// Take images by the tag `latest` or by none
    #[arg(long, env = "WASMCLOUD_OCI_ALLOW_LATEST")]
    pub(super) allow_latest: bool,
    /// Run components of WASI 0.3, which the engine calls experimental
    #[arg(long, env = "WASMCLOUD_WASIP3")]
    pub(super) wasip3: bool,
    /// Begin empty: what the host remembers of the lattice, and what was started on it, is moved away
    #[arg(long)]
    pub(super) fresh: bool,
    /// The host remembers nothing: neither restores what was started before, nor keeps what is started now
    #[arg(long, env = "WASMCLOUD_EPHEMERAL")]
    pub(super) ephemeral: bool,
    /// What the host logs: a level, or directives as in info,lattice_runtime=debug
    #[arg(long, env = "WASMCLOUD_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub(super) log_level: String,
    /// Further flags of `wasmcloud`, as they are
    #[arg(last = true, value_name = "HOST FLAGS")]
    pub(super) rest: Vec<OsString>,
}

impl Args {
    /// The lattice to join.
    pub(super) fn lattice(&self) -> LatticeName {
        self.lattice.clone().unwrap_or_default()
    }

    /// How long the host may take until it is ready; on a small board it builds its engine meanwhile.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.wait_timeout_ms)
    }

    /// The host's flags.
    pub(super) fn host_args(&self, trusted: &[String]) -> Outcome<Vec<OsString>> {
        let mut args: Vec<OsString> = Vec::new();
        let mut give = |flag: &str, value: OsString| args.extend([flag.into(), value]);
        if let Some(file) = &self.manifest {
            let file = std::path::absolute(file).map_err(|error| {
                Failure::refused(error).context(format!("no such file: {}", file.display()))
            })?;
            give("--manifest", file.into());
        }
        for account in trusted {
            give("--trust", account.into());
        }
        for (key, value) in self.host.labels.iter().flat_map(|labels| &labels.0) {
            give("--label", format!("{key}={value}").into());
        }
        if let Some(domain) = &self.nats.js_domain {
            give("--js-domain", domain.into());
        }
        for registry in &self.host.allowed_insecure {
            give("--allowed-insecure", registry.into());
        }
        give("--log-level", (&self.host.log_level).into());
        let switches = [
            ("--allow-unsigned", self.host.allow_unsigned),
            // The host is the user's own, on the user's machine.
            ("--allow-file-load", true),
            ("--allow-latest", self.host.allow_latest),
            ("--wasip3", self.host.wasip3),
            ("--fresh", self.host.fresh),
            ("--ephemeral", self.host.ephemeral),
            ("--open", self.nats.open),
        ];
        args.extend(switches.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag.into()));
        args.extend(self.host.rest.iter().cloned());
        Ok(args)
    }

    /// What the host gets beside its flags: secrets do not belong into a list of processes. Credentials that are given go before
    /// those that are made.
    pub(super) fn host_env(&self, access: &Access) -> Vec<(&'static str, OsString)> {
        let seed = self.host.host_seed.as_ref().map(|seed| ("WASMCLOUD_HOST_SEED", seed.into()));
        let creds = self.nats.nats_credsfile.as_ref().or(access.host.as_ref());
        let creds = creds.map(|file| ("WASMCLOUD_NATS_CREDS", file.into()));
        let ca = access.ca.as_ref().map(|file| ("WASMCLOUD_NATS_TLS_CA_FILE", file.into()));
        let mut env: Vec<_> = seed.into_iter().chain(creds).chain(ca).collect();
        let secret = [&access.secret, &access.signing_key, &self.host.keys_dir].into_iter().flatten();
        // A path with a colon cannot be said in a list; the others can.
        let secret = std::env::join_paths(secret.filter(|path| std::env::join_paths([path]).is_ok()));
        env.extend(secret.ok().filter(|list| !list.is_empty()).map(|list| ("WASMCLOUD_HIDE", list)));
        if !access.admins.is_empty() {
            env.push(("WASMCLOUD_REQUIRE_SIGNED_CONTROL", "true".into()));
            env.push(("WASMCLOUD_ADMINS", access.admins.join(",").into()));
        }
        env
    }
}
