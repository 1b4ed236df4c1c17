//! Owner of the host's tasks: each has a name and a stop, and a core task that ends takes the host down in order.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, debug_span, error};

/// Spawns tasks and waits for them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    closing: CancellationToken,
    broken: watch::Sender<Option<String>>,
    panics: Arc<AtomicU64>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            closing: CancellationToken::new(),
            broken: watch::Sender::new(None),
            panics: Arc::default(),
        }
    }

    /// The token that is cancelled when the host stops. Tasks end soon after.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// From now on nothing new is started; what runs goes on.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// The token that is cancelled when nothing new shall be started any more.
    pub(crate) fn closing_token(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// True once nothing new shall be started.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Counts a contained panic, and tells of it.
    pub(crate) fn panicked(&self, task: &str) {
        let panics = self.panics.fetch_add(1, Ordering::Relaxed) + 1;
        error!(task, panics, "a task panicked; what it was doing is lost, the host goes on");
    }

    /// Runs `task`. A panic in it is contained, counted and reported.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let this = self.clone();
        let task = async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                this.panicked(name);
            }
        };
        self.tracker.spawn(task.instrument(debug_span!(parent: None, "task", name)));
    }

    /// Runs a task without which the host is none: if it ends before the host stops, the host stops.
    pub(crate) fn spawn_core(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, broken) = (self.stop.clone(), self.broken.clone());
        let task = async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if !stop.is_cancelled() {
                let how = if panicked { "panicked" } else { "ended by itself" };
                broken.send_replace(Some(format!("the task {name:?} {how}")));
            }
        };
        self.tracker.spawn(task.instrument(debug_span!(parent: None, "task", name)));
    }

    /// Waits until a core task has ended before its time, and says which. Cancel-safe.
    pub(crate) async fn broken(&self) -> String {
        let mut listen = self.broken.subscribe();
        match listen.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The sender lives as long as `self`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Tells every task to stop and waits for them, at most `patience`; false if some were still running.
    pub(crate) async fn stop(&self, patience: Duration) -> bool {
        self.closing.cancel();
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_core_task_that_ends_is_noticed_and_a_panic_is_contained() {
        let tasks = Tasks::new();
        tasks.spawn("bad", async { panic!("on purpose") });
        tasks.spawn_core("core", async {});
        assert!(tasks.broken().await.contains("core"));
        let stop = tasks.stop_token();
        tasks.spawn_core("patient", async move { stop.cancelled().await });
        assert!(tasks.stop(Duration::from_secs(5)).await);
        assert_eq!(tasks.panics.load(Ordering::Relaxed), 1);
    }
}
