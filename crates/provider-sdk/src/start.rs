//! From a process to a provider: input, log, connection, calls; and back.

use std::{fmt::Display, process::ExitCode, sync::Arc, time::Duration};

use lattice_contracts::{InvocationIds, Provider, ProviderContext};
use lattice_core::{EntityId, HostId, LatticeName, ProviderId};
use lattice_nats::{Calls, ConnectError, ConnectOptions, Connection, Credentials, DEFAULT_SERVER, HostLine};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    RunError,
    life::Life,
    links::Links,
    logging,
    renewal::Renewal,
    stdin::Input,
    wire::{HostData, PROTOCOL},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two attempts to reach a NATS server that is not there.
const CONNECT_PAUSE: Duration = Duration::from_millis(500);
/// What work that cannot be broken off may take when the process ends.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// The lattice that a provider process has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its name.
    pub lattice: LatticeName,
    /// How this process is connected to its NATS: with credentials of its own, if its host could sign any. They let it be itself, and
    /// touch no bucket.
    pub options: ConnectOptions,
}

/// Runs a provider until its host says that it shall end, or is gone. `make` makes it, once there is a connection to the lattice.
///
/// The exit code is that of success after a stop in order. Else the reason stands on standard error, from where the host takes it.
pub fn run<P, E>(make: impl FnOnce(ProviderContext) -> Result<Arc<P>, E>) -> ExitCode
where
    P: Provider + 'static,
    E: Display,
{
    run_joined(async |context, _| make(context))
}

/// As [`run`], for a provider that waits for something while it is made, or needs to know which lattice it has joined. A host gives a
/// process 30 s until it takes calls.
pub fn run_joined<P, E>(make: impl AsyncFnOnce(ProviderContext, Joined) -> Result<Arc<P>, E>) -> ExitCode
where
    P: Provider + 'static,
    E: Display,
{
    // Two TLS providers could be compiled in; rustls panics unless one is chosen first.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("provider").build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(live(make));
    runtime.shutdown_timeout(BLOCKING_GRACE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whose process it is.
pub(crate) struct Me {
    pub(crate) lattice: LatticeName,
    pub(crate) id: ProviderId,
    pub(crate) host: HostId,
    pub(crate) instance: String,
}

impl Me {
    fn of(data: &HostData) -> Result<Self, RunError> {
        let unusable = |what, why: String| RunError::Unusable { what, why };
        if data.protocol != Some(PROTOCOL) {
            return Err(RunError::Protocol { theirs: data.protocol });
        }
        Ok(Self {
            lattice: LatticeName::new(&data.lattice_rpc_prefix)
                .map_err(|error| unusable("the lattice's name", error.to_string()))?,
            id: ProviderId::new(&data.provider_key)
                .map_err(|error| unusable("the provider's id", error.to_string()))?,
            host: HostId::new(&data.host_id).map_err(|error| unusable("the host's id", error.to_string()))?,
            instance: data.instance_id.clone(),
        })
    }
}

async fn live<P, E>(
    make: impl AsyncFnOnce(ProviderContext, Joined) -> Result<Arc<P>, E>,
) -> Result<(), RunError>
where
    P: Provider + 'static,
    E: Display,
{
    let mut input = Input::open()?;
    let data = input.host_data().await?;
    logging::init(&data);
    let me = Me::of(&data)?;
    let lifeline = input.lifeline(&data);
    let renewal = Renewal::new(&data)?;
    let options = options(&me, &data, &renewal);
    let Some(connection) = connect(&options, &lifeline).await? else { return Ok(()) };
    let calls = Calls::open(&connection, &me.lattice, &EntityId::from(me.id.clone())).await?;
    let line = HostLine::open(&connection, &me.lattice, &me.id, &me.host).await?;
    let links = Arc::new(Links::new());
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    let context = ProviderContext {
        id: me.id.clone(),
        config: data.config.clone(),
        report: links.clone(),
        ids: Arc::new(InvocationIds::new(high ^ low.rotate_left(32))),
        tasks: tasks.clone(),
        cancel: cancel.clone(),
    };
    let made = tokio::select! {
        made = make(context, Joined { lattice: me.lattice.clone(), options }) => made,
        () = lifeline.cancelled() => return Ok(()),
    };
    let provider: Arc<dyn Provider> = made.map_err(|error| RunError::Made(error.to_string()))?;
    info!(provider = %me.id, lattice = %me.lattice, "provider runs");
    let life = Life { me, provider, links, renewal, calls, connection, tasks, cancel, lifeline };
    life.run(line, input, data.link_definitions).await
}

/// How to reach the lattice, and who to be there.
fn options(me: &Me, data: &HostData, renewal: &Renewal) -> ConnectOptions {
    let url = if data.lattice_rpc_url.is_empty() { DEFAULT_SERVER } else { &data.lattice_rpc_url };
    let mut options =
        ConnectOptions::to(url).named(format!("provider {}", me.id)).as_host(&me.lattice, &me.host);
    options.tls.ca_file = data.lattice_rpc_tls_ca_file.as_ref().map(Into::into);
    if let Some(newest) = renewal.newest() {
        options.credentials = Credentials::Renewable(newest);
    }
    options
}

/// Connects as soon as a NATS server is there; none if the host went first.
async fn connect(
    options: &ConnectOptions,
    lifeline: &CancellationToken,
) -> Result<Option<Connection>, RunError> {
    let mut told = false;
    loop {
        match Connection::connect(options.clone(), CONNECT_WITHIN).await {
            Ok(connection) => return Ok(Some(connection)),
            Err(error) if error.is_retryable() => tell_once(&mut told, &error),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = lifeline.cancelled() => return Ok(None),
            () = tokio::time::sleep(CONNECT_PAUSE) => {}
        }
    }
}

fn tell_once(told: &mut bool, error: &ConnectError) {
    if !std::mem::replace(told, true) {
        warn!(%error, "no lattice in reach yet; it is tried again");
    }
}
