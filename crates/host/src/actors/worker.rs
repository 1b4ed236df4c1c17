//! The crew: one worker for each actor id, which takes commands in their order and does what its machine says (see
//! `machine`). So nothing about one actor ever happens twice at once, and a slow start holds up no other actor.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use lattice_core::{ActorId, SecretName, State};
use lattice_runtime::Interface;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    ActorSpec, Actors, StartError, Starter,
    machine::{Effect, Event, Hope, Machine, Step, Wish},
    start::queue_of,
    table::Running,
    tell::Teller,
};
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

/// How a command went.
type Outcome = Result<(), Arc<StartError>>;

/// Where the outcome of a command comes. None comes where it was given up for a later one, or the host stops.
pub(crate) type StartedOutcome = oneshot::Receiver<Outcome>;

/// A command, and where its outcome goes.
struct Command {
    wish: Wish,
    done: oneshot::Sender<Outcome>,
}

/// What a worker waits for by itself, beside commands.
enum Awaited {
    Nothing,
    /// Links for these imports.
    Links(Vec<Interface>),
    /// These secrets, on this host.
    Secrets(Vec<SecretName>),
    Moment(Instant),
}

/// One actor in the hands of its worker.
struct Job {
    id: ActorId,
    machine: Machine,
    awaited: Awaited,
    /// Who wants to know how the last step went, and how it went.
    asking: Vec<oneshot::Sender<Outcome>>,
    outcome: Option<Outcome>,
}

impl Job {
    fn new(id: ActorId) -> Self {
        let (machine, awaited) = (Machine::new(), Awaited::Nothing);
        Self { id, machine, awaited, asking: Vec::new(), outcome: None }
    }

    fn settle(&mut self) {
        // Without an outcome the step broke off, and who asks hears that nothing comes.
        let outcome = self.outcome.take();
        for done in self.asking.drain(..) {
            // Nobody may be waiting; the event has told everyone else.
            drop(outcome.clone().map(|outcome| done.send(outcome)));
        }
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
    teller: Teller,
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
        let (workers, teller) = (Mutex::default(), Teller { host: starter.host.clone(), events });
        Self { shared: Arc::new(Shared { table, starter, teller, tasks, drain, workers }) }
    }

    /// Queues a command: run `spec`, or with concurrency 0 stop it. `replace` allows another image. The receiver gets
    /// the outcome; who does not wait for it hears of it by event.
    pub(crate) fn scale(&self, spec: ActorSpec, replace: bool) -> Result<StartedOutcome, ScaleRefused> {
        self.queue(Wish { spec, replace, insist: false })
    }

    /// As [`Crew::scale`], in place of whatever runs, and with growing pauses again and again as long as that may help: what is
    /// away may come back, what is not there yet may be pushed or built. It is given up when somebody asks for something else.
    pub(crate) fn insist(&self, spec: ActorSpec) -> Result<StartedOutcome, ScaleRefused> {
        self.queue(Wish { spec, replace: true, insist: true })
    }

    fn queue(&self, wish: Wish) -> Result<StartedOutcome, ScaleRefused> {
        if self.shared.tasks.is_closing() {
            return Err(ScaleRefused::Stopping);
        }
        let (done, outcome) = oneshot::channel();
        let mut workers = self.shared.lock();
        let id = wish.spec.id.clone();
        let queue = workers.entry(id.clone()).or_insert_with(|| {
            let (sender, commands) = mpsc::channel(QUEUE);
            let shared = self.shared.clone();
            self.shared.tasks.spawn("actor", async move { shared.work(id, commands).await });
            sender
        });
        queue.try_send(Command { wish, done }).map_err(|_full| ScaleRefused::Busy)?;
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
        let mut job = Job::new(id);
        loop {
            let effects = tokio::select! {
                () = closing.cancelled() => return,
                command = commands.recv() => match command {
                    Some(command) => self.begin(&mut job, command),
                    None => return,
                },
                event = self.awaited(&job) => self.react(&mut job, event),
            };
            job.awaited = Awaited::Nothing;
            tokio::select! {
                () = closing.cancelled() => return,
                () = self.carry_out(&mut job, effects) => {}
            }
            // Under the lock nobody queues a command, so none is lost with the worker.
            let mut workers = self.lock();
            let is_over = job.machine.is_at_peace() && self.table.view(job.id.as_str()).is_none();
            if commands.is_empty() && is_over {
                workers.remove(&job.id);
                return;
            }
        }
    }

    /// Waits for what the actor's machine waits for; for ever if that is nothing. Cancel-safe.
    async fn awaited(&self, job: &Job) -> Event {
        match &job.awaited {
            Awaited::Nothing => std::future::pending().await,
            Awaited::Links(imports) => {
                self.starter.linked(&job.id, imports).await;
                Event::Linked
            }
            Awaited::Secrets(names) => {
                self.starter.have(names).await;
                Event::Linked
            }
            Awaited::Moment(until) => {
                sleep_until(*until).await;
                Event::Rested
            }
        }
    }

    fn begin(&self, job: &mut Job, command: Command) -> Vec<Effect> {
        let effects = self.react(job, Event::Asked(command.wish));
        if effects.contains(&Effect::GiveUp) {
            job.asking.clear();
        }
        // Who asked first has waited for the same, and hears of it by event.
        if job.asking.len() >= QUEUE {
            job.asking.remove(0);
        }
        job.asking.push(command.done);
        effects
    }

    /// What follows from an event, in the light of what runs.
    fn react(&self, job: &mut Job, event: Event) -> Vec<Effect> {
        let view = self.table.view(job.id.as_str()).filter(|view| view.running.is_some());
        job.machine.on(event, view.as_ref().map(|view| &view.spec))
    }

    /// Does what is to be done until the machine waits, or is at peace.
    async fn carry_out(&self, job: &mut Job, mut effects: Vec<Effect>) {
        loop {
            let mut event = None;
            for effect in effects {
                match effect {
                    Effect::Take(step) => event = Some(self.take(job, step).await),
                    Effect::Settle => job.settle(),
                    // Whoever asked has been let go when the new command came.
                    Effect::GiveUp => {}
                    Effect::AwaitLinks(imports) => job.awaited = Awaited::Links(imports),
                    Effect::AwaitSecrets(names) => job.awaited = Awaited::Secrets(names),
                    Effect::Rest(pause) => {
                        info!(actor = %job.id, again_in = ?pause, "will be started again");
                        job.awaited = Awaited::Moment(Instant::now() + pause);
                    }
                }
            }
            match event {
                Some(event) => effects = self.react(job, event),
                None => return,
            }
        }
    }

    /// Takes one step; a panic in it is told as a failure.
    async fn take(&self, job: &mut Job, step: Step) -> Event {
        let spec = step.spec().cloned();
        let Ok(taken) = AssertUnwindSafe(self.try_take(&job.id, step)).catch_unwind().await else {
            self.tasks.panicked("actor");
            job.outcome = None;
            if let Some(spec) = spec {
                let reason = "starting it broke off; the host's log says why".to_owned();
                self.teller.failed(&spec, reason.clone());
                // What still runs goes on.
                if self.table.running(job.id.as_str()).is_none() {
                    self.table.show(spec, State::Failed(reason));
                }
            }
            return Event::Failed(Hope::None);
        };
        match taken {
            Ok(event) => {
                job.outcome = Some(Ok(()));
                event
            }
            Err(error) => {
                let hope = hope_after(&error, spec.as_ref());
                job.outcome = Some(Err(error));
                Event::Failed(hope)
            }
        }
    }

    async fn try_take(&self, id: &ActorId, step: Step) -> Result<Event, Arc<StartError>> {
        let view = self.table.view(id.as_str());
        let running = view.and_then(|view| Some((view.spec, view.running?)));
        match (step, running) {
            (Step::Forget(spec), None) => {
                self.table.remove(id);
                self.teller.scaled(&spec, None);
            }
            (Step::Start(spec), None) => self.start(spec, None).await?,
            (Step::Replace(spec), Some((now, _))) => self.start(spec, Some(now)).await?,
            (Step::Stop, Some((now, running))) => self.stop(&now, running).await,
            (Step::Look(spec), Some((_, running))) => {
                let other_bytes = self.starter.means_other_bytes(&spec, &running.digest).await;
                return Ok(Event::Seen { other_bytes });
            }
            (Step::Restart(spec), Some((_, running))) => self.restart(spec, &running).await?,
            (Step::Resize(spec), Some((_, running))) => {
                let concurrency = NonZeroU32::new(spec.concurrency).unwrap_or(NonZeroU32::MIN);
                running.actor.resize(concurrency, queue_of(spec.queue, concurrency));
                self.table.set_size(id, spec.concurrency, spec.queue);
                self.teller.scaled(&spec, running.signature.claims());
            }
            (Step::Confirm(spec), Some((_, running))) => {
                self.teller.scaled(&spec, running.signature.claims());
            }
            // Nobody but this worker changes what runs, so a step still fits when it is taken.
            (step, _) => debug!(actor = %id, ?step, "there is nothing left to do"),
        }
        Ok(Event::Done)
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
                self.teller.scaled(&spec, claims.as_ref());
                if let Some(old) = old {
                    old.actor.retire(Instant::now() + self.drain).await;
                }
                // Under the same reference there is nothing that tools would take for gone.
                if let Some(before) = before.filter(|before| before.image_text != spec.image_text) {
                    self.teller.scaled(&ActorSpec { concurrency: 0, ..before }, None);
                }
                Ok(())
            }
            Err(error) => {
                let reason = error.told();
                warn!(actor = %spec.id, image = %spec.image_text, reason, "actor did not start");
                if before.is_none() {
                    let waits = matches!(hope_after(&error, Some(&spec)), Hope::Links(_) | Hope::Secrets(_));
                    let state =
                        if waits { State::Pending(reason.clone()) } else { State::Failed(reason.clone()) };
                    self.table.show(spec.clone(), state);
                }
                self.teller.failed(&spec, reason);
                Err(Arc::new(error))
            }
        }
    }

    /// Starts the bytes that run already under other terms, in place of what runs.
    async fn restart(&self, spec: ActorSpec, running: &Running) -> Result<(), Arc<StartError>> {
        let fresh = self.starter.restart(&spec, running).map_err(|error| {
            self.teller.failed(&spec, error.told());
            Arc::new(error)
        })?;
        let old = self.table.install(spec.clone(), fresh);
        self.teller.scaled(&spec, running.signature.claims());
        if let Some(old) = old {
            old.actor.retire(Instant::now() + self.drain).await;
        }
        Ok(())
    }

    async fn stop(&self, spec: &ActorSpec, running: Running) {
        self.table.set_state(&spec.id, State::Stopping);
        running.actor.drain(Instant::now() + self.drain).await;
        self.table.remove(&spec.id);
        info!(actor = %spec.id, "actor stopped");
        self.teller.scaled(&ActorSpec { concurrency: 0, ..spec.clone() }, running.signature.claims());
    }
}

/// What may make a start succeed that failed.
fn hope_after(error: &StartError, spec: Option<&ActorSpec>) -> Hope {
    match (error, error.missing_links()) {
        (_, Some(imports)) => Hope::Links(imports.to_vec()),
        (StartError::NoSecret(_), None) => {
            Hope::Secrets(spec.map(|spec| spec.secrets.clone()).unwrap_or_default())
        }
        (error, None) if error.is_transient() => Hope::Time,
        (_, None) => Hope::None,
    }
}
