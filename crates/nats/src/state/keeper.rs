//! Keeps the facts on disk: the one task that writes the snapshot, and the wait until it has.
//!
//! Writes are coalesced. Whoever changed a fact waits for the disk, so then it is written at once, with all else that there
//! is; what others changed is written a moment later, since the bucket has it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    StateError,
    memory::{MemoryFile, StreamMark},
    store::Shared,
};

/// How long changes of others may wait for the disk.
const LAZY: Duration = Duration::from_millis(500);
/// Pause after a disk that refused.
const PAUSE: Duration = Duration::from_secs(1);

/// The file, how far it is, and how far it shall be.
pub(super) struct Keeper {
    file: MemoryFile,
    saved: watch::Sender<Saved>,
    wanted: watch::Sender<u64>,
}

/// What the disk has.
#[derive(Debug, Default)]
struct Saved {
    /// The generation of the view that is on the disk.
    generation: u64,
    /// How far it had read.
    stream: Option<StreamMark>,
    /// The last attempt failed: at which generation, and why.
    failed: Option<(u64, String)>,
}

impl Keeper {
    pub(super) fn new(file: MemoryFile, stream: Option<StreamMark>) -> Self {
        let saved = Saved { stream, ..Saved::default() };
        Self { file, saved: watch::Sender::new(saved), wanted: watch::Sender::new(0) }
    }

    /// Waits until the disk has the view's `generation`, at most until `until`.
    pub(super) async fn kept(&self, generation: u64, until: Instant) -> Result<(), StateError> {
        let not_kept = |why: String| StateError::NotKept { path: self.file.path().to_owned(), why };
        let mut saved = self.saved.subscribe();
        self.wanted.send_if_modified(|wanted| {
            let is_more = *wanted < generation;
            *wanted = generation.max(*wanted);
            is_more
        });
        let tried = saved.wait_for(|saved| {
            saved.generation >= generation || saved.failed.as_ref().is_some_and(|(at, _)| *at >= generation)
        });
        match timeout_at(until, tried).await {
            Ok(Ok(saved)) if saved.generation >= generation => Ok(()),
            Ok(Ok(saved)) => {
                Err(not_kept(saved.failed.as_ref().map(|(_, why)| why.clone()).unwrap_or_default()))
            }
            Ok(Err(_)) | Err(_) => Err(not_kept("it was not written in time".to_owned())),
        }
    }

    fn is_urgent(&self) -> bool {
        *self.wanted.borrow() > self.saved.borrow().generation
    }

    /// Writes the file if there is anything new; false if the disk refused.
    async fn save(&self, shared: &Shared) -> bool {
        // In this order: what is read later has at least what was read before.
        let generation = shared.generation();
        let stream = shared.progress.borrow().mark.clone();
        let facts = shared.known();
        {
            let saved = self.saved.borrow();
            if saved.failed.is_none() && saved.generation >= generation && saved.stream == stream {
                return true;
            }
        }
        let (file, mark) = (self.file.clone(), stream.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&facts, mark)).await;
        let failure = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(lattice_core::with_causes(&error)),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = &failure {
            tracing::error!(why, "what this host knows of the lattice is not on its disk; it is tried again");
        }
        let is_written = failure.is_none();
        self.saved.send_modify(|saved| {
            saved.failed = failure.map(|why| (generation, why));
            if is_written {
                (saved.generation, saved.stream) = (generation, stream);
            }
        });
        is_written
    }
}

/// Writes until `stop`, and then a last time.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let Some(keeper) = &shared.keeper else { return };
    let mut changes = shared.subscribe();
    let mut wanted = keeper.wanted.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            // Both senders live in `shared`.
            _ = changes.changed() => {}
            _ = wanted.changed() => {}
        }
        if !keeper.is_urgent() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LAZY) => {}
                _ = wanted.changed() => {}
            }
        }
        changes.mark_unchanged();
        let is_saved = keeper.save(&shared).await;
        if stop.is_cancelled() {
            return;
        }
        if !is_saved {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
            changes.mark_changed();
        }
    }
}
