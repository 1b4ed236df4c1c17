//! The parts of a host that are made from flags alone.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use lattice_code_cache::{CacheConfig, CodeCache, Status};
use lattice_core::HostId;
use lattice_manifest::Manifest;
use lattice_nats::{ConnectOptions, Connection, Credentials};
use lattice_registry::{FetchConfig, Fetcher};
use lattice_runtime::{Runtime, RuntimeConfig};
use tracing::warn;

use super::{confinement, credentials};
use crate::{
    about::About,
    config::HostConfig,
    generations,
    identity::Identity,
    memory::{Memory, Server},
    providers::Access,
};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A server that was just started may not have its JetStream yet.
const CHECK_AGAIN: Duration = Duration::from_secs(1);
const CODE_CACHE_BYTES: u64 = 2 << 30;

/// Connects; or, where this host remembers something that it can serve meanwhile, as soon as a server is there.
pub(super) async fn connect(options: ConnectOptions, remembers: bool) -> anyhow::Result<Connection> {
    match Connection::connect(options.clone(), CONNECT_WITHIN).await {
        Ok(connection) => Ok(connection),
        Err(error) if remembers && error.is_retryable() => {
            warn!(%error, "no lattice in reach: what was started here is served from what this host remembers until it is");
            Ok(Connection::connect_later(options, CONNECT_WITHIN).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whoever reaches the server would steer the lattice, and nobody said that this shall be so.
#[derive(Debug, thiserror::Error)]
#[error(
    "the NATS server at {servers} asks nobody for credentials, so whoever reaches it would steer the lattice; give it credentials \
     (`wash nats init` makes them, and `wash up` a server with them), or join it all the same with --open"
)]
struct Open {
    servers: String,
}

/// Makes sure that this host may join: the server will do, and the lattice is not somebody else's. What an operator should
/// know of it is the answer.
pub(super) async fn may_join(connection: &Connection, config: &HostConfig) -> anyhow::Result<Option<String>> {
    check_nats(connection, config).await?;
    Ok(generations::look(connection, &config.lattice, config.beside_v1).await?)
}

/// Waits until NATS is there, and then as [`may_join`].
pub(super) async fn join_late(connection: &Connection, config: &HostConfig) -> anyhow::Result<()> {
    wait_for_nats(connection, config).await;
    if let Some(notice) = may_join(connection, config).await? {
        warn!(notice, "notice");
    }
    Ok(())
}

async fn check_nats(connection: &Connection, config: &HostConfig) -> anyhow::Result<()> {
    connection.check_server()?;
    if connection.is_open_to_anybody() && !config.nats.open {
        return Err(Open { servers: connection.shown_servers() }.into());
    }
    Ok(connection.check_jetstream(CONNECT_WITHIN).await?)
}

/// Waits until NATS is there, and will do.
async fn wait_for_nats(connection: &Connection, config: &HostConfig) {
    let mut connected = connection.connected();
    loop {
        // It fails when the connection is closed, which nobody does yet.
        let _ = connected.wait_for(|connected| *connected).await;
        match check_nats(connection, config).await {
            Ok(()) => return,
            Err(error) => warn!(%error, again_in = ?CHECK_AGAIN, "the lattice cannot be joined yet"),
        }
        tokio::time::sleep(CHECK_AGAIN).await;
    }
}

/// Which NATS, and who to be there.
pub(super) fn nats_options(config: &HostConfig, host: &HostId) -> ConnectOptions {
    let nats = &config.nats;
    let servers =
        nats.nats_url.clone().unwrap_or_else(|| format!("nats://{}:{}", nats.nats_host, nats.nats_port));
    let mut options =
        ConnectOptions::to(&servers).named(format!("wasmcloud {host}")).as_host(&config.lattice, host);
    options.js_domain.clone_from(&nats.js_domain);
    options.tls.ca_file.clone_from(&nats.nats_tls_ca_file);
    options.credentials = match (&nats.nats_creds, &nats.nats_jwt, &nats.nats_seed) {
        (Some(file), ..) => Credentials::CredsFile(file.clone()),
        (None, Some(jwt), Some(seed)) => {
            Credentials::JwtSeed { jwt: jwt.reveal().to_owned(), seed: seed.clone() }
        }
        _ => credentials::of_wash_up(&config.data_dir, &servers, &config.lattice)
            .map_or(Credentials::None, Credentials::CredsFile),
    };
    options
}

/// The folder in which this host remembers the lattice that it joins.
pub(super) fn memory(
    config: &HostConfig,
    identity: &Identity,
    options: &ConnectOptions,
) -> anyhow::Result<Memory> {
    let server = Server::new(&options.shown(), config.nats.js_domain.as_deref());
    Memory::open(&identity.dir, &config.lattice, &server, config.memory)
}

pub(super) fn about(
    config: &HostConfig,
    host: &HostId,
    connection: &Connection,
    manifest: Option<&Manifest>,
) -> About {
    let mut labels = config.labels.clone();
    if let Some(manifest) = manifest {
        // Flags win: they were typed for this start.
        let own = manifest.labels().0.iter().filter(|(key, _)| !config.labels.0.contains_key(*key));
        labels.0.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    }
    let notices = notices(config);
    let server = connection.shown_servers();
    About::new(host.clone(), config.lattice.clone(), labels, config.nats.js_domain.clone(), server, notices)
}

fn notices(config: &HostConfig) -> Vec<String> {
    let lattice = &config.lattice;
    let unsigned =
        || format!("unsigned actors are allowed on this host of lattice {lattice} (--allow-unsigned)");
    config.allow_unsigned.then(unsigned).into_iter().chain(confinement::notice(config)).collect()
}

/// The engine, with compiled code of earlier starts. A cache that cannot be used costs time, not the start.
pub(super) fn engine(config: &HostConfig) -> anyhow::Result<Runtime> {
    let cache = CodeCache::open(CacheConfig {
        dir: config.cache_dir.join("code"),
        // Outside the cache folder: who can write there must not be able to vouch for what is written.
        key_file: config.data_dir.join("code.key"),
        max_bytes: CODE_CACHE_BYTES,
    });
    if let Status::Unused(why) = cache.status() {
        warn!(%why, "compiled code is not kept, so every start compiles");
    }
    let runtime = Runtime::new(RuntimeConfig {
        wasip3: config.limits.wasip3,
        host_memory_bytes: config.limits.max_host_memory_bytes,
        memory_bytes_max: config.limits.max_linear_memory_bytes,
        cache: Some(cache),
        ..RuntimeConfig::default()
    });
    runtime.context("the WebAssembly engine does not start")
}

/// How provider processes reach the same NATS, and who they are there.
pub(super) fn access(config: &HostConfig, options: &ConnectOptions) -> anyhow::Result<Access> {
    let (file, lasts) = (config.nats.provider_signing_key.as_deref(), config.nats.provider_token_seconds);
    Ok(Access::new(options, &config.lattice, file, Duration::from_secs(lasts))?)
}

/// Where the programs of provider processes lie.
pub(super) fn programs(config: &HostConfig) -> PathBuf {
    let folder = config.cache_dir.join("providers");
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Where images of actors come from.
pub(super) fn fetcher(config: &HostConfig) -> anyhow::Result<Arc<Fetcher>> {
    fetcher_up_to(config, config.images.max_component_size_bytes)
}

/// Where archives of providers come from.
pub(super) fn provider_fetcher(config: &HostConfig) -> anyhow::Result<Arc<Fetcher>> {
    fetcher_up_to(config, config.images.max_provider_size_bytes)
}

fn fetcher_up_to(config: &HostConfig, bytes_max: u64) -> anyhow::Result<Arc<Fetcher>> {
    let images = &config.images;
    let credentials = images.oci_user.as_ref().map(|user| lattice_registry::Credentials {
        registry: images.oci_registry.clone(),
        user: user.clone(),
        password: lattice_registry::Secret::new(
            images.oci_password.as_ref().map_or("", |password| password.reveal()),
        ),
    });
    let fetcher = Fetcher::new(FetchConfig {
        cache_dir: Some(config.cache_dir.join("oci")),
        allowed_insecure: images.allowed_insecure.clone(),
        allow_latest: images.allow_latest,
        credentials,
        artifact_bytes_max: bytes_max,
        ..FetchConfig::default()
    });
    Ok(Arc::new(fetcher.context("images cannot be fetched")?))
}
