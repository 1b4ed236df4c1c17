//! The crew: one worker for each actor id, which carries out commands in their order. So nothing about one actor ever
//! happens twice at once, and a slow start holds up no other actor.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use lattice_claims::{ActorMetadata, Claims};
use lattice_control_interface::events::{ComponentScaleFailed, ComponentScaled, EventClaims};
use lattice_core::{ActorId, State};
use lattice_runtime::Interface;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::{info, warn};

use super::{ActorSpec, ActorView, Actors, StartError, Starter, start::queue_of, table::Running};
use crate::{events::Events, supervisor::Tasks};

/// Commands that may wait for one actor.
const QUEUE: usize = 32;

/// Why a command is not even queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScaleRefused {
    /// Too many commands wait for this actor already.
    Busy,
    /// The host is stopping.
    Stopping,
}

/// A command, and where its outcome goes.
struct Command {
    spec: ActorSpec,
    replace: bool,
    done: oneshot::Sender<Result<(), Arc<StartError>>>,
}

/// What waits for a link: the start, and the imports that it needs links for.
struct HeldUp {
    spec: ActorSpec,
    imports: Vec<Interface>,
}

impl HeldUp {
    fn by(error: &StartError, spec: &ActorSpec) -> Option<Self> {
        error.missing_links().map(|imports| Self { spec: spec.clone(), imports: imports.to_vec() })
    }

    /// The start once more; nobody waits for its outcome.
    fn again(self) -> Command {
        let (done, _) = oneshot::channel();
        Command { spec: self.spec, replace: true, done }
    }
}

/// Gives commands to workers; cheap to clone.
#[derive(Clone)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
}

struct Shared {
    table: Actors,
    starter: Starter,
    events: Events,
    tasks: Tasks,
    drain: Duration,
    workers: Mutex<HashMap<ActorId, mpsc::Sender<Command>>>,
}

impl Crew {
    pub(crate) fn new(
        table: Actors,
        starter: Starter,
        events: Events,
        tasks: Tasks,
        drain: Duration,
    ) -> Self {
        let workers = Mutex::default();
        Self { shared: Arc::new(Shared { table, starter, events, tasks, drain, workers }) }
    }

    /// Queues a command: run `spec`, or with concurrency 0 stop it. `replace` allows another image. The receiver gets
    /// the outcome; who does not wait for it hears of it by event.
    pub(crate) fn scale(
        &self,
        spec: ActorSpec,
        replace: bool,
    ) -> Result<oneshot::Receiver<Result<(), Arc<StartError>>>, ScaleRefused> {
        if self.shared.tasks.is_closing() {
            return Err(ScaleRefused::Stopping);
        }
        let (done, outcome) = oneshot::channel();
        let mut workers = self.shared.lock();
        let id = spec.id.clone();
        let queue = workers.entry(id.clone()).or_insert_with(|| {
            let (sender, commands) = mpsc::channel(QUEUE);
            let shared = self.shared.clone();
            self.shared.tasks.spawn("actor", async move { shared.work(id, commands).await });
            sender
        });
        queue.try_send(Command { spec, replace, done }).map_err(|_full| ScaleRefused::Busy)?;
        Ok(outcome)
    }

    /// Stops every actor that runs: new calls are refused, those in flight may end until `deadline`.
    pub(crate) async fn stop_all(&self, deadline: Instant) {
        let running = self.shared.table.list().into_iter().filter_map(|view| view.running);
        let drains = running.map(|running| async move { running.actor.drain(deadline).await });
        // Each has its deadline; who was cut off is counted by the runtime.
        let _clean = futures::future::join_all(drains).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<ActorId, mpsc::Sender<Command>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out commands until there is no more actor to care for, or the host stops.
    async fn work(&self, id: ActorId, mut commands: mpsc::Receiver<Command>) {
        let closing = self.tasks.closing_token();
        // A start that nothing but a missing link holds up; it is made again when the link comes.
        let mut held_up: Option<HeldUp> = None;
        loop {
            let command = tokio::select! {
                () = closing.cancelled() => return,
                command = commands.recv() => command,
                () = self.linked(&held_up) => held_up.take().map(HeldUp::again),
            };
            held_up = None;
            let Some(Command { spec, replace, done }) = command else { return };
            let work = AssertUnwindSafe(self.carry_out(spec.clone(), replace)).catch_unwind();
            let outcome = tokio::select! {
                () = closing.cancelled() => return,
                outcome = work => outcome,
            };
            match outcome {
                Ok(outcome) => {
                    // What runs goes on as it is: an operator who wanted it replaced has been told why it was not.
                    if self.table.running(id.as_str()).is_none() {
                        held_up = outcome.as_ref().err().and_then(|error| HeldUp::by(error, &spec));
                    }
                    // Nobody may be waiting; the event has told everyone else.
                    drop(done.send(outcome));
                }
                Err(_panic) => {
                    self.tasks.panicked("actor");
                    let reason = "starting it broke off; the host's log says why".to_owned();
                    self.told_failed(&spec, reason.clone());
                    self.table.show(spec, State::Failed(reason));
                }
            }
            // Under the lock nobody queues a command, so none is lost with the worker.
            let mut workers = self.lock();
            if commands.is_empty() && self.table.view(id.as_str()).is_none() {
                workers.remove(&id);
                return;
            }
        }
    }

    /// Waits for the links that a start is held up by; for ever if there is none.
    async fn linked(&self, held_up: &Option<HeldUp>) {
        match held_up {
            Some(HeldUp { spec, imports }) => self.starter.linked(&spec.id, imports).await,
            None => std::future::pending().await,
        }
    }

    async fn carry_out(&self, spec: ActorSpec, replace: bool) -> Result<(), Arc<StartError>> {
        let now = self.table.view(spec.id.as_str());
        let running = now.as_ref().and_then(|view| view.running.clone().map(|running| (view, running)));
        match running {
            None if spec.concurrency == 0 => {
                self.table.remove(&spec.id);
                self.told_scaled(&spec, None);
                Ok(())
            }
            None => self.start(spec, None).await,
            Some((view, running)) if spec.concurrency == 0 => {
                self.stop(&view.spec, running).await;
                Ok(())
            }
            Some((view, running)) if !replace || self.is_same(view, &running, &spec).await => {
                self.resize(&view.spec, running, spec).await
            }
            Some((view, _)) => self.start(spec, Some(view.spec.clone())).await,
        }
    }

    /// True if `spec` means the bytes that run. A file or a tag may mean other bytes than it did when they were started.
    async fn is_same(&self, view: &ActorView, running: &Running, spec: &ActorSpec) -> bool {
        view.spec.image_text == spec.image_text
            && !self.starter.means_other_bytes(spec, &running.digest).await
    }

    /// Starts an actor; where another image ran under the same id, calls go over to the new one and the old one drains.
    async fn start(&self, spec: ActorSpec, before: Option<ActorSpec>) -> Result<(), Arc<StartError>> {
        if before.is_none() {
            self.table.show(spec.clone(), State::Starting);
        }
        match self.starter.start(&spec).await {
            Ok(running) => {
                let claims = running.signature.claims().cloned();
                let code = if running.prepared.was_cached() { "cached" } else { "compiled" };
                let old = self.table.install(spec.clone(), running);
                let (image, concurrency) = (&spec.image_text, spec.concurrency);
                info!(actor = %spec.id, %image, concurrency, code, "actor started");
                self.told_scaled(&spec, claims.as_ref());
                if let Some(old) = old {
                    old.actor.retire(Instant::now() + self.drain).await;
                }
                // Under the same reference there is nothing that tools would take for gone.
                if let Some(before) = before.filter(|before| before.image_text != spec.image_text) {
                    self.told_scaled(&ActorSpec { concurrency: 0, ..before }, None);
                }
                Ok(())
            }
            Err(error) => {
                let reason = error.told();
                warn!(actor = %spec.id, image = %spec.image_text, reason, "actor did not start");
                if before.is_none() {
                    let state = match error.missing_links() {
                        Some(_) => State::Pending(reason.clone()),
                        None => State::Failed(reason.clone()),
                    };
                    self.table.show(spec.clone(), state);
                }
                self.told_failed(&spec, reason);
                Err(Arc::new(error))
            }
        }
    }

    /// The same image again: another concurrency or queue takes effect at once; other limits or configuration need new
    /// instances, which is a start of the same image.
    async fn resize(
        &self,
        now: &ActorSpec,
        running: Running,
        asked: ActorSpec,
    ) -> Result<(), Arc<StartError>> {
        let mut after = ActorSpec { concurrency: asked.concurrency, queue: asked.queue, ..now.clone() };
        if now.limits != asked.limits || now.config != asked.config || now.reuse != asked.reuse {
            (after.limits, after.config, after.reuse) = (asked.limits, asked.config, asked.reuse);
            let fresh = self.starter.restart(&after, &running).map_err(|error| {
                self.told_failed(&after, error.told());
                Arc::new(error)
            })?;
            let old = self.table.install(after.clone(), fresh);
            self.told_scaled(&after, running.signature.claims());
            if let Some(old) = old {
                old.actor.retire(Instant::now() + self.drain).await;
            }
            return Ok(());
        }
        let concurrency = NonZeroU32::new(after.concurrency).unwrap_or(NonZeroU32::MIN);
        running.actor.resize(concurrency, queue_of(after.queue, concurrency));
        self.table.set_size(&after.id, after.concurrency, after.queue);
        self.told_scaled(&after, running.signature.claims());
        Ok(())
    }

    async fn stop(&self, spec: &ActorSpec, running: Running) {
        self.table.set_state(&spec.id, State::Stopping);
        running.actor.drain(Instant::now() + self.drain).await;
        self.table.remove(&spec.id);
        info!(actor = %spec.id, "actor stopped");
        self.told_scaled(&ActorSpec { concurrency: 0, ..spec.clone() }, running.signature.claims());
    }

    fn told_scaled(&self, spec: &ActorSpec, claims: Option<&Claims<ActorMetadata>>) {
        self.events.publish(&ComponentScaled {
            public_key: claims.map(|claims| claims.subject.clone()),
            claims: claims.map(event_claims),
            annotations: spec.annotations.clone(),
            host_id: self.starter.host.clone(),
            image_ref: spec.image_text.clone(),
            max_instances: spec.concurrency,
            component_id: spec.id.clone(),
        });
    }

    fn told_failed(&self, spec: &ActorSpec, error: String) {
        self.events.publish(&ComponentScaleFailed {
            public_key: None,
            annotations: spec.annotations.clone(),
            host_id: self.starter.host.clone(),
            image_ref: spec.image_text.clone(),
            component_id: spec.id.clone(),
            max_instances: spec.concurrency,
            error,
        });
    }
}

fn event_claims(claims: &Claims<ActorMetadata>) -> EventClaims {
    let human = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let metadata = claims.metadata.as_ref();
    EventClaims {
        call_alias: metadata.and_then(|m| m.call_alias.clone()),
        issuer: claims.issuer.clone(),
        tags: Some(metadata.and_then(|m| m.tags.clone()).unwrap_or_default()),
        name: metadata.and_then(|m| m.name.clone()),
        version: metadata.and_then(|m| m.version.clone()),
        revision: metadata.and_then(|m| m.revision),
        not_before_human: human(claims.not_before),
        expires_human: human(claims.expires),
    }
}
