//! The record of what an operator had started here: one task owns it and writes it.
//!
//! A command is answered when its change is on disk. Changes that come while the disk is at work go into the next write
//! together.

use std::{sync::Arc, time::Duration};

use lattice_core::{ActorId, ProviderId, with_causes};
use lattice_nats::{Loaded, SnapshotFile, SnapshotKind};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Memory, Started, StartedActor, StartedProvider};
use crate::{
    actors::{ActorSpec, Actors},
    providers::ProviderSpec,
    supervisor::Tasks,
};

const KIND: SnapshotKind = SnapshotKind { name: "started", version: 1 };
/// Changes that wait for the disk; who comes later waits for a place.
const QUEUE: usize = 256;
/// How long the disk may take. What it does not take in that time it may still take later.
const KEEP_WITHIN: Duration = Duration::from_secs(10);

/// One change; none takes the entry away.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    Actor(ActorId, Option<Box<StartedActor>>),
    Provider(ProviderId, Option<Box<StartedProvider>>),
}

impl Change {
    /// True if it changed anything.
    fn apply(self, started: &mut Started) -> bool {
        let before = started.clone();
        match self {
            Change::Actor(id, Some(actor)) => drop(started.actors.insert(id, *actor)),
            Change::Actor(id, None) => drop(started.actors.remove(&id)),
            Change::Provider(id, Some(provider)) => drop(started.providers.insert(id, *provider)),
            Change::Provider(id, None) => drop(started.providers.remove(&id)),
        }
        before != *started
    }
}

/// A change, and where its outcome goes.
struct Job {
    change: Change,
    done: oneshot::Sender<Result<(), String>>,
}

/// The way to the record; cheap to clone.
#[derive(Clone)]
pub(crate) struct Record {
    /// None for a host that keeps nothing.
    jobs: Option<mpsc::Sender<Job>>,
    now: watch::Receiver<Arc<Started>>,
    tasks: Tasks,
}

impl Record {
    /// Reads the record and keeps it from then on; what it held is in [`Record::started`]. Blocks for a moment.
    ///
    /// # Errors
    /// When the file is there and cannot be looked at.
    pub(crate) fn open(memory: &Memory, tasks: &Tasks) -> anyhow::Result<Self> {
        let Some(folder) = memory.folder() else {
            let (_, now) = watch::channel(Arc::default());
            return Ok(Self { jobs: None, now, tasks: tasks.clone() });
        };
        let file = SnapshotFile::new(folder.join("started.snapshot"), KIND);
        let started: Started = match file.read()? {
            Loaded::Whole(started) => started,
            Loaded::Absent => Started::default(),
            Loaded::Aside(aside) => {
                warn!("{aside}; what was started here before is not started again");
                Started::default()
            }
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (told, now) = watch::channel(Arc::new(started.clone()));
        tasks.spawn_core("record", keep(file, started, queue, told, tasks.stop_token()));
        Ok(Self { jobs: Some(jobs), now, tasks: tasks.clone() })
    }

    /// What stands there now.
    pub(crate) fn started(&self) -> Arc<Started> {
        self.now.borrow().clone()
    }

    /// Notes that an operator asked for an actor, or with concurrency 0 that there be none.
    ///
    /// # Errors
    /// The text says why the disk does not have it.
    pub(crate) async fn actor(&self, spec: &ActorSpec) -> Result<(), String> {
        let actor = (spec.concurrency > 0).then(|| Box::new(StartedActor::of(spec)));
        self.change(Change::Actor(spec.id.clone(), actor)).await
    }

    /// When a command has run its course, notes what came of it: a failed update leaves the actor as it was.
    pub(crate) fn settle_actor<E: Send + 'static>(
        &self,
        id: ActorId,
        actors: Actors,
        outcome: oneshot::Receiver<Result<(), E>>,
    ) {
        if self.jobs.is_none() {
            return;
        }
        let this = self.clone();
        self.tasks.spawn("record-outcome", async move {
            // A host that stops breaks off what it was starting; then what was asked for stays on record.
            if outcome.await.is_err() {
                return;
            }
            let actor = actors.view(id.as_str()).map(|view| Box::new(StartedActor::of(&view.spec)));
            if let Err(why) = this.change(Change::Actor(id.clone(), actor)).await {
                warn!(actor = %id, why, "what came of a command is not on disk");
            }
        });
    }

    /// Notes that an operator started a provider.
    ///
    /// # Errors
    /// As [`Record::actor`].
    pub(crate) async fn provider(&self, spec: &ProviderSpec) -> Result<(), String> {
        let provider = Some(Box::new(StartedProvider::of(spec)));
        self.change(Change::Provider(spec.id.clone(), provider)).await
    }

    /// Notes that an operator stopped a provider.
    ///
    /// # Errors
    /// As [`Record::actor`].
    pub(crate) async fn no_provider(&self, id: &ProviderId) -> Result<(), String> {
        self.change(Change::Provider(id.clone(), None)).await
    }

    async fn change(&self, change: Change) -> Result<(), String> {
        let Some(jobs) = &self.jobs else { return Ok(()) };
        let stopping = || "the host is stopping".to_owned();
        let (done, outcome) = oneshot::channel();
        let kept = async {
            jobs.send(Job { change, done }).await.map_err(|_closed| stopping())?;
            outcome.await.map_err(|_closed| stopping())?
        };
        let late = |_late| format!("the disk did not take it within {} s", KEEP_WITHIN.as_secs());
        timeout(KEEP_WITHIN, kept).await.map_err(late)?
    }
}

/// Applies changes and writes them until `stop`.
async fn keep(
    file: SnapshotFile,
    mut started: Started,
    mut queue: mpsc::Receiver<Job>,
    told: watch::Sender<Arc<Started>>,
    stop: CancellationToken,
) {
    // After a write that failed, the file is behind even when nothing changes.
    let mut is_behind = false;
    let mut jobs = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            count = queue.recv_many(&mut jobs, QUEUE) => if count == 0 { return },
        }
        let mut waiting = Vec::new();
        for Job { change, done } in jobs.drain(..) {
            is_behind |= change.apply(&mut started);
            waiting.push(done);
        }
        let written = if is_behind { write(&file, &started).await } else { Ok(()) };
        is_behind = written.is_err();
        told.send_replace(Arc::new(started.clone()));
        // Who asked may have gone.
        waiting.into_iter().for_each(|done| drop(done.send(written.clone())));
    }
}

async fn write(file: &SnapshotFile, started: &Started) -> Result<(), String> {
    let (file, content) = (file.clone(), started.clone());
    match tokio::task::spawn_blocking(move || file.write(&content)).await {
        Ok(written) => written.map_err(|error| with_causes(&error)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lattice_core::LatticeName;

    use super::*;
    use crate::memory::{MemoryOptions, Server};

    fn memory(slot: &std::path::Path) -> Memory {
        let server = Server::new("nats://a:1", None);
        Memory::open(slot, &LatticeName::default(), &server, MemoryOptions::default()).unwrap()
    }

    fn spec(id: &str) -> ProviderSpec {
        ProviderSpec {
            id: ProviderId::new(id).unwrap(),
            image: "builtin://http-server".parse().unwrap(),
            image_text: "builtin://http-server".into(),
            config: Vec::new(),
            annotations: std::collections::BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_kill() {
        let slot = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let record = Record::open(&memory(slot.path()), &tasks).unwrap();
        let specs: Vec<ProviderSpec> = (0..40).map(|i| spec(&format!("p{i}"))).collect();
        let all = futures::future::join_all(specs.iter().map(|spec| record.provider(spec))).await;
        assert!(all.iter().all(Result::is_ok));
        record.no_provider(&spec("p7").id).await.unwrap();
        // Nothing was closed: the second one reads what the first one's disk has.
        let again = Record::open(&memory(slot.path()), &Tasks::new()).unwrap().started();
        assert_eq!(again.providers.len(), 39);
        assert!(!again.providers.contains_key("p7"));
        tasks.stop(Duration::from_secs(5)).await;
        assert!(record.provider(&spec("late")).await.is_err());
    }

    #[tokio::test]
    async fn a_disk_that_refuses_is_told() {
        let slot = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let memory = memory(slot.path());
        let record = Record::open(&memory, &tasks).unwrap();
        let blocked = memory.folder().unwrap().join("started.snapshot.new");
        std::fs::create_dir(&blocked).unwrap();
        let why = record.provider(&spec("p")).await.unwrap_err();
        assert!(why.contains("started.snapshot.new"), "{why}");
        std::fs::remove_dir(&blocked).unwrap();
        record.provider(&spec("p")).await.unwrap();
        assert_eq!(Record::open(&memory, &Tasks::new()).unwrap().started().providers.len(), 1);
        tasks.stop(Duration::from_secs(5)).await;
    }
}
