//! The store of facts: changes by compare-and-set, reads from memory.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lattice_core::{FactKey, HostId, LatticeName};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Fact, Facts, Overridden, StateError, Version,
    bucket::Bucket,
    fact,
    keeper::{self, Keeper},
    landmark::Landmarks,
    memory::{Memory, MemoryFile, StreamMark},
    watcher,
};
use crate::{Connection, tasks};

/// Changes that are on their way at once; further ones wait.
const WRITES_MAX: usize = 64;
/// How long the first read may take.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Overridden facts that wait for whoever tells of them; further ones stand in the log alone.
const OVERRIDDEN_MAX: usize = 16 * 1024;

/// The facts of one lattice.
///
/// Reads ([`FactStore::snapshot`]) come from memory, which one watch keeps, and go on without NATS. Changes are
/// acknowledged when the bucket has them, and the snapshot on disk where there is one; this view has them then, too.
pub struct FactStore {
    pub(super) shared: Arc<Shared>,
    overridden: Mutex<Option<mpsc::Receiver<Overridden>>>,
    remembered: usize,
    pub(super) writes: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the store and its watch share.
pub(super) struct Shared {
    pub(super) bucket: Bucket,
    pub(super) writer: HostId,
    /// None where nothing is kept on disk.
    pub(super) keeper: Option<Keeper>,
    facts: watch::Sender<Arc<Facts>>,
    generation: watch::Sender<u64>,
    pub(super) progress: watch::Sender<Progress>,
    overridden: mpsc::Sender<Overridden>,
}

/// How far the watch is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The stream it reads, by the time of its making.
    pub(super) created: String,
    /// The revision up to which everything was delivered.
    pub(super) delivered: u64,
    /// Whether the first read is through.
    pub(super) current: bool,
    /// The newest messages that were delivered.
    pub(super) landmarks: Landmarks,
    /// From a lost connection on, until the stream was asked and is the same: the landmarks of before. What comes meanwhile may be
    /// of another past, and must not be taken for what was known.
    pub(super) doubted: Option<Landmarks>,
    /// The last place at which everything of a stream was known, and the stream had all that is known here. It outlives
    /// the watch.
    pub(super) mark: Option<StreamMark>,
}

impl Progress {
    /// The messages by which the stream has to be known again.
    pub(super) fn known_by(&self) -> &Landmarks {
        self.doubted.as_ref().unwrap_or(&self.landmarks)
    }
}

impl Shared {
    /// Takes a fact into the view, and tells if that changed it.
    pub(super) fn join(&self, key: FactKey, fact: Fact) {
        let changed = self.facts.send_if_modified(|facts| Arc::make_mut(facts).join(key, fact));
        if changed {
            self.generation.send_modify(|generation| *generation += 1);
        }
    }

    /// Notes the revision of a change of this host's own. Before the change is joined, so that whoever keeps that one keeps
    /// this, too.
    pub(super) fn wrote(&self, revision: u64) {
        self.progress.send_modify(|progress| {
            let created = &progress.created;
            if let Some(mark) = progress.mark.as_mut().filter(|mark| mark.created == *created) {
                mark.written = mark.written.max(revision);
            }
        });
    }

    pub(super) fn known(&self) -> Arc<Facts> {
        Arc::clone(&self.facts.borrow())
    }

    /// Counts the changes of the view: what is known when this is read has all of them.
    pub(super) fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Tells of a fact that lost in a merge.
    pub(super) fn tell_overridden(&self, overridden: Overridden) {
        let Overridden { key, kept, lost } = &overridden;
        let (key, kept, lost) = (key.clone(), kept.version(), lost.version());
        tracing::warn!(%key, %kept, %lost, "two versions of a fact met, and the older one lost");
        if self.overridden.try_send(overridden).is_err() {
            tracing::debug!(%key, "nobody takes overridden facts, or not fast enough");
        }
    }
}

impl Drop for FactStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FactStore {
    /// Opens the state of `lattice`, making its bucket if there is none, and reads all of it; changes are made in the
    /// name of `writer`. Nothing is kept on disk.
    ///
    /// # Errors
    /// [`StateError`] when JetStream refuses or is not there, or the read takes too long.
    ///
    /// # Cancellation
    /// Dropping the future stops the watch.
    pub async fn open(conn: &Connection, lattice: &LatticeName, writer: HostId) -> Result<Self, StateError> {
        Self::open_with(Bucket::new(conn, lattice), writer, None, Memory::default()).await
    }

    /// As [`FactStore::open`], with a snapshot in `folder`, which has to be there and is this store's alone. Facts that it
    /// remembers are known at once, and only what changed since is read. Without NATS in reach it opens on them alone.
    ///
    /// # Errors
    /// As [`FactStore::open`], and [`StateError::Memory`] when the snapshot cannot be looked at.
    ///
    /// # Cancellation
    /// As [`FactStore::open`].
    pub async fn open_in(
        conn: &Connection,
        lattice: &LatticeName,
        writer: HostId,
        folder: &Path,
    ) -> Result<Self, StateError> {
        let (file, clock) = (MemoryFile::new(folder, lattice), conn.wall_clock());
        let memory = tokio::task::spawn_blocking({
            let file = file.clone();
            move || file.read(clock)
        });
        let memory = match memory.await {
            Ok(Ok(memory)) => memory.unwrap_or_default(),
            Ok(Err(error)) => return Err(StateError::Memory { why: lattice_core::with_causes(&error) }),
            Err(error) => return Err(StateError::Memory { why: error.to_string() }),
        };
        let keeper = Keeper::new(file, memory.stream.clone());
        Self::open_with(Bucket::new(conn, lattice), writer, Some(keeper), memory).await
    }

    async fn open_with(
        bucket: Bucket,
        writer: HostId,
        keeper: Option<Keeper>,
        memory: Memory,
    ) -> Result<Self, StateError> {
        let remembered = memory.facts.live().count();
        let knows_nothing = memory.facts.is_empty();
        if knows_nothing {
            // Nothing could be served without it, so it is better to fail at once.
            bucket.ensure().await?;
        }
        let (overridden, heard) = mpsc::channel(OVERRIDDEN_MAX);
        let shared = Arc::new(Shared {
            bucket,
            writer,
            keeper,
            facts: watch::Sender::new(Arc::new(memory.facts)),
            generation: watch::Sender::new(0),
            progress: watch::Sender::new(Progress { mark: memory.stream, ..Progress::default() }),
            overridden,
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks::spawn(&tasks, "fact-watch", watcher::run(Arc::clone(&shared), stop.clone()));
        tasks::spawn(&tasks, "fact-keeper", keeper::run(Arc::clone(&shared), stop.clone()));
        let (overridden, writes) = (Mutex::new(Some(heard)), Semaphore::new(WRITES_MAX));
        let store = Self { shared, overridden, remembered, writes, tasks, stop };
        if !store.wait_read().await && knows_nothing {
            let bucket = store.shared.bucket.name.clone();
            return Err(StateError::Unread { bucket, after: READ_WITHIN });
        }
        Ok(store)
    }

    /// Waits until the first read is through; false if that takes too long, or NATS is not there.
    async fn wait_read(&self) -> bool {
        let mut progress = self.shared.progress.subscribe();
        let mut connected = self.shared.bucket.conn.connected();
        let read = async {
            tokio::select! {
                read = progress.wait_for(|progress| progress.current) => read.is_ok(),
                _ = connected.wait_for(|connected| !connected) => false,
            }
        };
        tokio::time::timeout(READ_WITHIN, read).await.unwrap_or(false)
    }

    /// How many facts, tombstones apart, the snapshot on disk held when this was opened.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// Facts that lose when a bucket that was lost, replaced or set back is merged with what is known here, from the
    /// opening on. Each stands in the log, too. The first to ask gets them.
    pub fn overridden(&self) -> Option<mpsc::Receiver<Overridden>> {
        self.overridden.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What is known now. Cheap: the facts are shared, not copied.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Facts> {
        self.shared.known()
    }

    /// Counts the changes of the view. Level-triggered: who looks late sees that there was a change, then takes the
    /// [`FactStore::snapshot`] and misses nothing.
    #[must_use]
    pub fn subscribe_changes(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }

    /// Waits until the view holds all that the bucket held when this was called, at most `within`; true if it does.
    /// Answers to queries come after this, so that they show what was just written through another host.
    pub async fn wait_current(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let Ok(Ok(Some(state))) = timeout_at(until, self.shared.bucket.state()).await else { return false };
        let mut progress = self.shared.progress.subscribe();
        let there =
            progress.wait_for(|p| p.current && p.created == state.created && p.delivered >= state.last);
        matches!(timeout_at(until, there).await, Ok(Ok(_)))
    }

    /// Writes a fact; the version it now has. Writing what already stands there changes nothing.
    ///
    /// # Errors
    /// [`StateError::Unwritable`] if `data` does not fit the key, else why the bucket does not have it.
    ///
    /// # Cancellation
    /// Dropping the future leaves open whether the fact was written.
    pub async fn put(&self, key: &FactKey, data: Value) -> Result<Version, StateError> {
        fact::check_data(key, &data).map_err(|why| StateError::Unwritable { key: key.to_string(), why })?;
        self.write(key, Some(data), None).await.map(|written| written.version)
    }

    /// As [`FactStore::put`], if the fact still is of the version `seen`: what somebody else wrote since stays.
    ///
    /// # Errors
    /// As there; [`StateError::Superseded`] if it has changed.
    ///
    /// # Cancellation
    /// As there.
    pub async fn replace(&self, key: &FactKey, seen: &Version, data: Value) -> Result<Version, StateError> {
        fact::check_data(key, &data).map_err(|why| StateError::Unwritable { key: key.to_string(), why })?;
        self.write(key, Some(data), Some(seen)).await.map(|written| written.version)
    }

    /// Deletes a fact by writing a tombstone; what was there, if anything was.
    ///
    /// # Errors
    /// Why the bucket does not have the tombstone.
    ///
    /// # Cancellation
    /// As [`FactStore::put`].
    pub async fn delete(&self, key: &FactKey) -> Result<Option<Fact>, StateError> {
        let known = self.write(key, None, None).await?.before;
        Ok(known.filter(|fact| !fact.deleted))
    }

    /// Stops the watch, and writes the snapshot a last time. The view stays as it is.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
