//! Putting a host together, part by part, in the order in which each needs the one before.

mod credentials;
mod parts;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lattice_contracts::InvocationIds;
use lattice_control_interface::events::HostStarted;
use lattice_core::EntityId;
use lattice_manifest::Manifest;
use lattice_nats::{Calls, Connection, EventPublisher, Secret};
use lattice_runtime::Runtime;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tracing::{info, warn};

use crate::{
    about::About,
    actors::{Actors, Callees, Crew, DefaultLimits, Starter},
    calls::{Door, Lines, Remote, RemoteParts, Server},
    config::HostConfig,
    ctl::{ControlTask, Ctl},
    directory::Directory,
    events::Events,
    heartbeat,
    identity::Identity,
    inventory::Inventory,
    lattice::Lattice,
    links::Router,
    manifest::{Applier, read},
    memory::{Record, Restorer},
    own_fact::{self, Life},
    presence::{Presence, PresenceParts},
    providers::{Builtins, Providers},
    reach::Reach,
    shutdown::{self, Parts, StopRequest},
    signal::Changed,
    states,
    supervisor::Tasks,
};

/// Signals this close together are one wish to stop: a terminal and a supervisor often send one each.
const ONE_WISH: Duration = Duration::from_millis(200);

/// Why a host stopped.
#[derive(Debug)]
pub enum StopReason {
    /// Somebody asked, by signal or control command.
    Asked(String),
    /// Something without which it is no host ended.
    Broken(String),
}

/// A host that answers its control subjects.
pub struct Host {
    parts: Parts,
    stop: StopRequest,
    drain: Duration,
}

impl Host {
    /// Starts a host and returns once it answers. Its manifest is being applied then.
    ///
    /// # Errors
    /// With context that says which step failed and why: the manifest, the key, NATS, the engine.
    pub async fn start(config: HostConfig) -> anyhow::Result<Self> {
        // Before anything is touched: a manifest that cannot be run starts nothing.
        let manifest = config.manifest.as_deref().map(read).transpose()?;
        let identity = Identity::take(&config.data_dir, config.host_seed.as_ref().map(Secret::reveal))?;
        let host = identity.id.clone();
        let (tasks, changed) = (Tasks::new(), Changed::new());
        let options = parts::nats_options(&config, &host);
        let memory = parts::memory(&config, &identity, &options)?;
        let record = Record::open(&memory, &tasks)?;
        let connection = parts::connect(options, !record.started().is_empty()).await?;
        let is_in_reach = connection.is_connected();
        // Before anything is written: where it may not join, it leaves no trace.
        let met = if is_in_reach { parts::may_join(&connection, &config).await? } else { None };
        let lattice = Lattice::open(&connection, &config.lattice, &host, &memory, &changed, &tasks)
            .await
            .with_context(|| format!("cannot read the state of lattice {}", config.lattice))?;
        let runtime = parts::engine(&config)?;
        let mut about = parts::about(&config, &host, &connection, manifest.as_ref());
        about.notices.extend(met);
        let about = Arc::new(about);
        let events = Events(Arc::new(EventPublisher::new(&connection, &config.lattice, &host)));

        let life = Life::begin(lattice.view().hosts.get(&host).map(|told| told.epoch));
        let directory = Directory::new(host.clone(), lattice.clone());
        let reach = Reach::default();
        let ground = Ground { about, events, lattice, directory, reach, tasks, connection, changed };
        let (workloads, inventory) = ground.workloads(&config, runtime)?;
        let Ground { about, events, lattice, directory, reach, tasks, connection, changed } = ground;
        let beat = heartbeat::beat(inventory.clone(), events.clone(), config.heartbeat, tasks.stop_token());
        tasks.spawn_core("routes", workloads.router.clone().keep(tasks.stop_token()));
        tasks.spawn_core("states", states::tell(inventory.clone(), events.clone(), tasks.stop_token()));
        tasks.spawn_core("heartbeat", beat);
        let epoch = life.epoch;
        tasks.spawn_core("own-fact", own_fact::keep(inventory.clone(), life, tasks.stop_token()));
        let follow = reach.keep(connection.clone(), about.clone(), events.clone(), tasks.stop_token());
        tasks.spawn_core("reach", follow);
        let overridden = lattice.clone().tell_overridden(events.clone(), tasks.stop_token());
        tasks.spawn_core("overridden", overridden);

        let stop = StopRequest::new();
        // Before commands are taken: what an operator asks for now comes after what one asked for then.
        let restorer = workloads.restorer(&record, &tasks, config.images.allow_file_load);
        restorer.run(lattice.remembered(), manifest.as_ref().map(Manifest::plan));
        let (crew, builtins) = (workloads.crew, workloads.builtins);
        let ctl = Ctl {
            about: about.clone(),
            inventory,
            actors: workloads.actors.clone(),
            crew: crew.clone(),
            builtins: builtins.clone(),
            lattice: lattice.clone(),
            record,
            events: events.clone(),
            stop: stop.clone(),
            allow_files: config.images.allow_file_load,
        };
        // What runs here is served from now on, whether or not the lattice is in reach yet.
        if !is_in_reach {
            parts::join_late(&connection, &config).await?;
        }
        let control = ControlTask::start(ctl, &connection, config.beside_v1).await?;
        let calls = Calls::open(&connection, &config.lattice, &EntityId::new(host.as_str())?)
            .await
            .context("answers to calls of other hosts cannot be received")?;
        workloads.remote.connect(calls.clone());
        let server = Server {
            about: about.clone(),
            actors: workloads.actors.clone(),
            providers: builtins.table.clone(),
            lattice: lattice.clone(),
            directory: directory.clone(),
            remote: workloads.remote,
            door: Door::default(),
        };
        let lines = Lines::open(calls, server, &changed, &tasks).await.context("calls cannot be taken")?;
        // Last, since others give it work from then on.
        let presence = Presence::start(&PresenceParts {
            about: &about,
            actors: &workloads.actors,
            connection: &connection,
            events: &events,
            lattice: &lattice,
            tasks: &tasks,
            epoch,
        })
        .await?;
        tasks.spawn_core("directory", directory.keep(presence.sightings(), tasks.stop_token()));
        let parts = Parts {
            about,
            control,
            presence,
            lines,
            crew: crew.clone(),
            builtins: builtins.clone(),
            lattice: lattice.clone(),
            events: events.clone(),
            tasks: tasks.clone(),
            connection,
            _identity: identity,
        };
        parts.say_hello();
        if let Some(manifest) = manifest {
            let applier = Applier { lattice, crew, builtins, stop: tasks.closing_token() };
            tasks.spawn("manifest", async move { applier.run(&manifest).await });
        }
        Ok(Self { parts, stop, drain: config.drain })
    }

    /// The line by which whoever started the host knows that it answers.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let about = &self.parts.about;
        format!(
            "wasmcloud ready: host {} lattice {} name {} nats {}",
            about.id, about.lattice, about.friendly_name, about.server
        )
    }

    /// Runs until somebody asks it to stop, then stops in order. A second SIGINT or SIGTERM cuts that short
    /// unless it comes within 200 ms of the first.
    pub async fn run(self) -> StopReason {
        let (mut interrupt, mut terminate) =
            (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
        let (reason, patience) = tokio::select! {
            () = heard(&mut interrupt) => (StopReason::Asked("SIGINT".into()), None),
            () = heard(&mut terminate) => (StopReason::Asked("SIGTERM".into()), None),
            (why, patience) = self.stop.asked() => (StopReason::Asked(why), patience),
            why = self.parts.tasks.broken() => (StopReason::Broken(why), None),
        };
        info!(?reason, "stopping");
        let again = heard_again(&mut interrupt, &mut terminate, Instant::now() + ONE_WISH);
        tokio::select! {
            () = shutdown::stop(self.parts, patience.unwrap_or(self.drain)) => {}
            () = again => warn!("stopped at once: calls in flight are lost"),
        }
        reason
    }
}

/// What everything on a host stands on.
struct Ground {
    about: Arc<About>,
    events: Events,
    lattice: Lattice,
    directory: Directory,
    reach: Reach,
    tasks: Tasks,
    connection: Connection,
    changed: Changed,
}

/// What runs actors and providers; nothing runs yet.
struct Workloads {
    actors: Actors,
    remote: Remote,
    router: Router,
    crew: Crew,
    builtins: Builtins,
}

impl Workloads {
    fn restorer(&self, record: &Record, tasks: &Tasks, allow_files: bool) -> Restorer {
        Restorer {
            record: record.clone(),
            crew: self.crew.clone(),
            builtins: self.builtins.clone(),
            allow_files,
            tasks: tasks.clone(),
        }
    }
}

impl Ground {
    /// Makes the tables and those who fill them.
    fn workloads(&self, config: &HostConfig, runtime: Runtime) -> anyhow::Result<(Workloads, Inventory)> {
        let Ground { about, events, lattice, directory, reach, tasks, connection, changed } = self;
        let ids = Arc::new(InvocationIds::new(random_bits()));
        let providers = Providers::new(changed.clone());
        let actors = Actors::new(changed.clone());
        let remote = Remote::new(RemoteParts {
            connection: connection.clone(),
            about: about.clone(),
            actors: actors.clone(),
            directory: directory.clone(),
            lattice: lattice.clone(),
            seed: random_bits(),
        });
        let callees = Callees { actors: actors.clone(), host: about.id.clone(), remote: remote.clone() };
        let router = Router::new(lattice.clone(), providers.clone(), callees.clone());
        let inventory = Inventory {
            about: about.clone(),
            actors: actors.clone(),
            providers: providers.clone(),
            lattice: lattice.clone(),
            directory: directory.clone(),
            reach: reach.clone(),
            engine: runtime.describe(),
        };
        let starter = Starter {
            host: about.id.clone(),
            runtime,
            fetcher: parts::fetcher(config)?,
            trust: Arc::new(config.trust.clone()),
            allow_unsigned: config.allow_unsigned,
            limits: DefaultLimits {
                memory_bytes: config.limits.max_linear_memory_bytes,
                wall: Duration::from_millis(config.limits.max_execution_time_ms),
                cpu: Duration::from_millis(config.limits.max_cpu_time_ms),
            },
            router: router.clone(),
            remote: remote.clone(),
            lattice: lattice.clone(),
            ids: ids.clone(),
        };
        let crew = Crew::new(actors.clone(), starter, events.clone(), tasks.clone(), config.drain);
        let builtins = Builtins {
            table: providers,
            about: about.clone(),
            tasks: tasks.clone(),
            ids,
            events: events.clone(),
            lattice: lattice.clone(),
            callees,
            connection: connection.clone(),
            drain: config.drain,
        };
        Ok((Workloads { actors, remote, router, crew, builtins }, inventory))
    }
}

impl Parts {
    fn say_hello(&self) {
        let about = &self.about;
        for notice in &about.notices {
            warn!(notice, "notice");
        }
        info!(host = %about.id, lattice = %about.lattice, name = about.friendly_name, "host ready");
        self.events.publish(&HostStarted {
            friendly_name: about.friendly_name.clone(),
            labels: about.labels(),
            uptime_seconds: 0,
            version: about.version().to_owned(),
        });
    }
}

fn listen(kind: SignalKind) -> Option<tokio::signal::unix::Signal> {
    signal(kind).inspect_err(|error| warn!(%error, "cannot listen for a signal")).ok()
}

async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Returns at the first signal that comes at `from` or later.
async fn heard_again(
    interrupt: &mut Option<tokio::signal::unix::Signal>,
    terminate: &mut Option<tokio::signal::unix::Signal>,
    from: Instant,
) {
    loop {
        tokio::select! {
            () = heard(interrupt) => {}
            () = heard(terminate) => {}
        }
        if Instant::now() >= from {
            return;
        }
    }
}

/// Bits that tell this process from all others.
fn random_bits() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low.rotate_left(32)
}
