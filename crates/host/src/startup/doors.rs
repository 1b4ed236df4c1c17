//! The doors of a host: commands, calls of other hosts, presence. Whoever is let in finds everything behind them ready.

use std::sync::Arc;

use anyhow::Context as _;
use lattice_core::EntityId;
use lattice_nats::Calls;

use super::{
    ground::{Ground, Workloads},
    parts,
};
use crate::{
    calls::{Door, Lines, RefusedCalls, Server},
    config::HostConfig,
    ctl::{ControlTask, Ctl},
    generations::Watch,
    identity::Identity,
    inventory::Inventory,
    memory::Record,
    presence::{Presence, PresenceParts},
    shutdown::{Parts, StopRequest},
};

/// What a host hears others by.
pub(super) struct Doors {
    control: ControlTask,
    lines: Lines,
    presence: Presence,
}

impl Ground {
    /// Opens them in their order, once the lattice is in reach. What runs here is served meanwhile.
    pub(super) async fn open(
        &self,
        config: &HostConfig,
        workloads: &Workloads,
        inventory: Inventory,
        record: Record,
        stop: &StopRequest,
    ) -> anyhow::Result<Doors> {
        if !self.is_in_reach {
            parts::join_late(&self.connection, config).await?;
        }
        let refused = inventory.refused_calls.clone();
        let ctl = self.ctl(config, workloads, inventory, record, stop);
        let calls = Calls::open(&self.connection, &config.lattice, &EntityId::new(self.about.id.as_str())?)
            .await
            .context("answers to calls of other hosts cannot be received")?;
        let control = ControlTask::start(ctl, &self.connection, &calls.thaws(), config.beside_v1).await?;
        let lines = self.take_calls(calls, workloads, refused).await?;
        if !config.beside_v1 {
            self.watch_for_v1();
        }
        // Last, since others give it work from then on.
        let presence = self.show_itself(workloads).await?;
        Ok(Doors { control, lines, presence })
    }

    fn ctl(
        &self,
        config: &HostConfig,
        workloads: &Workloads,
        inventory: Inventory,
        record: Record,
        stop: &StopRequest,
    ) -> Ctl {
        Ctl {
            about: self.about.clone(),
            guard: inventory.guard.clone(),
            roles: workloads.roles.clone(),
            trust: workloads.trust.clone(),
            secrets: self.secrets.clone(),
            inventory,
            actors: workloads.actors.clone(),
            crew: workloads.crew.clone(),
            builtins: workloads.builtins.clone(),
            lattice: self.lattice.clone(),
            record,
            events: self.events.clone(),
            stop: stop.clone(),
            allow_files: config.images.allow_file_load,
        }
    }

    async fn take_calls(
        &self,
        calls: Calls,
        workloads: &Workloads,
        refused: Arc<RefusedCalls>,
    ) -> anyhow::Result<Lines> {
        workloads.remote.connect(calls.clone());
        let server = Server {
            about: self.about.clone(),
            actors: workloads.actors.clone(),
            providers: workloads.builtins.table.clone(),
            lattice: self.lattice.clone(),
            directory: self.directory.clone(),
            remote: workloads.remote.clone(),
            door: Door::default(),
            refused,
        };
        Lines::open(calls, server, &self.changed, &self.tasks).await.context("calls cannot be taken")
    }

    fn watch_for_v1(&self) {
        let watch = Watch {
            about: self.about.clone(),
            connection: self.connection.clone(),
            lattice: self.lattice.clone(),
            health: self.health.clone(),
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn_core("generations", watch.keep(self.tasks.stop_token()));
    }

    async fn show_itself(&self, workloads: &Workloads) -> anyhow::Result<Presence> {
        let presence = Presence::start(&PresenceParts {
            about: &self.about,
            actors: &workloads.actors,
            connection: &self.connection,
            events: &self.events,
            lattice: &self.lattice,
            tasks: &self.tasks,
            epoch: self.life.epoch,
        })
        .await?;
        let directory = self.directory.clone().keep(presence.sightings(), self.tasks.stop_token());
        self.tasks.spawn_core("directory", directory);
        Ok(presence)
    }

    /// Everything that has to be stopped, in the hands of whoever stops it.
    pub(super) fn parts(self, workloads: Workloads, doors: Doors, identity: Arc<Identity>) -> Parts {
        let Doors { control, lines, presence } = doors;
        Parts {
            about: self.about,
            control,
            presence,
            lines,
            crew: workloads.crew,
            builtins: workloads.builtins,
            lattice: self.lattice,
            events: self.events,
            tasks: self.tasks,
            connection: self.connection,
            _identity: identity,
        }
    }
}
