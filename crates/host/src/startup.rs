//! Putting a host together, part by part, in the order in which each needs the one before.

mod confinement;
mod credentials;
mod doors;
mod ground;
mod parts;

use std::{pin::pin, time::Duration};

use lattice_control_interface::events::HostStarted;
use lattice_manifest::Manifest;
use tracing::{info, warn};

use self::ground::Base;
use crate::{
    config::HostConfig,
    manifest::{Applier, read},
    shutdown::{self, Parts, StopRequest},
    wishes::Wishes,
};

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
        let base = Base::lay(&config).await?;
        let (identity, record) = (base.identity.clone(), base.record.clone());
        let ground = base.join(&config, manifest.as_ref()).await?;
        let (workloads, inventory) = ground.workloads(&config, parts::engine(&config)?)?;
        let stop = StopRequest::new();
        ground.keep_up(&config, &workloads, &inventory);
        // Before commands are taken: what an operator asks for now comes after what one asked for then.
        workloads
            .restorer(&record, config.images.allow_file_load)
            .run(ground.lattice.remembered(), manifest.as_ref().map(Manifest::plan));
        let doors = ground.open(&config, &workloads, inventory, record, &stop).await?;
        let notice = workloads.trust.notice();
        let parts = ground.parts(workloads, doors, identity);
        parts.say_hello(notice);
        if let Some(manifest) = manifest {
            parts.apply(manifest);
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
    /// unless it comes within 200 ms of the first. One that comes while a broken host stops is the wish that it stays stopped.
    pub async fn run(self, wishes: &mut Wishes) -> StopReason {
        let (mut reason, patience) = tokio::select! {
            signal = wishes.heard() => (StopReason::Asked(signal.into()), None),
            (why, patience) = self.stop.asked() => (StopReason::Asked(why), patience),
            why = self.parts.tasks.broken() => (StopReason::Broken(why), None),
        };
        info!(?reason, "stopping");
        let mut stopping = pin!(shutdown::stop(self.parts, patience.unwrap_or(self.drain)));
        if let StopReason::Broken(_) = reason {
            tokio::select! {
                biased;
                (why, _) = self.stop.asked() => reason = StopReason::Asked(why),
                signal = wishes.heard() => reason = StopReason::Asked(signal.into()),
                () = &mut stopping => return reason,
            }
            info!(?reason, "the broken host stays stopped");
        }
        tokio::select! {
            () = &mut stopping => {}
            _ = wishes.heard_again() => warn!("stopped at once: calls in flight are lost"),
        }
        reason
    }
}

impl Parts {
    /// Says what an operator should know, of which one part depends on the lattice, and that the host is there.
    fn say_hello(&self, notice: Option<String>) {
        let about = &self.about;
        for notice in about.notices.iter().chain(&notice) {
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

    /// Begins to make a manifest true.
    fn apply(&self, manifest: Manifest) {
        let applier = Applier {
            lattice: self.lattice.clone(),
            crew: self.crew.clone(),
            builtins: self.builtins.clone(),
            stop: self.tasks.closing_token(),
        };
        self.tasks.spawn("manifest", async move { applier.run(&manifest).await });
    }
}
