//! What a host stands on: its key, its memory, NATS, the lattice; and on that the tables of what runs.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lattice_contracts::InvocationIds;
use lattice_manifest::Manifest;
use lattice_nats::{Connection, EventPublisher, Secret};
use lattice_runtime::Runtime;

use super::{confinement, parts};
use crate::{
    about::About,
    actors::{Actors, Callees, Crew, DefaultLimits, Starter},
    calls::{RefusedCalls, Remote, RemoteParts},
    config::HostConfig,
    ctl::Guard,
    directory::Directory,
    events::Events,
    health::Health,
    heartbeat,
    identity::Identity,
    inventory::Inventory,
    lattice::Lattice,
    links::Router,
    memory::{Memory, Record, Restorer},
    own_fact::{self, Life},
    providers::{Access, Builtins, Processes, Providers},
    reach, refusals,
    roles::{Orders, Roles},
    secrets::{self, Secrets},
    signal::Changed,
    states,
    supervisor::Tasks,
    trust::Trusting,
};

/// What a host has before it knows its lattice.
pub(super) struct Base {
    pub(super) identity: Arc<Identity>,
    pub(super) record: Record,
    memory: Memory,
    connection: Connection,
    access: Arc<Access>,
    tasks: Tasks,
    changed: Changed,
}

impl Base {
    /// Takes a key, reads what is remembered, and connects; or does not wait for NATS where something can be served without.
    pub(super) async fn lay(config: &HostConfig) -> anyhow::Result<Self> {
        let identity = Identity::take(&config.data_dir, config.host_seed.as_ref().map(Secret::reveal))?;
        let (tasks, changed) = (Tasks::new(), Changed::new());
        let options = parts::nats_options(config, &identity.id);
        let access = Arc::new(parts::access(config, &options)?);
        let memory = parts::memory(config, &identity, &options)?;
        let record = Record::open(&memory, &tasks)?;
        let connection = parts::connect(options, !record.started().is_empty()).await?;
        Ok(Self { identity: Arc::new(identity), record, memory, connection, access, tasks, changed })
    }

    /// Joins the lattice, or what is remembered of it.
    pub(super) async fn join(
        self,
        config: &HostConfig,
        manifest: Option<&Manifest>,
    ) -> anyhow::Result<Ground> {
        let Self { identity, memory, connection, access, tasks, changed, .. } = self;
        let host = &identity.id;
        let is_in_reach = connection.is_connected();
        // Before anything is written: where it may not join, it leaves no trace.
        let met = if is_in_reach { parts::may_join(&connection, config).await? } else { None };
        let orders = Orders::open(memory.folder())?;
        let lattice = Lattice::open(&connection, &config.lattice, host, &memory, &changed, &tasks)
            .await
            .with_context(|| format!("cannot read the state of lattice {}", config.lattice))?;
        let mut about = parts::about(config, host, &connection, manifest);
        about.notices.extend(met);
        let events = Events(Arc::new(EventPublisher::new(&connection, &config.lattice, host)));
        Ok(Ground {
            about: Arc::new(about),
            life: Life::begin(connection.wall_clock(), lattice.view().hosts.get(host).map(|told| told.epoch)),
            directory: Directory::new(host.clone(), lattice.clone()),
            secrets: Secrets::new(
                host.clone(),
                config.lattice.clone(),
                identity.xkey.clone(),
                lattice.clone(),
                connection.wall_clock(),
            ),
            health: Health::new(host.clone(), events.clone()),
            events,
            lattice,
            tasks,
            connection,
            access,
            is_in_reach,
            changed,
            memory,
            orders,
        })
    }
}

/// What everything on a host stands on.
pub(super) struct Ground {
    pub(super) about: Arc<About>,
    pub(super) life: Life,
    pub(super) events: Events,
    pub(super) lattice: Lattice,
    pub(super) directory: Directory,
    pub(super) secrets: Secrets,
    pub(super) health: Health,
    pub(super) tasks: Tasks,
    pub(super) connection: Connection,
    pub(super) access: Arc<Access>,
    /// Whether there was NATS when this was laid.
    pub(super) is_in_reach: bool,
    pub(super) changed: Changed,
    pub(super) memory: Memory,
    pub(super) orders: Orders,
}

/// What runs actors and providers; nothing runs yet.
pub(super) struct Workloads {
    pub(super) actors: Actors,
    pub(super) remote: Remote,
    pub(super) router: Router,
    pub(super) crew: Crew,
    pub(super) builtins: Builtins,
    pub(super) roles: Roles,
    pub(super) trust: Trusting,
}

impl Workloads {
    pub(super) fn restorer(&self, record: &Record, allow_files: bool) -> Restorer {
        Restorer {
            record: record.clone(),
            crew: self.crew.clone(),
            builtins: self.builtins.clone(),
            allow_files,
        }
    }
}

impl Ground {
    /// Makes the tables and those who fill them.
    pub(super) fn workloads(
        &self,
        config: &HostConfig,
        runtime: Runtime,
    ) -> anyhow::Result<(Workloads, Inventory)> {
        let Ground { about, events, lattice, directory, secrets, health, tasks, connection, changed, .. } =
            self;
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
        let roles =
            Roles::new(config.admins.clone(), config.lattice.clone(), lattice.clone(), self.orders.clone());
        let trust =
            Trusting::new(config.trust.clone(), lattice.clone(), roles.clone(), config.allow_unsigned);
        let guard = Guard::new(
            about.clone(),
            lattice.clone(),
            roles.clone(),
            events.clone(),
            config.require_signed_control,
            self.memory.folder(),
        );
        let inventory = Inventory {
            about: about.clone(),
            actors: actors.clone(),
            providers: providers.clone(),
            lattice: lattice.clone(),
            directory: directory.clone(),
            health: health.clone(),
            trust: trust.clone(),
            secrets: secrets.clone(),
            access: self.access.clone(),
            guard: Arc::new(guard),
            refused_calls: Arc::new(RefusedCalls::new(about.clone(), events.clone())),
            engine: runtime.describe(),
        };
        let starter = self.starter(config, runtime, &router, &remote, &ids, &trust)?;
        let crew = Crew::new(actors.clone(), starter, events.clone(), tasks.clone(), config.drain);
        let images = (parts::provider_fetcher(config)?, trust.clone(), parts::programs(config));
        let processes = Processes::new(
            about.clone(),
            events.clone(),
            connection,
            self.access.clone(),
            images,
            confinement::confinement(config),
        );
        let builtins = Builtins {
            table: providers,
            about: about.clone(),
            tasks: tasks.clone(),
            ids,
            events: events.clone(),
            lattice: lattice.clone(),
            secrets: secrets.clone(),
            callees,
            connection: connection.clone(),
            processes,
            refused: inventory.refused_calls.clone(),
            drain: config.drain,
        };
        Ok((Workloads { actors, remote, router, crew, builtins, roles, trust }, inventory))
    }

    /// What actors are started with.
    fn starter(
        &self,
        config: &HostConfig,
        runtime: Runtime,
        router: &Router,
        remote: &Remote,
        ids: &Arc<InvocationIds>,
        trust: &Trusting,
    ) -> anyhow::Result<Starter> {
        Ok(Starter {
            host: self.about.id.clone(),
            runtime,
            fetcher: parts::fetcher(config)?,
            trust: trust.clone(),
            allow_unsigned: config.allow_unsigned,
            limits: DefaultLimits {
                memory_bytes: config.limits.max_linear_memory_bytes,
                wall: Duration::from_millis(config.limits.max_execution_time_ms),
                cpu: Duration::from_millis(config.limits.max_cpu_time_ms),
            },
            router: router.clone(),
            remote: remote.clone(),
            lattice: self.lattice.clone(),
            secrets: self.secrets.clone(),
            ids: ids.clone(),
        })
    }

    /// Starts the tasks that keep routes, states, facts and events in step with what is.
    pub(super) fn keep_up(&self, config: &HostConfig, workloads: &Workloads, inventory: &Inventory) {
        let Ground { about, life, events, lattice, health, tasks, connection, .. } = self;
        let stop = || tasks.stop_token();
        tasks.spawn_core("routes", workloads.router.clone().keep(stop()));
        tasks.spawn_core("states", states::tell(inventory.clone(), events.clone(), stop()));
        let beat = heartbeat::beat(inventory.clone(), events.clone(), config.heartbeat, stop());
        tasks.spawn_core("heartbeat", beat);
        tasks.spawn_core("own-fact", own_fact::keep(inventory.clone(), life.clone(), stop()));
        tasks.spawn_core("reach", reach::follow(connection.clone(), about.clone(), health.clone(), stop()));
        tasks.spawn_core("overridden", lattice.clone().tell_overridden(events.clone(), stop()));
        tasks.spawn_core("secrets", secrets::keep(self.secrets.clone(), self.directory.clone(), stop()));
        let (roles, trust) = (workloads.roles.clone(), workloads.trust.clone());
        let look = move || drop((roles.now(), trust.entries()));
        let guard = inventory.guard.clone();
        let tell = move |back| guard.put_back(back);
        tasks.spawn_core("orders", self.orders.clone().keep(look, tell, lattice.changed().listen(), stop()));
        tasks.spawn_core("refusals", refusals::tell(inventory.guard.clone(), stop()));
        tasks.spawn_core("refused-calls", refusals::tell(inventory.refused_calls.clone(), stop()));
    }
}

/// Bits that tell this process from all others.
fn random_bits() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low.rotate_left(32)
}
